import multiprocessing
import time

import pytest

from pitlane.stack import tools


def test_installed_once_and_again_when_the_stamp_changes(tmp_path):
    built = []

    def build(part):
        built.append(part)
        (part / "file").write_text(f"build {len(built)}")

    place = tmp_path / "tool"
    for stamp in ("one", "one", "two"):
        assert tools.install(place, stamp, build) == place
    assert len(built) == 2
    assert (place / "file").read_text() == "build 2"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["tool"]


def test_a_failed_install_leaves_what_was_there(tmp_path):
    place = tmp_path / "tool"
    tools.install(place, "one", lambda part: (part / "file").touch())

    def fails(part):
        (part / "half").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        tools.install(place, "two", fails)
    assert tools.is_installed(place, "one")
    assert not (place / "half").exists()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["tool"]


def test_what_a_killed_install_left_is_not_taken_for_a_tool(tmp_path):
    (tmp_path / ".tool-abc").mkdir()
    (tmp_path / "tool").mkdir()  # a folder without a stamp
    place = tools.install(tmp_path / "tool", "one", lambda part: (part / "file").touch())
    assert (place / "file").exists()
    assert not (tmp_path / ".tool-abc").exists()


def _install_slowly(place, builds):
    def build(part):
        with builds.get_lock():
            builds.value += 1
        time.sleep(0.3)

    tools.install(place, "one", build)


def test_two_commands_build_a_tool_once(tmp_path):
    context = multiprocessing.get_context("fork")
    builds = context.Value("i", 0)
    both = [context.Process(target=_install_slowly, args=(tmp_path / "tool", builds)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert builds.value == 1


def test_a_lock_that_does_not_wait(tmp_path):
    with tools.lock(tmp_path / "lock"), pytest.raises(BlockingIOError), tools.lock(tmp_path / "lock", wait=False):
        pass
    with tools.lock(tmp_path / "lock", wait=False):
        pass


def test_fingerprints_tell_apart_where_parts_begin(tmp_path):
    (tmp_path / "file").write_text("b")
    assert tools.fingerprint("a", tmp_path / "file") == tools.fingerprint("a", "b") != tools.fingerprint("ab")
