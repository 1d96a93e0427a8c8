"""The spool against a plain list, and against every way in which a disk or a process lets it down."""

import errno
import os
import shutil
import struct
import tempfile
import zlib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from udp_gateway import record, segment
from udp_gateway.blocks import Block, BlockKey
from udp_gateway.ledger import Ledger
from udp_gateway.record import Sums
from udp_gateway.spool import Spool
from udp_gateway.tally import SpoolTaken, Tally

KEY = BlockKey(2025, 0, "motion", 1, 4)
JUNK = BlockKey(0, 0, "rejected", 0, 4, "too_short")
LARGE = 2**30


def block(number: int, size: int = 10, datagrams: int = 1, key: BlockKey = KEY) -> Block:
    return Block(key, datagrams, number, number.to_bytes(4, "big") * (size // 4 + 1))


class Drops(Counter[str]):
    """Datagrams dropped, by reason."""

    def __call__(self, sums: Sums, reason: str) -> None:
        assert sums.total > 0
        self[reason] += sums.total


OPEN: list[Spool] = []


@pytest.fixture(autouse=True)
def _closed():
    """No test leaves files open: beyond a thousand of them, select() in pyspark's callback server dies unheard."""
    yield
    while OPEN:
        OPEN.pop().close()


def opened(folder: Path, limit_bytes: int = LARGE, segment_bytes: int = LARGE) -> tuple[Spool, Drops]:
    drops = Drops()
    OPEN.append(Spool(folder, limit_bytes, drops, segment_bytes))
    return OPEN[-1], drops


def put(spool: Spool, *blocks: Block, note: object = None) -> None:
    spool.append(blocks, lambda: note)
    spool.sync()


def drained(spool: Spool) -> list[Block]:
    """Everything that it gives, forgotten."""
    spool.sync()
    found = []
    while spool.batch(1000):
        found += [spooled.block for spooled in spool.forget()]
    return found


def only_file(folder: Path) -> Path:
    (path,) = folder.glob("*.spool")
    return path


# --- the format ---------------------------------------------------------------------------------------------------


def test_the_bytes_of_a_record():
    made = b"".join(record.block(Block(JUNK, 3, 7, b"content"), 5, Sums(40, 2)))
    key = b'[0,0,"rejected",0,4,"too_short",7]'
    payload = len(key).to_bytes(2, "little") + key + b"content"
    head = (
        b"PLR1" + bytes([1, 1]) + struct.pack("<II", 3, len(payload)) + struct.pack("<QQQ", 5, 40, 2)
        + struct.pack("<I", zlib.crc32(payload))
    )  # fmt: skip
    assert made == head + struct.pack("<I", zlib.crc32(head)) + payload
    assert len(head) == 42


def test_a_block_comes_back_whole():
    whole = Block(JUNK, 3, 7, b"content")
    data = b"".join(record.block(whole, 5, Sums(40, 2)))
    (found,) = record.scan(data)
    assert record.read_block(found.payload(data), found.holds.total) == whole
    assert (found.sequence, found.before, found.after) == (5, Sums(40, 2), Sums(40, 5))


def test_files_are_for_their_owner_alone(tmp_path):
    spool, _ = opened(tmp_path)
    put(spool, block(0))
    assert only_file(tmp_path).stat().st_mode & 0o777 == 0o600


# --- giving and forgetting ----------------------------------------------------------------------------------------


def test_blocks_come_in_order_and_again_until_forgotten(tmp_path):
    spool, drops = opened(tmp_path)
    for number in range(0, 6, 2):
        put(spool, block(number), block(number + 1))
    first = list(spool.batch(1))
    assert [spooled.block for spooled in first] == [block(0), block(1)], "a run at least"
    put(spool, block(6))
    assert spool.batch(LARGE) == first
    assert spool.forget() == first
    assert [spooled.block for spooled in spool.batch(LARGE)] == [block(n) for n in range(2, 7)]
    assert spool.waiting == Sums(5, 0)
    spool.forget()
    assert (spool.waiting, spool.bytes, spool.is_empty, spool.batch(LARGE)) == (Sums(), 0, True, [])
    assert not drops


def test_nothing_is_given_before_it_is_on_disk(tmp_path):
    spool, _ = opened(tmp_path)
    spool.append([block(0)], lambda: None)
    assert spool.batch(LARGE) == []
    assert spool.waiting == Sums(1, 0)
    spool.sync()
    assert [spooled.block for spooled in spool.batch(LARGE)] == [block(0)]


def test_ids_go_on_over_restarts(tmp_path):
    spool, _ = opened(tmp_path)
    put(spool, block(0), block(1))
    again, _ = opened(tmp_path)
    put(again, block(2))
    ids = [again.block_id(spooled.sequence) for spooled in again.batch(LARGE) + again.batch(LARGE)[:0]]
    assert ids == [f"{spool.id}-{n:08x}" for n in range(3)]


def test_a_new_spool_has_an_id_of_its_own(tmp_path):
    assert opened(tmp_path / "a")[0].id != opened(tmp_path / "b")[0].id


def test_segments_go_when_their_blocks_are_forgotten(tmp_path):
    spool, drops = opened(tmp_path, segment_bytes=1)
    for number in range(40):
        put(spool, block(number, 10_000))
    assert len(list(tmp_path.glob("*.spool"))) == 6
    assert drained(spool) == [block(n, 10_000) for n in range(40)]
    put(spool, block(40))
    put(spool)
    assert len(list(tmp_path.glob("*.spool"))) == 1
    assert not drops


def test_what_was_forgotten_stays_forgotten_once_something_was_appended(tmp_path):
    spool, _ = opened(tmp_path)
    put(spool, block(0))
    put(spool, block(1))
    spool.batch(1)
    spool.forget()
    assert drained(opened(tmp_path)[0]) == [block(0), block(1)], "not on disk yet: again, under the same id"
    spool.append([], lambda: None)
    assert drained(opened(tmp_path)[0]) == [block(1)]


def test_nothing_new_writes_nothing(tmp_path):
    spool, _ = opened(tmp_path)
    put(spool, block(0), note={"a": 1})
    size = only_file(tmp_path).stat().st_size
    for _ in range(3):
        put(spool, note={"a": 1})
    assert only_file(tmp_path).stat().st_size == size
    put(spool, note={"a": 2})
    assert opened(tmp_path)[0].recovered.note == {"a": 2}


# --- limits ---------------------------------------------------------------------------------------------------------


def test_beyond_the_limit_the_oldest_go_but_never_what_is_out(tmp_path):
    spool, drops = opened(tmp_path, limit_bytes=600_000, segment_bytes=1)
    put(spool, block(0, 50_000))
    out = list(spool.batch(1))
    for number in range(1, 40):
        put(spool, block(number, 50_000))
        assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) <= 600_000 + 50_000
    assert spool.batch(1) == out
    spool.forget()
    left = drained(spool)
    assert left == [block(n, 50_000) for n in range(40 - len(left), 40)]
    assert 5 < len(left) < 13
    assert drops == {"spool_full": 39 - len(left)}


def test_what_was_dropped_is_not_counted_again_after_a_restart(tmp_path):
    spool, drops = opened(tmp_path, limit_bytes=600_000, segment_bytes=1)
    for number in range(40):
        put(spool, block(number, 50_000))
    again, drops_again = opened(tmp_path, limit_bytes=600_000, segment_bytes=1)
    assert len(drained(again)) == 40 - drops["spool_full"]
    assert not drops_again


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_takes_nothing_is_counted_and_survived(tmp_path, monkeypatch, code):
    spool, drops = opened(tmp_path)
    put(spool, block(0))

    def fails(fd, data, real=os.write):
        real(fd, bytes(data)[:5])  # half a record gets through, as it does
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "write", fails)
    put(spool, block(1, datagrams=3))
    monkeypatch.undo()
    put(spool, block(2))
    assert drops == {"spool_failed": 3}
    assert drained(spool) == [block(0), block(2)]
    assert drained(opened(tmp_path)[0]) == [block(0), block(2)]


