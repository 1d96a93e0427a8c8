"""Whether every datagram that came in is where it belongs, as equations from the gateway to Spark's ledger.

    gateway       received = stored + skipped + forwarded + waiting + rejected + dropped
    dead letters  rejected = forwarded + waiting + dropped
    Kafka         forwarded + dead letters forwarded = in Kafka + in NiFi's queues
    Spark         in the topics of facts = read + unreadable + not yet read

The first two are the gateway's own sums. The third holds the gateway's word against the records that are there: every
block has a number of the gateway's ledger, so one that stands in Kafka twice (an answer of NiFi was lost) counts once;
one that was redriven counts where it was a dead letter.
The fourth holds the records against what Spark wrote down in the transactions that wrote the facts.

`closes` is None where it cannot be told: Kafka has deleted the oldest records, NiFi does not show what it holds, or
datagrams moved while they were counted. `standing` asks the servers, everything else is pure.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from kafka.errors import KafkaError

from nifi.errors import FlowError
from pitlane.arrivals import Arrivals, Read, SparkRead, spark_read
from pitlane.errors import PitlaneError
from pitlane.settings import KafkaSettings, NifiSettings, PostgresSettings
from pitlane.stack.stack import Stack

AGAIN_S = 0.5

CLOSES, DOES_NOT, CANNOT_TELL = 0, 1, 3
"""Exit codes; 2 is what a wrong command line ends with."""


class Unanswered(PitlaneError):
    """A server whose numbers are needed does not answer."""

    reason = "cannot_tell"
    exit_code = CANNOT_TELL


class Term(NamedTuple):
    name: str
    value: int
    parts: Mapping[str, int] = {}
    """What it is the sum of, where that is worth telling: reason → datagrams."""

    def __str__(self) -> str:
        parts = ", ".join(f"{reason} {count:,}" for reason, count in sorted(self.parts.items()))
        return f"{self.name} {self.value:,}" + (f" ({parts})" if parts else "")


class Equation(NamedTuple):
    name: str
    left: tuple[Term, ...]
    right: tuple[Term, ...]
    closes: bool | None
    remarks: tuple[str, ...]
    """What else to know; of one that does not close, what is wrong."""

    @property
    def difference(self) -> int:
        """Left minus right: what is missing on the right, or too much there if negative."""
        return sum(term.value for term in self.left) - sum(term.value for term in self.right)

    def __str__(self) -> str:
        """received 10 = stored 1 + rejected 3 (too_short 2, wrong_size 1) + …"""
        return " = ".join(" + ".join(map(str, side)) for side in (self.left, self.right))


@dataclass(frozen=True)
class Standing:
    """Everything counted, in this order, so that what moves is seen late rather than never."""

    before: Mapping[str, Any]
    """The gateway's status before anything else was counted …"""
    after: Mapping[str, Any]
    """… and after."""
    queued: int
    """Datagrams in NiFi's queues whose block is not in Kafka."""
    queued_unknown: int
    """FlowFiles there that NiFi does not show."""
    nifi_error: str
    """Why NiFi could not be asked, else empty."""
    in_kafka: int
    """Datagrams of the gateway's ledger, each block once."""
    repeated: int
    """Datagrams of it in blocks that stand there again …"""
    redriven: int
    """… and of those in dead letters that were sent again, or of dead letters that came of that."""
    foreign: int
    """Datagrams of other ledgers and of none."""
    deleted: Mapping[str, int]
    """Records by topic that Kafka no longer has."""
    read: Read
    spark: SparkRead
    fact_topics: frozenset[str]

    @property
    def at_rest(self) -> bool:
        """Whether nothing is on its way."""
        after = self.after
        on_the_way = after["waiting"] + after["dead_letter"]["waiting"] + self.queued + self.queued_unknown
        return not on_the_way and not self.read.unread and self.before["received"] == after["received"]


def equations(standing: Standing) -> list[Equation]:
    return [_gateway(standing.after), _dead_letters(standing.after), _kafka(standing), _spark(standing)]


def exit_code(found: list[Equation]) -> int:
    if any(equation.closes is False for equation in found):
        return DOES_NOT
    return CLOSES if all(equation.closes for equation in found) else CANNOT_TELL


