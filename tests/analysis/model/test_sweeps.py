"""A sweep becomes a picture that shows and names its points, in files and in the report."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import combinations
from math import inf
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text

from analysis.analyse import Outcome, analyse, model
from analysis.draw.sweep import figure
from analysis.model.sweeps import SweepChart
from analysis.tell.report import summary
from kernels.device import Device
from probes.records.measurement import FAILED, Measurement
from probes.records.run import COMPLETE, Run
from probes.records.tag import parse_tag
from tests.analysis.model.test_levels import BANDWIDTH, LATENCY, K, M, cpu, point, read, sweep
from tests.analysis.tell.page.reading import markup_of
from tests.devices import GPU, measurement

DEVICE = cpu(32 * K, M, 32 * M, shared_by=2)
INCHES = [(8.0, 4.0), (9.6, 4.8), (19.2, 10.8)]
INTENSITY = "sweep/compute/intensity/fp32"
OPERATIONS_A_SECOND, BYTES_A_SECOND = 1e12, 1e11
"""The roof over the points of intensity: its ridge is at 10 operations per byte."""


def run_of(device: Device, rows: list[Measurement]) -> Run:
    """A complete run of this device with these rows."""
    return Run(device, "2030-01-02T03:04:05Z", {}, {}, status=COMPLETE, measurements=rows)


def roof(**changed: Any) -> list[Measurement]:
    """The two ceilings of that roof; ``changed``: fields of that of arithmetic."""
    return [
        measurement("compute/fp32", OPERATIONS_A_SECOND, **changed),
        measurement("bandwidth/dram/read", BYTES_A_SECOND),
    ]


def intensity_point(x: float, value: float, **changed: Any) -> Measurement:
    """A point of ``x`` operations per byte that reaches ``value`` operations a second."""
    return replace(point(INTENSITY, x, value), dtype="fp32", **changed)


def intensity_points() -> list[Measurement]:
    """Points that reach 99 % of the roof, but less beside the ridge."""
    shares = {1 / 16: 0.99, 1.0: 0.98, 8.0: 0.91, 16.0: 0.93, 64.0: 0.97, 256.0: 0.99}
    points = []
    for x, share in shares.items():
        attainable = min(OPERATIONS_A_SECOND, x * BYTES_A_SECOND)
        points.append(intensity_point(x, share * attainable))
    return points


def rows() -> list[Measurement]:
    """Sweeps of bandwidth, latency and intensity, and one of an axis that nobody foresaw."""
    of_all_cores = read(16 * M, tag=f"{BANDWIDTH}read")
    twice_as_fast = [replace(row, bytes=2 * (row.bytes or 0)) for row in of_all_cores]
    steps = [(32 * K, 1e-9), (M, 4e-9), (32 * M, 2e-8), (inf, 1e-7)]
    latencies = sweep(LATENCY, steps, 4 * K, 128 * M, 4, 0.02)
    moon_phases = [
        point(f"sweep/transfer/moon-phase/{name}", x, 1e9 * x)
        for name in ("up", "down")
        for x in (1, 2, 4, 8)
    ]
    return [*read(), *twice_as_fast, *latencies, *roof(), *intensity_points(), *moon_phases]


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """What the analysis makes of those rows."""
    return model(run_of(DEVICE, rows()))


def chart(outcome: Outcome, name: str) -> SweepChart:
    """The chart of this name."""
    return next(sweep for sweep in outcome.sweeps if sweep.name == name)


def draw(sweep: SweepChart, inches: tuple[float, float] = (9.6, 4.8)) -> Any:
    """The picture of a chart, laid out."""
    picture = figure(sweep, "Device", inches)
    picture.canvas.draw()
    return picture


def words(picture: Any, gid: str = "") -> list[str]:
    """The texts inside the axes of a picture; ``gid``: only those of this role."""
    return [t.get_text() for t in picture.axes[0].texts if not gid or t.get_gid() == gid]


def test_every_quantity_over_every_axis_is_one_picture(outcome: Outcome) -> None:
    names = [
        "working-set-bandwidth",
        "intensity-compute",
        "working-set-latency",
        "moon-phase-transfer",
    ]
    assert [sweep.name for sweep in outcome.sweeps] == names


def test_every_good_point_is_drawn_and_no_other() -> None:
    failed = replace(point(f"{BANDWIDTH}read", 3 * K, 1e11), status=FAILED)
    outcome = model(run_of(DEVICE, [failed, *rows()]))
    lines = draw(chart(outcome, "working-set-bandwidth")).axes[0].get_lines()
    line = next(line for line in lines if line.get_gid() == "working-set-bandwidth/read")
    points = {(row.x, row.value) for row in rows() if row.ceiling == f"{BANDWIDTH}read"}
    assert set(zip(line.get_xdata(), line.get_ydata(), strict=True)) == points


def test_a_sweep_nobody_foresaw_names_its_own_axis(outcome: Outcome) -> None:
    picture = draw(chart(outcome, "moon-phase-transfer"))
    assert picture.axes[0].get_xlabel() == "Moon phase"
    assert words(picture, "name") == ["up", "down"]


def test_levels_and_reported_sizes_are_named(outcome: Outcome) -> None:
    picture = draw(chart(outcome, "working-set-bandwidth"))
    assert words(picture, "edge") == ["L1 32 KiB", "L2 1 MiB", "L3 16 MiB a core", "L3 32 MiB"]
    assert sorted(text.split()[0] for text in words(picture, "level")) == sorted(
        2 * ["L1", "L2", "L3", "DRAM"]
    )
    assert {"read", "read, one core"} == set(words(picture, "name"))


@pytest.mark.parametrize("inches", [(8.0, 4.0), (6.4, 3.6)], ids=str)
@pytest.mark.parametrize("name", ["working-set-bandwidth", "working-set-latency"])
def test_every_level_is_named_however_small_the_picture(
    outcome: Outcome, name: str, inches: tuple[float, float]
) -> None:
    picture = draw(chart(outcome, name), inches)
    ax = picture.axes[0]
    texts = [t for t in ax.texts if t.get_gid() == "level"]
    assert len(texts) == sum(len(line.levels) for line in chart(outcome, name).lines)
    boxes = [Text.get_window_extent(t) for t in texts]
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]
    assert all(
        ax.bbox.x0 < box.x0 and box.x1 <= ax.bbox.x1 + 1 and box.y1 <= ax.bbox.y1 + 1
        for box in boxes
    )


def test_picture_and_table_show_the_same_cycles() -> None:
    clocks = [3e9, 4e9, 3.9e9, 4.3e9, 4.1e9, 3.8e9, 3.7e9]
    steps = [(32 * K, 1e-9), (inf, 1e-7)]
    chase = sweep(LATENCY, steps, 4 * K, M, 4, 0.02)
    rows = [replace(row, clock_hz=clocks[i % len(clocks)]) for i, row in enumerate(chase)]
    outcome = model(run_of(cpu(32 * K), rows))
    names = words(draw(chart(outcome, "working-set-latency")), "level")
    cycles = [outcome.ceilings[f"latency/{level}"].remark.split(";")[0] for level in ("l1", "dram")]
    assert [text.split(" · ")[1] for text in names] == cycles


def test_latency_is_labelled_in_time_and_in_cycles(outcome: Outcome) -> None:
    picture = draw(chart(outcome, "working-set-latency"))
    names = words(picture, "level")
    assert len(names) == 4
    assert not [t for t in picture.axes[0].texts if t.get_gid() == "level" and t.arrow_patch], (
        "there is room beside each"
    )
    assert all(re.fullmatch(r"\w+ [\d.]+ ns · [\d.]+ cycles", text) for text in names)
    assert "cycles" in outcome.ceilings["latency/dram"].remark


def test_the_worst_gap_to_the_roof_is_in_the_picture_and_in_words(outcome: Outcome) -> None:
    picture = draw(chart(outcome, "intensity-compute"))
    assert "FP32  ≥ 91.0 % · 97.0 %" in words(picture)
    lines = {line.get_gid(): line for line in picture.axes[0].get_lines()}
    roof_line = lines["FP32/roof"]
    corners = list(zip(roof_line.get_xdata(), roof_line.get_ydata(), strict=True))
    assert corners[1] == (pytest.approx(10), pytest.approx(OPERATIONS_A_SECOND))
    sentences = summary(outcome.run, outcome.ceilings, outcome.notes)
    assert (
        "FP32 reaches 91.0 % of its roof at worst (at 8 per byte), 97.0 % outside a factor 2 "
        "of the ridge."
    ) in sentences


@pytest.mark.parametrize("inches", INCHES, ids=str)
@pytest.mark.parametrize(
    "name", ["working-set-bandwidth", "working-set-latency", "intensity-compute"]
)
def test_no_words_cover_others_and_all_stay_on_the_page(
    outcome: Outcome, name: str, inches: tuple[float, float]
) -> None:
    picture = draw(chart(outcome, name), inches)
    ax = picture.axes[0]
    left, right = ax.get_xlim()
    ticks = [t.label1 for t in ax.xaxis.get_major_ticks() if left <= t.get_loc() <= right]
    texts = [t for t in (*ax.texts, ax._left_title, ax.xaxis.label, *ticks) if t.get_text()]
    boxes = [(t.get_text(), Text.get_window_extent(t)) for t in texts]
    pairs = combinations(boxes, 2)
    assert not [(a, b) for (a, a_box), (b, b_box) in pairs if a_box.overlaps(b_box)]
    page = picture.bbox
    for text, box in boxes:
        assert box.x0 >= 0 and box.x1 <= page.x1, text
        assert box.y0 >= 0 and box.y1 <= page.y1, text


def test_files_and_page_hold_every_sweep_the_same_each_time(tmp_path: Path) -> None:
    run_of(DEVICE, rows()).save(tmp_path)
    outcome = analyse(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    for sweep_chart in outcome.sweeps:
        assert before[f"{sweep_chart.name}.png"].startswith(b"\x89PNG")
    page = markup_of(before["report.html"].decode())
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert page.count('role="img"') == 1 + len(outcome.sweeps) == 1 + page.count("<details>")
    analyse(tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def intensity_chart(*points: Measurement) -> SweepChart:
    """The chart of these points under the roof, measured at 2 GHz on a GPU of known theory."""
    outcome = model(run_of(GPU, [*roof(clock_hz=2e9), *points]))
    return chart(outcome, "intensity-compute")


def shares_of(*points: Measurement) -> list[float]:
    """The shares of the roof that these points reach, or those of them that count."""
    (line,) = intensity_chart(*points).lines
    return [round(share, 3) for _, share in line.shares]


def test_a_point_is_held_against_the_roof_at_its_own_clock() -> None:
    under_slope = intensity_point(1, 9e10)
    under_roof = intensity_point(100, 9e11, clock_hz=1.8e9)
    assert shares_of(under_slope, under_roof) == [0.9, 1.0], "memory has a clock of its own"


def test_a_point_is_held_against_the_roof_of_its_own_moment() -> None:
    beside = json.dumps({"beside": {"compute/fp32": 1e12, "bandwidth/dram/read": 5e10}})
    under_slope = intensity_point(1, 5e10, params=beside)
    assert shares_of(under_slope, intensity_point(100, 9e11)) == [1.0, 0.9]


def test_points_that_cannot_be_trusted_are_left_out_and_counted() -> None:
    disturbed = intensity_point(2, 1e10, trusted=False, doubt="other load")
    points = [intensity_point(1, 9e10), disturbed, intensity_point(100, 9e11)]
    assert shares_of(*points) == [0.9, 0.9]
    assert shares_of(disturbed, replace(disturbed, params="", x=4)) == [0.05, 0.025], (
        "where there are no others"
    )
    outcome = model(run_of(GPU, [*roof(), *points]))
    assert any(note.endswith("; 1 point that cannot be trusted left out") for note in outcome.notes)


def test_the_caption_says_of_which_roof_the_shares_are() -> None:
    beside = json.dumps({"beside": {"compute/fp32": 1e12, "bandwidth/dram/read": 5e10}})
    for params, present, absent in (
        ("", "at one clock", "beside"),
        (beside, "timed beside each point", "clock"),
    ):
        points = intensity_point(1, 5e10, params=params), intensity_point(100, 9e11)
        picture = draw(intensity_chart(*points), INCHES[0])
        text = " ".join(words(picture))
        assert present in text
        assert absent not in text
        assert not [t for t in picture.axes[0].texts if t.get_window_extent().x1 > picture.bbox.x1]


def test_points_that_the_shares_leave_out_are_faint() -> None:
    chart_of_four = intensity_chart(
        intensity_point(1, 9e10),
        intensity_point(2, 4.4e11, trusted=False),
        intensity_point(100, 9e11),
        intensity_point(200, 3e12, trusted=False),
    )
    picture = draw(chart_of_four, INCHES[0])
    lines = {line.get_gid(): line for line in picture.axes[0].get_lines()}
    faint = lines["intensity-compute/FP32/left out"]
    assert list(lines["intensity-compute/FP32"].get_xdata()) == [1, 100]
    assert list(faint.get_xdata()) == [2, 200]
    assert faint.get_alpha() < 0.5
    assert not faint.get_linewidth()
    assert "Faint: points that cannot be trusted" in " ".join(words(picture))


def test_the_table_is_ordered_by_quantity_whatever_the_order_of_rows() -> None:
    tags = ["transfer/h2d", "overhead/launch", "latency/l1", "compute/fp32", "bandwidth/dram/read"]
    outcome = model(run_of(DEVICE, [measurement(tag) for tag in tags]))
    quantities = dict.fromkeys(parse_tag(tag).quantity for tag in outcome.ceilings)
    assert list(quantities) == ["bandwidth", "compute", "latency", "overhead", "transfer"]