def test_a_full_disk_costs_the_oldest_first(tmp_path, monkeypatch):
    spool, drops = opened(tmp_path, segment_bytes=1)
    for number in range(20):
        put(spool, block(number, 50_000))
    allowed = sum(path.stat().st_size for path in tmp_path.glob("*.spool"))

    def full(fd, data, real=os.write):
        used = sum(path.stat().st_size for path in tmp_path.glob("*.spool"))
        if used + len(data) > allowed:
            raise OSError(errno.ENOSPC, "no room")
        return real(fd, data)

    monkeypatch.setattr(os, "write", full)
    put(spool, block(20, 50_000))
    assert drops == {"spool_full": 2}
    assert drained(spool) == [block(n, 50_000) for n in range(2, 21)]


def test_a_folder_that_takes_no_new_file_is_a_limit_too(tmp_path, monkeypatch):
    spool, drops = opened(tmp_path, limit_bytes=300_000, segment_bytes=1)
    put(spool, block(0, 50_000))
    monkeypatch.setattr(segment.Segment, "begin", lambda *_: (_ for _ in ()).throw(PermissionError("read-only")))
    for number in range(1, 10):
        put(spool, block(number, 50_000))
    assert only_file(tmp_path).stat().st_size <= 300_000
    monkeypatch.undo()
    put(spool, block(10, 50_000))
    assert drained(spool) == [block(n, 50_000) for n in (0, 1, 2, 3, 4, 10)]
    assert drops == {"spool_failed": 5}


