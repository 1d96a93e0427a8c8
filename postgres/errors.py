"""postgres.DatabaseError: the database could not be set up (a branch of pitlane.errors.PitlaneError)."""

from pitlane.errors import PitlaneError


class DatabaseError(PitlaneError):
    reason = "database"
