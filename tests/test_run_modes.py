"""Runs of one board in several power modes, side by side, from made-up runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.draw.modes import figure
from analysis.modes import compare
from analysis.tell.modes import FEW, sentences
from kernels.device import Device
from probes.records.measurement import Measurement, RidgelineError
from probes.records.run import Run
from tests.devices import GPU, measurement
from tests.runs import main, table

ORIN = replace(GPU, name="Jetson Orin Nano", arch="8.7", features=("integrated", "jetson"))


def row(tag: str, rate: float, watts: float | None) -> Measurement:
    """A row whose load drew this power."""
    good = measurement(tag, rate)
    joules = watts * (good.seconds_median or 0.0) if watts else None
    return replace(good, power_w=watts, joules=joules)


def run_in(
    folder: Path,
    mode: str,
    number: int | None,
    speed: float,
    watts: float | None = None,
    device: Device = ORIN,
    started: str = "2030-01-02T03:04:05Z",
) -> Path:
    """A run in a mode of this name, at a speed from 0 to 1."""
    facts = {"power_mode": mode, "power_mode_id": number, "gpu_clock_cap_hz": 1e9 * speed}
    here = replace(device, facts={key: value for key, value in facts.items() if value})
    tags = ("bandwidth/dram/read", "compute/fp32", "compute/fp16/mma-fp32")
    rows = [row(tag, 1e11 * speed, watts) for tag in tags]
    folder.mkdir()
    Run(here, started, {}, {}, measurements=rows).save(folder)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three modes: twice the speed for three times the power, each."""
    return [
        run_in(tmp_path / "a", "7W", 3, 0.25, 7.0),
        run_in(tmp_path / "b", "15W", 1, 0.5, 15.0),
        run_in(tmp_path / "c", "MAXN_SUPER", 2, 1.0, 45.0),
    ]


def test_which_mode_gives_most_and_which_for_a_watt(runs: list[Path]) -> None:
    comparison = compare(runs)
    assert [mode.number for mode in comparison.modes] == [3, 1, 2]
    assert [roof.name for roof in comparison.roofs] == ["DRAM", "FP16", "FP32"]
    assert sentences(comparison) == [
        "Most: MAXN_SUPER in 3 of 3 roofs.",
        "Most for a watt: 7W in 3 of 3 roofs.",
    ]


def test_the_command_prints_tables_and_leaves_a_picture_and_a_file(
    runs: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "out"
    assert main("--power-modes", *map(str, runs), "--out", str(out)) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Most: MAXN_SUPER")
    assert "100 GB/s " in printed
    assert "GB/s/W" in printed
    assert "250 MHz" in printed
    assert max(map(len, printed.splitlines())) <= 80 or "Open:" in printed.splitlines()[-1]
    (folder,) = (out / "power-modes").iterdir()
    assert (folder / "power-modes.png").stat().st_size > 10_000
    rows = table(folder, "power-modes.csv")
    assert len(rows) == 9
    first = rows[0]
    assert (first["mode"], first["mode_id"], first["roof"]) == ("7W", "3", "DRAM")
    assert float(first["rate"]) == pytest.approx(2.5e10)
    assert float(first["per_watt"]) == pytest.approx(2.5e10 / 7)


def test_modes_without_room_on_a_terminal_are_named_with_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    names = [f"MODE_{watts}W_6CORE" for watts in range(10, 60, 10)]
    folders = [run_in(tmp_path / name, name, 1, 0.5) for name in names]
    assert main("--power-modes", *map(str, folders), "--out", str(tmp_path / "out")) == 0
    printed = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("No room here for") for line in printed) == 1
    assert max(len(line.rstrip()) for line in printed[:-1]) <= 60
    assert "MODE_50W_6CORE: see power-modes.csv." in " ".join(map(str.strip, printed))


def test_the_picture_has_a_panel_of_watts_only_where_they_are_known(tmp_path: Path) -> None:
    plain = [
        run_in(tmp_path / "a", "15W", 1, 0.5),
        run_in(tmp_path / "b", "MAXN", 0, 1.0, 40.0),
    ]
    comparison = compare(plain)
    assert len(figure(comparison).axes) == 1
    assert "Nothing is said of watts" in sentences(comparison)[1]


def test_two_runs_in_one_mode_are_told_apart_and_the_way_to_another_is_named(
    tmp_path: Path,
) -> None:
    both = [
        run_in(tmp_path / "a", "15W", 1, 0.5),
        run_in(tmp_path / "b", "15W", 1, 0.5, started="2030-01-03T09:00:00Z"),
    ]
    comparison = compare(both)
    assert [mode.name for mode in comparison.modes] == [
        "15W 2030-01-02 03:04",
        "15W 2030-01-03 09:00",
    ]
    assert "sudo nvpmodel -m" in sentences(comparison)[-1]


def test_no_two_runs_are_called_the_same(tmp_path: Path) -> None:
    folders = [run_in(tmp_path / name, "15W", 1, 0.5) for name in "abc"]
    names = [mode.name for mode in compare(folders).modes]
    assert names == ["15W 2030-01-02 03:04", "15W 2030-01-02 03:04 (2)", "15W 2030-01-02 03:04 (3)"]


def test_a_roof_that_one_run_lacks_is_unknown_there_and_decides_nothing(tmp_path: Path) -> None:
    full = run_in(tmp_path / "a", "15W", 1, 0.5)
    empty = tmp_path / "b"
    empty.mkdir()
    Run(replace(ORIN, facts={"power_mode": "MAXN"}), "2030-01-02T03:04:05Z", {}, {}).save(empty)
    comparison = compare([full, empty])
    assert comparison.roofs[0].rates == (pytest.approx(5e10), None)
    assert sentences(comparison)[0] == f"Most: {FEW}."


def test_what_cannot_be_compared_is_refused_in_one_line(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RidgelineError, match="two or more"):
        compare(runs[:1])
    with pytest.raises(RidgelineError, match="given twice"):
        compare([runs[0], runs[1], runs[0]])
    other = run_in(tmp_path / "other", "MAXN", 0, 1.0, device=GPU)
    with pytest.raises(RidgelineError, match="give runs of one device"):
        compare([runs[0], other])
    assert main("--power-modes", str(runs[0]), str(tmp_path)) == 2
    assert "is not a run of Ridgeline" in capsys.readouterr().err
    assert main("--power-modes", str(runs[0]), str(runs[1]), "--quick") == 2
    assert "--quick has no effect with --power-modes" in capsys.readouterr().err