def test_a_folder_that_is_deleted_comes_back(tmp_path):
    spool, drops = opened(tmp_path / "spool", segment_bytes=1)
    put(spool, block(0, 70_000))
    shutil.rmtree(tmp_path / "spool")
    put(spool, block(1, 70_000))
    assert drained(spool) == [block(0, 70_000), block(1, 70_000)], "what is open is still there"
    assert not drops


def test_a_file_full_of_states_gives_way_to_another(tmp_path):
    spool, _ = opened(tmp_path, segment_bytes=1)
    put(spool, block(0))
    for number in range(3000):  # nothing but counts moves: datagrams of menus, or of sources that are shut out
        spool.append([], lambda number=number: {"received": number, "of": "x" * 50})
        if number % 100 == 0:
            spool.sync()
    assert len(list(tmp_path.glob("*.spool"))) in (1, 2)
    put(spool, block(1), note="last")
    again, drops = opened(tmp_path)
    assert (again.id, again.recovered.note) == (spool.id, "last")
    assert drained(again) == [block(0), block(1)]
    assert not drops


def test_a_file_that_cannot_even_be_cut_is_given_up(tmp_path, monkeypatch):
    spool, drops = opened(tmp_path)
    put(spool, block(0))

    def fails(*_):
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(os, "ftruncate", fails)
    monkeypatch.setattr(os, "write", fails)
    put(spool, block(1, datagrams=3))
    monkeypatch.undo()
    put(spool, block(2))
    assert drops == {"spool_failed": 3}
    assert drained(spool) == [block(0), block(2)]
    assert drained(opened(tmp_path)[0]) == [block(0), block(2)]


