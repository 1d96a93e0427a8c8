import io
import threading

import pytest
from rich.console import Console

from pitlane.stack.steps import Step, run


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


def test_steps_wait_for_what_they_need_and_run_side_by_side_otherwise(console):
    done, together = [], threading.Barrier(2, timeout=5)

    def step(title, *needs):
        return Step(title, lambda say: done.append(title), needs)

    def meets(title):
        return Step(title, lambda say: (together.wait(), done.append(title)) and "met")

    run([step("last", "a", "b"), meets("a"), meets("b"), step("after all", "last")], console)
    assert sorted(done[:2]) == ["a", "b"]
    assert done[2:] == ["last", "after all"]
    assert "✓ a met" in console.file.getvalue()


def test_a_failure_is_shown_at_once_and_what_needs_it_does_not_run(console):
    done = []

    def fails(say):
        say("trying")
        raise RuntimeError("no such thing\nand more")

    with pytest.raises(RuntimeError):
        run([Step("bad", fails), Step("needs it", lambda say: done.append(1), ("bad",))], console)
    assert done == []
    assert "… bad: trying" in console.file.getvalue()
    assert "✗ bad no such thing (" in console.file.getvalue()


def test_steps_that_wait_for_one_another_are_an_error(console):
    with pytest.raises(ValueError, match="a, b"):
        run([Step("a", lambda say: None, ("b",)), Step("b", lambda say: None, ("a",))], console)
