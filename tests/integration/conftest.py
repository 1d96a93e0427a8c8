"""What integration tests share."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import dict_row

from pitlane.settings import NifiSettings, SupersetSettings
from pitlane.stack.stack import Stack
from tests.integration.rows import History


@pytest.fixture(scope="module")
def settings(own: Stack) -> NifiSettings:
    """Where the NiFi is of a module that has a stack of its own (fixture `own`), and Kafka."""
    return own.settings(NifiSettings)


@pytest.fixture
def history(database: SupersetSettings) -> Iterator[History]:
    """The database inside one transaction, which is rolled back."""
    with psycopg.connect(database.conninfo("owner"), row_factory=dict_row) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        yield History(connection)
        connection.rollback()
