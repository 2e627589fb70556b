"""Text from files and tags, made safe for tables, terminals and pages."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topgenre.report.page import plain as as_markup
from topgenre.text import csv_cell, without_controls

FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\n=1", "=HYPERLINK(0)", "-2+3|cmd"]


@pytest.mark.parametrize("text", FORMULAS)
def test_cells_are_not_formulas(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@given(st.text() | st.floats(allow_nan=False) | st.none() | st.booleans() | st.integers())
def test_cells_keep_all_else(value: object) -> None:
    cell = csv_cell(value)
    if isinstance(value, str):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\n"))
        assert "\r" not in cell
        assert cell.removeprefix("'") == value.replace("\r", "\\r").removeprefix("'")
        row = io.StringIO()
        csv.writer(row).writerow([cell])
    else:
        assert cell is value


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_controls_leave_text_and_pages(text: str) -> None:
    for shown in (without_controls(text), as_markup(text)):
        for c in shown:
            assert unicodedata.category(c) not in ("Cc", "Zl", "Zp")
            assert unicodedata.bidirectional(c) not in (
                *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"),
            )
    kept = [c for c in text if unicodedata.category(c)[0] in "LNPS"]
    assert [c for c in without_controls(text) if unicodedata.category(c)[0] in "LNPS"] == kept
