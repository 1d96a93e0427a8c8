"""How long to wait before the next attempt: exponential, capped, with jitter so that many do not come at once."""

import random


class Backoff:
    """Yields waits in seconds: between half and all of `first`·2ⁿ, never above `longest`."""

    def __init__(self, first: float, longest: float, rng: random.Random | None = None) -> None:
        self._first = first
        self._longest = longest
        self._rng = rng or random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self._failures = 0

    def wait(self) -> float:
        ceiling = min(self._longest, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return ceiling * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        self._failures = 0
