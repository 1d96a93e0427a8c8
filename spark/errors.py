"""spark.HistoryError: the facts could not be written (a branch of pitlane.errors.PitlaneError).

HistoryError
├── SinkUnavailable   Postgres did not come back in time
├── PortTaken         somebody else has the port of the metrics
├── RebuildFailed     another one runs, or the tables or the raw data changed under it; the history is as before
└── SettingsError     jars or a checkpoint are not where the settings say
"""

import re

from pitlane.errors import PitlaneError


class HistoryError(PitlaneError):
    reason = "history"


class SinkUnavailable(HistoryError):
    reason = "sink_unavailable"


class PortTaken(HistoryError):
    reason = "port_taken"


class SettingsError(HistoryError):
    reason = "settings"


class RebuildFailed(HistoryError):
    reason = "rebuild"


def cause(error: Exception) -> str:
    """The exception that ended a query, out of the tracebacks of two Pythons and a JVM around it."""
    lines = str(error).strip().splitlines()
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Unavailable|Violation)\w*: \S", line)]
    return (named or lines)[0]
