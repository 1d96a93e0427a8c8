"""What a Kafka record says of itself: NiFi's attributes of a block, as the headers of the record that it became."""

from collections.abc import Iterable


def read(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Name → value as text. Anybody may post any attribute, so what is no UTF-8 is replaced and never an error."""
    return {name: value.decode(errors="replace") for name, value in headers}
