"""A narrow terminal shows no number without its unit, and names every column it leaves out."""

from __future__ import annotations

import io

import pytest
import rich.console

from analysis.analyse import Outcome, model
from analysis.tell.ceiling_columns import CEILINGS_ON_TERMINAL
from analysis.tell.console import Console
from analysis.units import percent, si
from tests.analysis.layer_rows import network, run_of
from tests.devices import measurement


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    lost = measurement("compute/fp64", status="failed", reason="out[17] is 3.0, should be 4.0 " * 4)
    return model(run_of(*network("squeezenet", whole=None), lost))


def shown(outcome: Outcome, columns: int) -> list[str]:
    """Lines of the result on a terminal of so many columns."""
    out = io.StringIO()
    terminal = rich.console.Console(
        file=out, force_terminal=True, width=columns, color_system=None, soft_wrap=True
    )
    Console(terminal).result(outcome)
    return out.getvalue().splitlines()


def test_numbers_keep_their_units_in_80_columns(outcome: Outcome) -> None:
    text = "\n".join(shown(outcome, 80))
    longest = max(outcome.placements, key=lambda p: p.seconds)
    for number in (si(longest.seconds, "s"), percent(longest.share), "60.0 TFLOP/s", "4.70 TB/s"):
        assert f" {number} " in text
    for ceiling in outcome.ceilings.values():
        assert f" {CEILINGS_ON_TERMINAL[1].in_words(ceiling)} " in text


def test_no_line_of_a_table_is_wider_than_the_terminal(outcome: Outcome) -> None:
    for columns in (120, 80, 60):
        assert all(len(line) <= columns for line in shown(outcome, columns) if line.startswith(" "))


def test_columns_without_room_are_named_with_their_file(outcome: Outcome) -> None:
    said = shown(outcome, 80)
    assert "No room here for rate or bandwidth: see placements.csv." in said
    assert any(
        line.startswith("No room here for ") and line.endswith(": see ceilings.csv.")
        for line in said
    )
    assert any("remark" in line for line in said)
    assert not any("No room" in line for line in shown(outcome, 240))


def test_why_a_row_failed_is_told_whole(outcome: Outcome) -> None:
    assert " ".join(shown(outcome, 80)).count("3.0,") == 4


@pytest.mark.parametrize(
    ("ceiling", "x", "said"),
    [
        ("sweep/bandwidth/working-set/read", 1 << 20, "working-set/read at 1 MiB "),
        ("sweep/transfer/size/h2d-pinned", 1024, "size/h2d-pinned at 1 KiB "),
        ("sweep/compute/intensity/fp64", 2.25, "intensity/fp64 at 2.25 "),
        ("bandwidth/dram/read", None, "bandwidth/dram/read    "),
    ],
)
def test_a_line_of_progress_tells_where_on_its_curve_a_point_lies(
    ceiling: str, x: float | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Console().progress(1) as progress:
        progress.step(measurement(ceiling, x=x or None))
    assert said in capsys.readouterr().out


def test_every_point_of_a_curve_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().progress(4) as progress:
        for x in (1024.0, 2048.0, 1024.0, 2048.0):
            progress.step(measurement("sweep/bandwidth/working-set/read", x=x))
    first, second = capsys.readouterr().out.splitlines()
    assert " at 1 KiB " in first
    assert " at 2 KiB " in second