def as_dict(found: list[Equation], ledger: str) -> dict[str, Any]:
    """What `--json` prints; a term is {"value", "by_reason"}."""

    def terms(side: tuple[Term, ...]) -> dict[str, Any]:
        return {
            term.name: {"value": term.value, **({"by_reason": dict(term.parts)} if term.parts else {})} for term in side
        }

    return {
        "ledger": ledger,
        "closes": {CLOSES: True, DOES_NOT: False, CANNOT_TELL: None}[exit_code(found)],
        "equations": [
            {
                "name": each.name,
                "left": terms(each.left),
                "right": terms(each.right),
                "difference": each.difference,
                "closes": each.closes,
                "remarks": each.remarks,
            }
            for each in found
        ],
    }


def _gateway(status: Mapping[str, Any]) -> Equation:
    right = (
        Term("stored", status["stored"]),
        _summed("skipped", status["skipped"]),
        Term("forwarded", status["forwarded"]),
        Term("waiting", status["waiting"]),
        _summed("rejected", status["rejected"]),
        _summed("dropped", status["dropped"]),
    )
    return _own("gateway", (Term("received", status["received"]),), right)


def _dead_letters(status: Mapping[str, Any]) -> Equation:
    where = status["dead_letter"]
    right = tuple(Term(name, where[name]) for name in ("forwarded", "waiting", "dropped"))
    return _own("dead letters", (_summed("rejected", status["rejected"]),), right)


def _own(name: str, left: tuple[Term, ...], right: tuple[Term, ...]) -> Equation:
    """A sum of one status, which was true at one moment: it closes or it does not."""
    equation = Equation(name, left, right, True, ())
    return equation._replace(closes=not equation.difference, remarks=_off(equation))


def _kafka(standing: Standing) -> Equation:
    after = standing.after
    letters = after["dead_letter"]
    left = (Term("forwarded", after["forwarded"]), Term("dead letters", letters["forwarded"]))
    right = (Term("in Kafka", standing.in_kafka), Term("in NiFi", standing.queued))
    equation = Equation("Kafka", left, right, None, ())
    remarks = []
    if standing.repeated:
        remarks.append(f"beside these {standing.repeated:,} datagrams stand in Kafka again, in blocks that came twice")
    if standing.redriven:
        remarks.append(
            f"beside these {standing.redriven:,} datagrams stand there again, redriven from the dead letters"
        )
    if standing.foreign:
        remarks.append(f"beside these {standing.foreign:,} datagrams there are of other ledgers")
    doubts = _deleted(standing.deleted)
    if standing.nifi_error:
        doubts.append(standing.nifi_error)
    elif standing.queued_unknown:
        doubts.append(f"NiFi holds {standing.queued_unknown:,} blocks that it does not show: pitlane flow status")

    # What was forwarded when counting began must be there; what is there was forwarded by its end, or its answer was lost.
    least, most = _forwarded(standing.before), _forwarded(after) + after["waiting"] + letters["waiting"]
    there = standing.in_kafka + standing.queued
    if there > most or (there < least and not doubts):
        return equation._replace(closes=False, remarks=(*_off(equation), *remarks))
    if not doubts and (there != least or least != _forwarded(after)):
        doubts.append(f"datagrams moved while they were counted: between {least:,} and {most:,} were forwarded")
    return equation._replace(closes=None if doubts else True, remarks=(*doubts, *remarks))


def _spark(standing: Standing) -> Equation:
    read, spark = standing.read, standing.spark
    left = (Term("in the topics of facts", read.read_datagrams + read.unread_datagrams),)
    right = (
        Term("read by Spark", spark.datagrams),
        Term("unreadable", read.unreadable_datagrams),
        Term("not yet read", read.unread_datagrams),
    )
    equation = Equation("Spark", left, right, None, ())
    deleted = {topic: records for topic, records in standing.deleted.items() if topic in standing.fact_topics}
    if doubts := _deleted(deleted):
        return equation._replace(remarks=tuple(doubts))
    wrong = _off(equation)
    if spark.blocks != read.read_blocks:
        wrong += (f"core.ledger has {spark.blocks:,} records, Kafka {read.read_blocks:,} up to where it says it is",)
    if spark.rejected_blocks != read.unreadable_blocks:
        wrong += (f"{spark.rejected_blocks:,} unreadable records in core.ledger, {read.unreadable_blocks:,} in Kafka",)
    return equation._replace(closes=not wrong, remarks=wrong)


