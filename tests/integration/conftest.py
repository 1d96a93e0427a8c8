"""What integration tests share that have a stack of their own, in a fixture `own` of their module."""

import pytest

from pitlane.settings import NifiSettings
from pitlane.stack.stack import Stack


@pytest.fixture(scope="module")
def settings(own: Stack) -> NifiSettings:
    """Where the module's own NiFi is, and Kafka."""
    return own.settings(NifiSettings)
