"""What a person reads: few lines, no number without its unit, no word broken, on any terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import rich.console

from analysis.analyse import Outcome, model
from analysis.naming import name_of
from analysis.tell.ceiling_columns import CEILINGS_ON_TERMINAL
from analysis.tell.console import Console
from analysis.units import percent, si
from probes.records.run import read_run
from probes.records.tag import Tag
from tests.analysis.layer_rows import network, run_of
from tests.analysis.tell.standing import STANDING, Standing
from tests.devices import CPU, measurement

H200 = Path("results/reference/nvidia-h200")
REASON = "out[17] is 3.0, should be 4.0 " * 4


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    lost = measurement("compute/fp64", status="failed", reason=REASON)
    return model(run_of(*network("squeezenet", whole=None), lost))


@pytest.fixture(scope="module")
def h200() -> Outcome:
    return model(read_run(H200))


def shown(outcome: Outcome, columns: int, everything: bool = False) -> list[str]:
    """Lines of the result on a terminal of so many columns."""
    out = io.StringIO()
    Console(terminal_of(out, columns), everything=everything).result(outcome)
    return out.getvalue().splitlines()


def terminal_of(out: io.StringIO, columns: int) -> rich.console.Console:
    return rich.console.Console(
        file=out, force_terminal=True, width=columns, color_system=None, soft_wrap=True
    )


def test_all_numbers_keep_their_units_in_80_columns(outcome: Outcome) -> None:
    text = "\n".join(shown(outcome, 80, everything=True))
    longest = max(outcome.placements, key=lambda p: p.seconds)
    for number in (si(longest.seconds, "s"), percent(longest.share), "60.0 TFLOP/s", "4.70 TB/s"):
        assert f" {number} " in text
    rate = next(column for column in CEILINGS_ON_TERMINAL if column.name == "measured")
    for ceiling in outcome.ceilings.values():
        assert f" {rate.in_words(ceiling)} " in text


@pytest.mark.parametrize("columns", [200, 120, 80, 60])
def test_no_line_is_wider_than_the_terminal(columns: int, h200: Outcome) -> None:
    for everything in (False, True):
        lines = shown(h200, columns, everything)
        to_copy = [line for line in lines if line.startswith(("Next: ", "Open: "))]
        assert len(to_copy) <= 2
        assert max(len(line) for line in lines if line not in to_copy) <= columns


def test_the_short_table_and_the_answer_each_fit_a_small_terminal(h200: Outcome) -> None:
    lines = shown(h200, 80)
    begin = next(place for place, line in enumerate(lines) if line.startswith("Memory: "))
    table, told = lines[:begin], lines[begin:]
    assert len(table) <= 20
    assert len(told) <= 22
    names = [" ".join(line.split("  ")[0].split()) for line in table]
    for name in ("DRAM", "L2", "FP16 wgmma-fp16", "FP32", "INT8 wgmma-int32"):
        assert name in names


def test_networks_are_told_before_the_device(outcome: Outcome) -> None:
    text = "\n".join(shown(outcome, 120))
    assert text.index("squeezenet on cuda: ") < text.index("Memory: ")


def test_remarks_and_clocks_go_before_theory(h200: Outcome) -> None:
    for columns, present, absent in (
        (120, ("theoretical", "spread", "clock", "remarks"), ()),
        (80, ("theoretical", "share", "spread"), ("remarks",)),
        (60, ("theoretical", "share"), ("remarks", "clock")),
    ):
        head = next(line for line in shown(h200, columns) if "measured" in line)
        assert all(name in head for name in present)
        assert not any(name in head for name in absent)


def test_no_tag_is_split(h200: Outcome) -> None:
    text = "\n".join(shown(h200, 80, everything=True))
    for tag in h200.ceilings:
        assert f" {tag} " in text


def test_numbers_without_room_are_named_with_their_file(outcome: Outcome) -> None:
    said = shown(outcome, 80, everything=True)
    assert "No room here for rate or bandwidth: see placements.csv." in said
    assert not any("No room" in line for line in shown(outcome, 240, everything=True))


def test_why_a_row_failed_is_told_whole_with_remarks_and_without(outcome: Outcome) -> None:
    for columns in (80, 240):
        assert " ".join(shown(outcome, columns)).count("3.0,") == 4


def test_what_cannot_be_trusted_is_marked_and_explained() -> None:
    doubted = measurement("bandwidth/l2/write", trusted=False, doubt="a neighbour was there")
    lines = shown(model(run_of(doubted)), 80)
    assert any(line.startswith(" L2 write (?) ") for line in lines)
    assert "L2 write not trusted: a neighbour was there" in lines


def test_the_page_comes_last_and_its_path_is_not_broken(h200: Outcome) -> None:
    folder = Path("/a-long-folder" * 12)
    h200.folder = folder
    assert shown(h200, 80)[-1] == f"Open: {folder / 'report.html'}"


@pytest.mark.parametrize(
    ("ceiling", "x", "said"),
    [
        ("sweep/bandwidth/working-set/read", 1 << 20, "read over working set, at 1 MiB "),
        ("sweep/transfer/size/h2d-pinned", 1024, "h2d-pinned over size, at 1 KiB "),
        ("sweep/compute/intensity/fp64", 2.25, "fp64 over intensity, at 2.25 "),
        ("bandwidth/dram/read", None, "DRAM read    "),
    ],
)
def test_a_line_of_progress_tells_where_on_its_curve_a_point_lies(
    ceiling: str, x: float | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Console().progress(STANDING) as progress:
        progress.step(measurement(ceiling, x=x or None), STANDING)
    assert said in capsys.readouterr().out


def test_every_point_of_a_curve_has_its_line_and_every_round(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Console().progress(STANDING) as progress:
        for number in (1, 2):
            for x in (1024.0, 2048.0):
                row = measurement("sweep/bandwidth/working-set/read", x=x)
                progress.step(row, Standing(round=number))
    first, at_1k, at_2k, second = capsys.readouterr().out.splitlines()
    assert (first, second) == ("round 1 of 3 · 24 s left", "round 2 of 3 · 24 s left")
    assert " at 1 KiB " in at_1k
    assert " at 2 KiB " in at_2k


def test_a_terminal_shows_the_last_five_results_and_where_the_run_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("analysis.tell.live.REDRAW_SECONDS", 0.0)
    out = io.StringIO()
    console = Console(terminal_of(out, 80))
    console.device(CPU, "asked for")
    with console.progress(STANDING) as progress:
        for n in range(7):
            progress.step(measurement(f"bandwidth/l{n}", 1e9 * (n + 1)), Standing(round=2))
        progress.step(measurement("bandwidth/l9", status="failed", reason="wrong"), STANDING)
    drawn = out.getvalue()
    last = drawn.rpartition("L1 ")[2]
    for n in range(2, 7):
        assert f"L{n} " in drawn
    assert "round 2 of 3 · 24 s left" in drawn
    assert "L0 " not in last
    assert "L9" in drawn and "failed: wrong" in drawn


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    out = io.StringIO()
    with Console(terminal_of(out, 80)).progress(STANDING) as progress:
        progress.step(measurement("bandwidth/dram/copy"), STANDING)
    assert "\x1b" not in out.getvalue()
    assert "DRAM copy" in out.getvalue()


def test_every_tag_has_a_name_of_its_own(h200: Outcome) -> None:
    names = {name_of(Tag.parse(tag)) for tag in h200.ceilings}
    assert len(names) == len(h200.ceilings)
