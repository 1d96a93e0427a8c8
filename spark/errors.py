"""spark.HistoryError: the facts could not be written (a branch of pitlane.errors.PitlaneError).

HistoryError
├── SinkUnavailable   Postgres did not come back in time
├── PortTaken         somebody else has the port of the metrics
└── SettingsError     jars or a checkpoint are not where the settings say
"""

from pitlane.errors import PitlaneError


class HistoryError(PitlaneError):
    reason = "history"


class SinkUnavailable(HistoryError):
    reason = "sink_unavailable"


class PortTaken(HistoryError):
    reason = "port_taken"


class SettingsError(HistoryError):
    reason = "settings"
