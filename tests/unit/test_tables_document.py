"""What the tables say of themselves, and that docs/tables.md says it too."""

import runpy
from pathlib import Path

import pytest
from sqlalchemy import Column, Table

from f1_packets import PACKET_NAMES
from postgres import document, tables
from postgres.columns import value
from spark.jobs.pending import KINDS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "tables.md"
TABLES = tables.metadata.sorted_tables
FACTS = [table for table in TABLES if table.schema == "core"]


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")  # this test file imports it too
def test_the_document_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """If this fails, run `python -m postgres.document > docs/tables.md`."""
    runpy.run_module("postgres.document", run_name="__main__")
    assert capsys.readouterr().out == DOCUMENT.read_text("utf-8")


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_every_column_has_a_meaning(table: Table) -> None:
    assert table.comment
    silent = [column.name for column in table.columns if not document.meaning(column)[0]]
    assert silent == []


def test_every_packet_ends_in_a_table() -> None:
    ended = {name for table in FACTS for name in table.info["packets"] if table is not tables.pending_datagram}
    assert ended <= set(PACKET_NAMES.values())
    assert ended == set(PACKET_NAMES.values())


def test_what_waits_for_its_partners_is_no_end() -> None:
    assert set(tables.pending_datagram.info["packets"]) == set(KINDS)


@pytest.mark.parametrize(
    ("comment", "meaning"),
    [
        ("of the race; 1 elsewhere", ("of the race; 1 elsewhere", "")),
        ("the followed car; NULL when not spectating", ("the followed car", "when not spectating")),
        ("in this lap; NULL = restricted", ("in this lap", "restricted")),
        ("NULL = none", ("", "none")),
    ],
)
def test_a_comment_is_a_meaning_and_what_null_means(comment: str, meaning: tuple[str, str]) -> None:
    column: Column[int] = value("x", tables.lap.columns["position"].type, comment)
    assert document.meaning(column) == meaning


def test_views_are_read_from_their_files() -> None:
    views = {view.name: view for view in document.views()}
    made = sum(path.read_text("utf-8").count("CREATE OR REPLACE VIEW") for path in document.VIEWS.glob("*.sql"))
    assert len(views) == made
    assert views["mart.penalty"].reads == ("mart.event", "ref.infringement", "ref.penalty")
    assert views["mart.lap_kind"].columns == ("lap_kind", "what")
    assert views["mart.driver"].columns[4:7] == ("rig", "car_index", "driver_label")
    assert all(view.comment for view in views.values())
