"""Whether a neighbour (NiFi, Postgres) is there, logged when that changes, or why, and not for each attempt."""

import time

import structlog

log = structlog.get_logger()


class Neighbour:
    """`state` is unknown, up or down; `since` and `last_error` say when it changed and why."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "unknown"
        self.since = time.time()
        self.last_error = ""
        self.failures = 0
        """Failed attempts since the gateway started."""

    def up(self) -> None:
        if self.state != "up":
            away = {"away_s": round(time.time() - self.since, 1)} if self.state == "down" else {}
            log.info("neighbour up", neighbour=self.name, **away)
            self.state, self.since = "up", time.time()

    def down(self, error: str) -> None:
        """`error` may have several lines; the first says what it is."""
        error = error.strip().split("\n", 1)[0]
        self.failures += 1
        if self.state != "down" or error != self.last_error:
            log.warning("neighbour down", neighbour=self.name, error=error)
        self.last_error = error
        if self.state != "down":
            self.state, self.since = "down", time.time()

    def as_dict(self) -> dict[str, object]:
        return {
            "state": self.state,
            "since": round(self.since, 3),
            "last_error": self.last_error,
            "failures": self.failures,
        }
