"""Kafka topics: one for each packet, and one for what no route wanted."""

from f1_packets import PACKET_NAMES

MARK = "redrive.of"
"""Header of a record in the dead-letter topic that is no dead letter: it says that the one at this offset of its
partition was sent again. NiFi makes no header of this name, so no POST can hide a dead letter."""
AGAIN = "block.redrives"
"""Header of a block that was a dead letter before: how many times it was sent again."""


def topic(packet_name: str, prefix: str = "f1") -> str:
    return f"{prefix}.{packet_name}"


def packet_topics(prefix: str = "f1") -> dict[int, str]:
    """Packet ID → topic."""
    return {packet_id: topic(name, prefix) for packet_id, name in PACKET_NAMES.items()}


def fact_topics(prefix: str = "f1") -> list[str]:
    """The topics that Spark reads: all packets but Session, which the gateway writes to Postgres itself."""
    return sorted(topic(name, prefix) for name in PACKET_NAMES.values() if name != "session")


def dead_letter(prefix: str = "f1") -> str:
    return topic("dead_letter", prefix)


def own_topics(prefix: str = "f1") -> list[str]:
    """All of Pitlane's own. Others with this prefix belong to branches of the flow, and hold copies in another form."""
    return [*packet_topics(prefix).values(), dead_letter(prefix)]