def _off(equation: Equation) -> tuple[str, ...]:
    if not (by := equation.difference):
        return ()
    return (f"{by:,} missing" if by > 0 else f"{-by:,} too many",)


def _deleted(records: Mapping[str, int]) -> list[str]:
    if not (total := sum(records.values())):
        return []
    topics = ", ".join(topic for topic, count in sorted(records.items()) if count)
    return [f"Kafka has deleted the oldest {total:,} records of {topics}; what was in them cannot be counted any more"]


def _forwarded(status: Mapping[str, Any]) -> int:
    return int(status["forwarded"] + status["dead_letter"]["forwarded"])


def _summed(name: str, parts: Mapping[str, int]) -> Term:
    return Term(name, sum(parts.values()), parts)


# --- asking the servers -------------------------------------------------------------------------------------------


def reconcile(stack: Stack, wait_s: float, say: Callable[[str], None]) -> tuple[list[Equation], str]:
    """The equations and the gateway's ledger id, counted again for at most `wait_s` until all is at rest and closes.

    `say` hears what it waits for. Raises Unanswered when a server does not answer.
    """
    deadline = time.monotonic() + wait_s
    say("counting what Kafka holds")
    for standing in standings(stack):
        found = equations(standing)
        settled = standing.at_rest and exit_code(found) == CLOSES
        if settled or time.monotonic() > deadline:
            return found, str(standing.after["ledger"])
        say(next((remark for each in found if not each.closes for remark in each.remarks), "data is on its way"))
        time.sleep(AGAIN_S)
    raise AssertionError("standings never end")


def standings(stack: Stack) -> Iterator[Standing]:
    """How things stand, each time anew; Kafka's records are read once."""
    try:
        with Arrivals(stack.settings(KafkaSettings), whole=True) as arrivals:
            while True:
                yield _standing(stack, arrivals)
    except KafkaError as error:
        raise Unanswered(f"Kafka does not answer: {error}", "pitlane status") from error
    except psycopg.Error as error:
        raise Unanswered(
            f"Postgres does not say what Spark has read: {str(error).strip()}", "pitlane status"
        ) from error


def _standing(stack: Stack, arrivals: Arrivals) -> Standing:
    before = _status(stack)
    blocks, unknown, nifi_error = _queued(stack.settings(NifiSettings))
    spark = spark_read(stack.settings(PostgresSettings))
    read = arrivals.read(spark.done)
    after = _status(stack)
    if before["ledger"] != after["ledger"]:
        raise Unanswered("the gateway began another ledger while its datagrams were counted", "run it again")
    ledger = after["ledger"]
    return Standing(
        before=before,
        after=after,
        queued=sum(count for name, count in blocks.items() if name.startswith(f"{ledger}-") and not arrivals.has(name)),
        queued_unknown=unknown,
        nifi_error=nifi_error,
        in_kafka=sum(count for (owner, _), count in arrivals.distinct.items() if owner == ledger),
        repeated=arrivals.repeated[ledger],
        redriven=arrivals.redriven[ledger],
        foreign=sum(count for (owner, _), count in arrivals.distinct.items() if owner != ledger),
        deleted=arrivals.deleted,
        read=read,
        spark=spark,
        fact_topics=arrivals.fact_topics,
    )


def _queued(settings: NifiSettings) -> tuple[Mapping[str, int], int, str]:
    from nifi.queued import queued  # loads nipyapi, which takes a second

    try:
        found = queued(settings)
    except FlowError as error:
        return {}, 0, f"what waits in NiFi is not known: {error}"
    return found["blocks"], found["unknown"], ""


def _status(stack: Stack) -> dict[str, Any]:
    try:
        return stack.gateway.status()
    except (OSError, ValueError) as error:
        raise Unanswered(f"the gateway does not answer: {error}", "pitlane status") from error
