"""A fact's rows into its table, in SQL: copied into a temporary table of the connection, then upserted by key.

Which version of a row stands is decided by a total order, so batches may come in any order and any number of times.
Tables are named without their schema: the sink says by its search path which it writes to, core or what a rebuild fills.
"""

from collections.abc import Iterable

from psycopg.sql import SQL, Composable, Composed, Identifier
from sqlalchemy import TIMESTAMP, Boolean

from spark.facts import Fact

NOTHING = -(2**40)
"""Less than any order, also of one that is counted backwards."""


def incoming(fact: Fact) -> Identifier:
    """The temporary table that holds a batch's rows of `fact`."""
    return Identifier(f"new_{fact.name}")


def create_incoming(fact: Fact) -> Composed:
    """Emptied by each commit and kept as long as the connection: a new one each time would bloat the catalogue."""
    return SQL(
        "CREATE TEMPORARY TABLE IF NOT EXISTS {} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA"
    ).format(incoming(fact), _list(fact.names), table(fact))


def copy(fact: Fact, into: Composable) -> Composed:
    return SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(into, _list(fact.names))


def table(fact: Fact) -> Identifier:
    return Identifier(fact.table.name)


def upsert(fact: Fact) -> Composed:
    """The batch's rows into the table, where they beat what is there.

    The greater order wins. Versions of one order differ only in how much of the sample was known, so the one that
    knows more wins; and as a last resort, for packets that contradict each other, the one whose bytes are greater.
    What is there already is not written again.
    """
    extreme = dict.fromkeys(fact.greatest, SQL("greatest")) | dict.fromkeys(fact.least, SQL("least"))
    free = [name for name in fact.values if name not in extreme]
    new_rank, old_rank = _rank(fact, free, "excluded"), _rank(fact, free, "old")
    wins = SQL(
        "(ROW({0}) > ROW({1}) OR (ROW({0}) = ROW({1}) AND ROW({2})::record OPERATOR(pg_catalog.*>) ROW({3})::record))"
    ).format(new_rank, old_rank, _list(free, "excluded"), _list(free, "old"))
    if extreme:
        keep_or_take = SQL("{name} = CASE WHEN {wins} THEN excluded.{name} ELSE old.{name} END")
    else:
        keep_or_take = SQL("{name} = excluded.{name}")
    assignments = [keep_or_take.format(name=Identifier(name), wins=wins) for name in free] if fact.order else []
    changes: list[Composable] = [wins] if fact.order else []
    for name, choose in extreme.items():
        value = SQL("{1}(old.{0}, excluded.{0})").format(Identifier(name), choose)
        if fact.since:
            template = "CASE WHEN old.{0} IS NOT DISTINCT FROM excluded.{0} THEN {1} WHEN {2} THEN excluded.{3} ELSE old.{3} END"
            value = SQL(template).format(Identifier(fact.since), value, wins, Identifier(name))
        assignments.append(SQL("{} = {}").format(Identifier(name), value))
        changes.append(SQL("{} IS DISTINCT FROM old.{}").format(value, Identifier(name)))
    return SQL(
        "INSERT INTO {table} AS old ({columns})"
        " SELECT DISTINCT ON ({key}) {selected} FROM {incoming} AS new"
        " ORDER BY {key}, ROW({rank}) DESC, ROW({free}) USING OPERATOR(pg_catalog.*>)"
        " ON CONFLICT ({key}) DO UPDATE SET {assignments} WHERE {changes}"
    ).format(
        table=table(fact),
        columns=_list(fact.names),
        selected=SQL(", ").join([_within_batch(fact, name) for name in fact.names]),
        key=_list(fact.key),
        incoming=incoming(fact),
        rank=_rank(fact, free, "new"),
        free=_list(free, "new"),
        assignments=SQL(", ").join(assignments),
        changes=SQL(" OR ").join(changes),
    )


def _within_batch(fact: Fact, name: str) -> Composable:
    """A column of the one row that stands of a batch's rows of one key, or the extreme of them all."""
    if name in fact.greatest:
        choose = SQL("bool_or" if isinstance(fact.table.columns[name].type, Boolean) else "max")
    elif name in fact.least:
        choose = SQL("min")
    else:
        return Identifier("new", name)
    among = (*fact.key, fact.since) if fact.since else fact.key
    return SQL("{}({}) OVER (PARTITION BY {})").format(choose, Identifier("new", name), _list(among, "new"))


def _rank(fact: Fact, free: list[str], side: str) -> Composed:
    """What is compared, greatest first: the order, then how many values are known."""
    parts: list[Composable] = []
    for signed in fact.order:
        name = signed.removeprefix("-")
        column: Composable = Identifier(side, name)
        if isinstance(fact.table.columns[name].type, TIMESTAMP):
            column = SQL("extract(epoch FROM {})").format(column)
        if fact.earliest or signed != name:
            column = SQL("-{}").format(column)
        if fact.table.columns[name].nullable:  # a lap's row may be there with nothing of this group in it
            column = SQL("coalesce({}, {})").format(column, NOTHING)
        parts.append(column)
    return SQL(", ").join([*parts, SQL("num_nonnulls({})").format(_list(free, side))])


def _list(names: Iterable[str], side: str = "") -> Composed:
    return SQL(", ").join([Identifier(side, name) if side else Identifier(name) for name in names])