def test_an_append_that_failed_and_stayed_is_not_given_out_beside_the_next(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(errno.EIO, "gone")

    def writes_and_fails(fd, data, real=os.write):
        real(fd, bytes(data)[:-1])
        raise OSError(errno.EIO, "gone")

    spool, drops = opened(tmp_path)
    put(spool, block(0))
    monkeypatch.setattr(os, "ftruncate", fails)
    monkeypatch.setattr(os, "write", writes_and_fails)
    put(spool, block(1, datagrams=3), block(2, datagrams=5))
    monkeypatch.undo()
    put(spool, block(3))
    again, _ = opened(tmp_path)
    assert again.waiting == Sums(2)
    assert drained(again) == [block(0), block(3)]
    assert drops == {"spool_failed": 8}


def test_blocks_behind_a_cut_state_are_another_run(tmp_path):
    spool, _ = opened(tmp_path)
    put(spool, block(0))
    path = only_file(tmp_path)
    os.truncate(path, path.stat().st_size - 1)  # the state: its block is whole
    spool, _ = opened(tmp_path)
    assert drained(spool) == [block(0)]
    put(spool, block(1))
    again, _ = opened(tmp_path)
    assert again.waiting == Sums(1)
    assert drained(again) == [block(1)]


def test_what_follows_a_deletion_by_others_is_there_after_a_kill(tmp_path):
    spool, _ = opened(tmp_path / "spool")
    put(spool, block(0))
    shutil.rmtree(tmp_path / "spool")
    put(spool, block(1))
    put(spool, block(2), note="noted")
    again, _ = opened(tmp_path / "spool")
    assert again.recovered.note == "noted"
    assert drained(again)[-1] == block(2)


def test_a_file_that_cannot_be_deleted_stops_nothing(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise PermissionError("read-only")

    spool, drops = opened(tmp_path, limit_bytes=300_000, segment_bytes=1)
    monkeypatch.setattr(Path, "unlink", fails)
    for number in range(10):
        put(spool, block(number, 70_000))
    monkeypatch.undo()
    found = drained(spool)
    assert found == [block(n, 70_000) for n in range(10 - len(found), 10)]
    assert drops == {"spool_full": 10 - len(found)}


def test_a_full_disk_gives_back_what_nobody_wants(tmp_path, monkeypatch):
    spool, drops = opened(tmp_path)
    allowed = 100_000

    def full(fd, data, real=os.write):
        if os.fstat(fd).st_size + len(data) > allowed:
            raise OSError(errno.ENOSPC, "no room")
        return real(fd, data)

    monkeypatch.setattr(os, "write", full)
    for number in range(20):
        put(spool, block(number, 30_000))
        assert drained(spool) == [block(number, 30_000)]
    assert not drops
    put(spool, block(20))
    again, _ = opened(tmp_path)
    assert (again.id, drained(again)) == (spool.id, [block(20)])


# --- damage ---------------------------------------------------------------------------------------------------------


def test_a_torn_tail_is_cut_at_every_length(tmp_path):
    spool, _ = opened(tmp_path / "spool")
    put(spool, block(0), note="first")
    whole = only_file(tmp_path / "spool").stat().st_size
    put(spool, block(1), block(2), note="second")
    data = only_file(tmp_path / "spool").read_bytes()
    for size in range(whole, len(data)):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / only_file(tmp_path / "spool").name).write_bytes(data[:size])
        torn, drops = opened(folder)
        assert torn.recovered.note == "first"
        told = list(torn.recovered.unaccounted)
        put(torn, block(9), note="third")
        found = drained(torn)
        assert found == [block(0), *told, block(9)]
        assert told in ([], [block(1)], [block(1), block(2)])
        assert not drops
        assert drained(opened(folder)[0]) == found, "what was cut does not come back"


def test_a_flipped_bit_costs_no_more_than_its_block(tmp_path):
    spool, _ = opened(tmp_path / "spool")
    blocks = [block(n, 20, datagrams=n + 1) for n in range(3)]
    put(spool, *blocks[:2], note="first")
    put(spool, blocks[2], note="second")
    data = only_file(tmp_path / "spool").read_bytes()
    for at in range(len(data)):
        folder = tmp_path / str(at)
        folder.mkdir()
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at % 8)
        (folder / only_file(tmp_path / "spool").name).write_bytes(flipped)
        again, drops = opened(folder)
        found = drained(again)
        assert all(each in blocks for each in found), "never given out as garbage"
        assert len(found) >= 2
        assert sum(each.datagrams for each in found) + drops["spool_damaged"] == 6, "counted exactly"
        shutil.rmtree(folder)


