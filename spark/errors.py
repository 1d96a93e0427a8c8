"""spark.HistoryError: the facts could not be written (a branch of pitlane.errors.PitlaneError).

HistoryError
├── SinkUnavailable   Postgres did not come back in time
└── SettingsError     jars or a checkpoint are not where the settings say
"""

from pitlane.errors import PitlaneError


class HistoryError(PitlaneError):
    reason = "history"


class SinkUnavailable(HistoryError):
    reason = "sink_unavailable"


class SettingsError(HistoryError):
    reason = "settings"
