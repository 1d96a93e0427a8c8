import runpy
from pathlib import Path

import pytest

from f1_packets.glossary import glossary

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "glossary.md"


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")  # this test file imports it too
def test_the_document_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    """If this fails, run `python -m f1_packets.glossary > docs/glossary.md`."""
    runpy.run_module("f1_packets.glossary", run_name="__main__")
    assert capsys.readouterr().out == DOCUMENT.read_text("utf-8")


def test_a_field_that_changed_its_type_has_a_row_for_each() -> None:
    rows = [line for line in glossary().splitlines() if "`cars.engine_temperature_c`" in line]
    assert rows == [
        "| `cars.engine_temperature_c` | `m_engineTemperature` | u16 | 2023–2025 |",
        "| `cars.engine_temperature_c` | `m_engineTemperature` | u8 | 2026 |",
    ]