def test_damage_is_counted_once(tmp_path):
    spool, _ = opened(tmp_path)
    put(spool, Block(KEY, 5, 0, b"content"), block(1))
    data = bytearray(only_file(tmp_path).read_bytes())
    data[data.index(b"content")] ^= 1
    only_file(tmp_path).write_bytes(data)
    ledger = Ledger(received=6)

    def drop(sums: Sums, reason: str) -> None:
        ledger.drop(sums, reason)

    again = Spool(tmp_path, LARGE, drop)
    assert len(again.batch(LARGE)) == 1
    again.append([], ledger.note)  # the batch is out, and not forgotten
    third = Spool(tmp_path, LARGE, drop)
    assert ledger.dropped == {}
    assert drained(third) == [block(1)]
    assert ledger.dropped == {"spool_damaged": 5}
    third.append([], ledger.note)
    assert Spool(tmp_path, LARGE, drop).is_empty


def test_a_segment_that_is_gone_is_counted(tmp_path):
    spool, _ = opened(tmp_path, segment_bytes=1)
    for number in range(8):
        put(spool, block(number, 40_000, datagrams=2))
    sorted(tmp_path.glob("*.spool"))[1].unlink()
    again, drops = opened(tmp_path)
    found = drained(again)
    assert found == [block(n, 40_000, datagrams=2) for n in (0, 1, 4, 5, 6, 7)]
    assert drops == {"spool_damaged": 4}


def test_a_file_that_is_no_spool_is_survived(tmp_path):
    (tmp_path / f"{0:016x}.spool").write_bytes(b"PLR1 and then something else entirely" * 10)
    spool, drops = opened(tmp_path)
    put(spool, block(0))
    assert drained(spool) == [block(0)]
    assert not drops


# --- the count of what was received -----------------------------------------------------------------------------------


def test_the_tally_is_left_by_a_process_that_dies(tmp_path):
    child = os.fork()
    if child == 0:
        tally = Tally(tmp_path / "received")
        tally.of("ledger")
        for number in range(1, 1235):
            tally.set(number)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    tally = Tally(tmp_path / "received")
    assert tally.of("ledger") == 1234
    assert tally.of("another") == 0
    tally.close()


def test_one_gateway_a_spool(tmp_path):
    first = Tally(tmp_path / "received")
    with pytest.raises(SpoolTaken) as caught:
        Tally(tmp_path / "received")
    assert "PITLANE_SPOOL" in caught.value.hint
    first.close()
    Tally(tmp_path / "received").close()


# --- any order of things ----------------------------------------------------------------------------------------------


