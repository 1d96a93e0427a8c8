"""The JUnit tests of our NAR, in a copy of its sources."""

import re
import shutil
from pathlib import Path

from nifi.runtime import home
from pitlane.stack import maven


def test_junit(tmp_path: Path) -> None:
    build = tmp_path / "extensions"
    shutil.copytree(home.EXTENSIONS, build, ignore=shutil.ignore_patterns("target"))
    log = tmp_path / "maven.log"
    maven.run(build / "pom.xml", "test", log=log)  # raises when a test fails, with the first line that says so
    ran = re.findall(r"Tests run: (\d+), Failures: 0, Errors: 0, Skipped: 0\s*$", log.read_text(), re.MULTILINE)
    assert sum(map(int, ran)) >= 35
