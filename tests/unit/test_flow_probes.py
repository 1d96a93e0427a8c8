"""The blocks that try out the flow: one of each packet, as the gateway would post it."""

import struct
from collections import Counter

from nifi.probes import probes, unknown


def test_every_id_of_every_format_is_there_once() -> None:
    sent = probes(shards=3, prefix="race")
    told = [struct.unpack_from("<H4xBQ", probe.content, 24) for probe in sent]
    # As published: 14, 15, 16 and 17 packets, with the IDs 0, 1, 2 …
    expected = {(year, packet_id, 0) for year in range(2023, 2027) for packet_id in range(year - 2009)}
    assert Counter(told) == Counter(expected)
    assert {probe.partition for probe in sent} == {0, 1, 2}
    for probe, (year, packet_id, _) in zip(sent, told, strict=True):
        said = probe.attributes
        assert (said["packet.format"], said["packet.id"]) == (str(year), str(packet_id))
        assert (said["block.count"], said["block.bytes"]) == ("1", str(len(probe.content)))
        assert (probe.topic, said["shard"]) == (f"race.{said['packet.name']}", str(probe.partition))
    assert len({probe.block_id for probe in sent} | {probe.block_id for probe in probes(3, "race")}) == 2 * len(sent)


def test_what_nobody_knows_belongs_to_the_dead_letters() -> None:
    probe = unknown("race")
    assert (probe.topic, probe.partition) == ("race.dead_letter", None)
    assert probe.attributes["packet.id"] == "255" == str(probe.content[30])