class AgainstAList(RuleBasedStateMachine):
    """What the spool holds is what a list holds, whatever happens in between.

    `held` are the blocks not forgotten; `on_disk` of them a failing machine leaves for certain. `lost` counts blocks
    that a flipped bit or a cut took: they may be missing, in their place, and then they are counted.
    """

    @initialize(segment_bytes=st.sampled_from([1, LARGE]))
    def begin(self, segment_bytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.segment_bytes = segment_bytes
        self.count = self.noted = 0
        self.ever: list[Block] = []
        self.held: list[Block] = []
        self.forgotten: list[Block] = []
        self.noted_forgotten: list[Block] = []
        self.synced = 0
        self.damaged = False
        self.accounted = True
        self.open()

    def open(self) -> None:
        self.spool, self.drops = opened(self.folder, segment_bytes=self.segment_bytes)

    def teardown(self) -> None:
        """Another process opens what is there: every block that was held is given out as it was, or counted."""
        if not hasattr(self, "folder"):
            return
        counted = self.drops.total()
        self.open()
        given = drained(self.spool)
        remaining = iter(self.ever)
        assert all(each in remaining for each in given), "in order, each as it was, none twice"
        held = sum(each.datagrams for each in self.held)
        assert sum(each.datagrams for each in given) + counted + self.drops.total() >= held
        shutil.rmtree(self.folder)

    @rule(sizes=st.lists(st.sampled_from([0, 9, 30_000]), max_size=4))
    def append(self, sizes: list[int]) -> None:
        blocks = [block(self.count + n, size, n + 1, JUNK if size == 9 else KEY) for n, size in enumerate(sizes)]
        self.count += len(blocks)
        self.noted += 1
        self.spool.append(blocks, lambda: self.noted)
        self.held += blocks
        self.ever += blocks
        self.accounted = True
        self.noted_forgotten += self.forgotten
        self.forgotten = []

    @rule()
    def sync(self) -> None:
        self.spool.sync()
        self.synced = len(self.held)
        self.noted_forgotten = []

    @rule(limit=st.sampled_from([1, 50_000, LARGE]))  # what is out stays out, so a limit may not matter
    def take(self, limit: int) -> None:
        given = [spooled.block for spooled in self.spool.batch(limit)]
        assert given or self.damaged or not self.synced
        self.forget(given)

    @rule()
    def take_without_an_answer(self) -> None:
        given = list(self.spool.batch(LARGE))
        assert self.spool.batch(1) == given

    def forget(self, given: list[Block]) -> None:
        before = self.drops.total()
        assert [spooled.block for spooled in self.spool.forget()] == given
        if not given:
            return
        gone = self.held.index(given[-1]) + 1
        if not self.damaged:
            assert given == self.held[:gone]
        assert [each for each in self.held[:gone] if each in given] == given
        missing = sum(each.datagrams for each in self.held[:gone]) - sum(each.datagrams for each in given)
        assert self.damaged or (missing == 0 and self.drops.total() == before)
        self.forgotten += self.held[:gone]
        self.held = self.held[gone:]
        self.synced -= gone

    @rule()
    def kill(self) -> None:
        """The process dies: all that was written is there, and `forget` since the last append is forgotten."""
        if self.damaged:
            return
        self.held = self.forgotten + self.held
        self.forgotten = []
        self.synced = len(self.held)
        self.open()
        assert self.spool.recovered.note == (self.noted or None)
        assert self.accounted == (self.spool.recovered.unaccounted == [])

    @rule(share=st.floats(0, 1))
    def fail(self, share: float) -> None:
        """The machine dies: what was not synced is there in part."""
        if self.damaged or self.spool._unsynced == []:
            return
        last = sorted(self.folder.glob("*.spool"))[-1]
        if self.spool._unsynced[0].path != last:  # a cut in an earlier file is no torn tail
            return
        self.held = self.forgotten + self.held
        certain = len(self.forgotten) + self.synced
        runs = [run for run in self.spool._runs if run.after.sequence > self.spool._synced]
        start = runs[0].start if runs else last.stat().st_size
        os.truncate(last, start + int((last.stat().st_size - start) * share))
        self.open()
        found = [spooled.block for spooled in self.everything()]
        again = [each for each in self.noted_forgotten if each in found]  # the note of it was not on disk yet
        self.held, certain = again + self.held, certain + len(again)
        self.noted_forgotten = []
        assert found == self.held[: len(found)]
        assert len(found) >= certain or not runs
        self.held, self.forgotten, self.synced = self.held[: len(found)], [], len(found)
        self.accounted = self.spool.recovered.unaccounted == []
        self.noted = self.spool.recovered.note or 0
        self.open()

    def everything(self) -> list[segment.Spooled]:
        return [spooled for run in self.spool._runs for spooled in segment.read(run)[0]]

    @rule(share=st.floats(0, 0.999), bit=st.integers(0, 7))
    def flip(self, share: float, bit: int) -> None:
        files = sorted(self.folder.glob("*.spool"))
        files = [path for path in files if path.stat().st_size]
        # What no state follows is a torn tail once its header is damaged: only the gateway's tally tells of it.
        if self.damaged or not files or not self.accounted:
            return
        path = files[int(len(files) * share)]
        data = bytearray(path.read_bytes())
        data[int(len(data) * share)] ^= 1 << bit
        with path.open("r+b") as file:
            file.write(data)
        self.damaged = True

    @invariant()
    def sums(self) -> None:
        if not hasattr(self, "spool"):
            return
        held = sum(each.datagrams for each in self.held)
        junk = sum(each.datagrams for each in self.held if each.key.rejected)
        if not self.damaged:
            assert self.spool.waiting == Sums(held - junk, junk)
            assert self.drops.total() == 0
            assert self.spool.is_empty == (not self.held)
        else:
            assert self.spool.waiting.total <= held


TestAgainstAList = AgainstAList.TestCase
TestAgainstAList.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
