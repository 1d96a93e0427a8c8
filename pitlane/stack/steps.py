"""Work in steps that need one another: whatever is ready runs side by side, and a person sees each step and its time."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn

Say = Callable[[str], None]


class Step(NamedTuple):
    title: str
    """For people, and the name that other steps need it by."""
    action: Callable[[Say], str | None]
    """Does it; may say what it is at, and returns a few words on what came of it."""
    needs: tuple[str, ...] = ()


def run(steps: Sequence[Step], console: Console, at_once: int = 4) -> None:
    """Runs every step after those that it needs. The first that fails lets those under way end, and is raised."""
    waiting = {step.title: step for step in steps}
    running: dict[Future[None], str] = {}
    done: set[str] = set()
    failure: BaseException | None = None
    with _Display(console) as display, ThreadPoolExecutor(at_once) as pool:
        while waiting or running:
            ready = [step for step in waiting.values() if done.issuperset(step.needs)]
            for step in ready if failure is None else []:
                running[pool.submit(display.follow, waiting.pop(step.title))] = step.title
            if not running:
                if failure is None:
                    raise ValueError(f"steps wait for one another: {', '.join(waiting)}")
                break
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                done.add(running.pop(future))
                failure = failure or future.exception()
    if failure is not None:
        raise failure


class _Display:
    """A spinner a running step on a terminal, lines at begin and end elsewhere; a finished step leaves one line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = SpinnerColumn(), TextColumn("{task.description}"), TextColumn("[dim]{task.fields[at]}")
        self._progress = Progress(*columns, console=console, transient=True)

    def __enter__(self) -> "_Display":
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def follow(self, step: Step) -> None:
        begun = time.monotonic()
        task = self._progress.add_task(step.title, total=None, at="")
        try:
            result = step.action(lambda text: self._say(task, step, text))
        except BaseException as error:
            self._line("red", "✗", step.title, str(error).partition("\n")[0], begun)
            raise
        finally:
            self._progress.remove_task(task)
        self._line("green", "✓", step.title, result or "", begun)

    def _say(self, task: TaskID, step: Step, text: str) -> None:
        self._progress.update(task, at=escape(text))
        if not self._console.is_terminal:
            self._console.print(f"  … {step.title}: {text}", markup=False, highlight=False, soft_wrap=True)

    def _line(self, colour: str, mark: str, title: str, result: str, begun: float) -> None:
        taken = f"{time.monotonic() - begun:.1f} s"
        detail = f" [dim]{escape(result)}[/]" if result else ""
        self._console.print(
            f"  [{colour}]{mark}[/] {escape(title)}{detail} [dim]({taken})[/]", highlight=False, soft_wrap=True
        )
