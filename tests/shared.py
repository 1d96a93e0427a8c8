"""Real recordings, and what lies beside the repository: tests that need what is not there are skipped and say so.

The recordings are also in public: without ../shared they are those of `pitlane samples`, fetched once.
"""

from pathlib import Path

import pytest

from pitlane.samples import SampleError, sample

SHARED = Path(__file__).resolve().parents[2] / "shared"
CAPTURES = SHARED / "captures"
LAYOUTS = SHARED / "spec" / "layouts.json"


def recording(file: str, name: str) -> Path:
    """The one beside the repository, else the public one; a path without a file where neither can be had."""
    path = CAPTURES / file
    if path.is_file():
        return path
    try:
        return sample(name)
    except SampleError:
        return path


TIME_TRIAL = recording("f1_25_time_trial_catalunya.pcap", "time-trial")
RACE_2026 = recording("f1_25_2026pack_race_melbourne.pcap", "race")

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared (layouts.json, single packets)")
needs_recordings = pytest.mark.skipif(
    not (TIME_TRIAL.is_file() and RACE_2026.is_file()),
    reason="needs real recordings: ../shared, or a network to fetch them",
)
