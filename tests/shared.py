"""Recordings and specifications that lie beside the repository; tests that need them are skipped without."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
CAPTURES = SHARED / "captures"
TIME_TRIAL = CAPTURES / "f1_25_time_trial_catalunya.pcap"
RACE_2026 = CAPTURES / "f1_25_2026pack_race_melbourne.pcap"
LAYOUTS = SHARED / "spec" / "layouts.json"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared (recordings and layouts.json)")
