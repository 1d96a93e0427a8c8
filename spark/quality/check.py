"""Asks the rules of what a micro-batch received, before facts are made of it.

Asked row by row of what one packet says, a rule finds the same whatever the order, the cut into batches and the
duplicates: so what is kept out of the facts is too. Only rules that compare packets, which all have the effect `flag`,
may see less of a batch that is cut elsewhere.
"""

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from spark.facts import FACTS
from spark.jobs.blocks import Decoded, Samples
from spark.quality.asked import Rows
from spark.quality.rows import AT_MOST, quarantined
from spark.quality.rules import rules_of


class Checked(NamedTuple):
    decoded: Decoded
    """Without what a rule keeps out: packets are gone, cars of packets marked in `Samples.out`."""
    quarantine: pa.Table
    """Rows of core.quarantine"""
    checked: Counter[str]
    """rule → rows that it was asked of, but for what had waited: that was counted when it was read first"""
    broken: Counter[str]
    """rule → rows that broke it, counted likewise"""


def check(received: Decoded) -> Checked:
    found = Checked(received, FACTS["quarantine"].schema.empty_table(), Counter(), Counter())
    tables: dict[str, list[pa.Table]] = {}
    kept = [_check(samples, received, tables, found) for samples in received.samples]
    rows = [pa.concat_tables(parts)[:AT_MOST] for parts in tables.values()]
    return found._replace(
        decoded=received._replace(samples=[samples for samples in kept if len(samples.order)]),
        quarantine=pa.concat_tables([found.quarantine, *rows]),
    )


def _check(samples: Samples, received: Decoded, tables: dict[str, list[pa.Table]], found: Checked) -> Samples:
    """Asks what there is to ask of one kind, and gives what the facts may have of it."""
    fresh = ~received.had_waited(samples)
    out_packets = np.zeros(len(samples.order), bool)
    out_cars = np.zeros((len(samples.order), samples.packet.num_cars), bool)
    there: dict[str, tuple[Rows, np.ndarray, int]] = {}
    for rule in rules_of(samples.packet):
        if rule.of not in there:
            rows = Rows(samples, rule.of, received)
            asked = rows.asked
            there[rule.of] = rows, asked, int(asked[fresh].sum())
        rows, asked, number = there[rule.of]
        found.checked[rule.slug] += number
        broken = rule.broken(rows) & asked
        if not broken.any():
            continue
        found.broken[rule.slug] += int(broken[fresh].sum())
        tables.setdefault(rule.slug, []).append(quarantined(rule, broken, samples, received))
        if rule.effect == "out" and rule.of == "cars":
            out_cars |= broken
        elif rule.effect == "out":
            out_packets |= broken
    if out_cars.any():
        samples = replace(samples, out=out_cars)
    return samples.take(np.flatnonzero(~out_packets)) if out_packets.any() else samples
