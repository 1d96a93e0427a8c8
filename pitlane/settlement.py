"""Whether all that was sent has gone the whole way: sent = received = stored + forwarded + …, Kafka, Spark's ledger.

`Meter` remembers where every counter stood, so a stack that already holds data is measured from then on.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pitlane.arrivals import Arrivals, spark_read
from pitlane.settings import KafkaSettings, PostgresSettings
from pitlane.stack.stack import Stack


@dataclass
class Arrived:
    """Datagrams at each place since the meter was made."""

    received: int = 0
    kernel_drops: int = 0
    stored: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    forwarded: int = 0
    waiting: int = 0
    """For NiFi or Postgres, at this moment; `dead_letters_waiting` beside it."""
    dead_letters_waiting: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    dead_letters: int = 0
    """Those of `rejected` that NiFi took."""
    in_kafka: Counter[str] = field(default_factory=Counter)
    """By topic; a block that NiFi got twice, since its first answer was lost, counts once."""
    unread_by_spark: Counter[str] = field(default_factory=Counter)
    """Kafka records behind the last micro-batch, by topic."""

    def missing(self, sent: int) -> list[str]:
        """What keeps the counts from closing, in words; empty when everything is where it belongs."""
        found = []
        if self.received < sent:
            lost = f", {self.kernel_drops:,} of them dropped by the kernel" if self.kernel_drops else ""
            found.append(f"{sent - self.received:,} of {sent:,} datagrams did not reach the gateway{lost}")
        if waiting := self.waiting + self.dead_letters_waiting:
            found.append(f"{waiting:,} datagrams wait in the gateway for NiFi or Postgres")
        taken = self.stored + self.skipped.total() + self.forwarded + self.rejected.total() + self.dropped.total()
        if taken + self.waiting != self.received:
            found.append(f"the gateway received {self.received:,} and accounts for {taken + self.waiting:,}")
        if self.dropped.total():
            found.append(f"{self.dropped.total():,} datagrams were given up: {dict(self.dropped)}")
        posted = self.forwarded + self.dead_letters
        if self.in_kafka.total() != posted:
            found.append(f"NiFi took {posted:,} datagrams and Kafka has {self.in_kafka.total():,}")
        if self.unread_by_spark.total():
            found.append(f"Spark has {self.unread_by_spark.total():,} Kafka records to go")
        return found


class Meter:
    """Reads the counters of a running stack, as differences from where they stood when it was made."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._before: dict[str, Any] = stack.gateway.status()
        self._arrivals = Arrivals(stack.settings(KafkaSettings), whole=False)

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *_: object) -> None:
        self._arrivals.close()

    def read(self) -> Arrived:
        """Where things stand now."""
        before, now = self._before, self._stack.gateway.status()
        read = self._arrivals.read(spark_read(self._stack.settings(PostgresSettings)).done)

        def since(*path: str) -> int:
            return _number(now, *path) - _number(before, *path)

        def by_reason(name: str) -> Counter[str]:
            return Counter(now[name]) - Counter(before[name])

        return Arrived(
            received=since("received"),
            kernel_drops=since("kernel", "drops"),
            stored=since("stored"),
            skipped=by_reason("skipped"),
            forwarded=since("forwarded"),
            waiting=now["waiting"],
            dead_letters_waiting=now["dead_letter"]["waiting"],
            rejected=by_reason("rejected"),
            dropped=by_reason("dropped"),
            dead_letters=since("dead_letter", "forwarded"),
            in_kafka=self._arrivals.by_topic(),
            unread_by_spark=read.unread,
        )


def _number(status: dict[str, Any], *path: str) -> int:
    value: Any = status
    for name in path:
        value = value[name]
    return int(value or 0)
