"""Kafka topics: one for each packet, and one for what no route wanted."""

from f1_packets import PACKET_NAMES


def topic(packet_name: str, prefix: str = "f1") -> str:
    return f"{prefix}.{packet_name}"


def packet_topics(prefix: str = "f1") -> dict[int, str]:
    """Packet ID → topic."""
    return {packet_id: topic(name, prefix) for packet_id, name in PACKET_NAMES.items()}


def dead_letter(prefix: str = "f1") -> str:
    return topic("dead_letter", prefix)
