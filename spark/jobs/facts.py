"""The streaming application's main: `python -m spark.jobs.facts`."""

import sys

from pitlane.errors import PitlaneError
from pitlane.settings import SparkSettings
from spark.stream import run


def main() -> int:
    try:
        run(SparkSettings())
    except PitlaneError as error:
        print(f"{error}. {error.hint}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
