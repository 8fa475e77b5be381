"""One file says how all pictures look, and it is found wherever the program is started."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analysis.draw import roofline, sustained, sweep
from analysis.draw.files import png
from analysis.draw.style import SMALL, STYLE_FILE, in_our_style
from analysis.model.roofline import Roof, Roofline
from analysis.model.sweeps import Line, SweepChart
from probes.records.measurement import Moment
from tests.devices import measurement
from tests.runs import ROOT

ROOFS = Roofline(
    (Roof("compute/fp32", 1e12, None, "FLOP/s"),), (Roof("bandwidth/dram", 1e11, None, "B/s"),)
)
POINTS = tuple(measurement("sweep/bandwidth/stride/read", rate=1e12, x=x) for x in (1.0, 2.0, 4.0))
CHART = SweepChart("bandwidth", "stride", (Line("read", POINTS),))
MOMENTS = [
    Moment(
        schema_version=1,
        device="Device",
        started="2030-01-02T03:04:05Z",
        tag="compute/fp32",
        seconds=float(second),
        rate=1e12,
        clock_hz=1.9e9,
        power_w=300.0,
        temperature_c=None,
    )
    for second in range(3)
]
PICTURES: dict[str, Callable[[], Any]] = {
    "roofline": partial(roofline.figure, ROOFS, "Device", "", (9.6, 5.6)),
    "sweep": partial(
        sweep.figure,
        SweepChart("bandwidth", "stride", (Line("read", POINTS),)),
        "Device",
        (9.6, 4.8),
    ),
    "sustained": partial(sustained.figure, MOMENTS, "Device", "FLOP/s"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_all_pictures_have_one_grid_and_no_frame(name: str) -> None:
    for ax in PICTURES[name]().axes:
        assert not ax.spines["top"].get_visible()
        assert not ax.spines["right"].get_visible()
        lines = [*ax.get_xgridlines(), *ax.get_ygridlines()]
        assert {(line.get_color(), line.get_linewidth()) for line in lines} == {("#E9E9E9", 0.7)}
        assert ax.get_axisbelow() is True


def test_words_are_as_large_as_they_are_reckoned() -> None:
    matplotlib: Any = importlib.import_module("matplotlib")
    with in_our_style():
        assert matplotlib.rcParams["font.size"] == SMALL


def test_the_style_is_found_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = png(PICTURES["roofline"])
    monkeypatch.chdir(tmp_path)
    assert png(PICTURES["roofline"]) == here


@pytest.mark.skipif(not shutil.which("git"), reason="no git here")
def test_the_style_is_in_the_tree() -> None:
    done = subprocess.run(
        ["git", "ls-files", "--error-unmatch", str(STYLE_FILE)], cwd=ROOT, capture_output=True
    )
    if b"not a git repository" in done.stderr:
        pytest.skip("this copy of the program is no git checkout")
    assert done.returncode == 0
