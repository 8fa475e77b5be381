"""A picture shows what was measured and can be read: these look at lines and boxes."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import pytest
from matplotlib.text import Text

from analysis.draw.labels import in_rows, spread_out, stagger, that_fit
from analysis.draw.naming import equal_roofs
from analysis.draw.roofline import DENSE_WEIGHT, SPARSE_HEADING, figure
from analysis.model.roofline import Roof, Roofline

COMPUTE = [
    ("fp8/wgmma_sp-fp32", 3.4e15),
    ("fp8/wgmma-fp32", 1.9e15),
    ("int8/wgmma-int32", 1.91e15),
    ("fp16/wgmma-fp32", 9.5e14),
    ("bf16/wgmma-fp32", 9.4e14),
    ("tf32/wgmma-fp32", 4.7e14),
    ("fp16/wmma-fp32", 6.5e14),
    ("fp16/mma-fp32", 6.6e14),
    ("fp64/mma", 6.6e13),
    ("int8", 1.33e14),
    ("fp16", 1.31e14),
    ("bf16", 1.305e14),
    ("fp32", 6.6e13),
    ("int32", 3.33e13),
    ("fp64", 3.34e13),
]
CROWDED = Roofline(
    tuple(
        Roof(f"compute/{t}", r, 1.05 * r, "FLOP/s", 0.95)
        for t, r in sorted(COMPUTE, key=lambda c: -c[1])
    ),
    tuple(
        Roof(f"bandwidth/{t}", r, None, "B/s")
        for t, r in (("shared", 3.3e13), ("l2", 9e12), ("dram", 4.6e12))
    ),
)
SIZES = [(8.0, 6.0), (9.0, 5.0), (19.2, 10.8)]


def drawn(model: Roofline, inches: tuple[float, float] = (9.0, 5.0)) -> Any:
    picture = figure(model, "Device", "measured at 1.98 GHz", inches)
    picture.canvas.draw()
    return picture


def test_measured_roofs_are_where_they_were_measured() -> None:
    lines = drawn(CROWDED).axes[0].get_lines()
    solid = {round(line.get_ydata()[-1]) for line in lines if line.get_linestyle() == "-"}
    assert {round(rate) for _, rate in COMPUTE} <= solid
    slope = next(line for line in lines if line.get_gid() == "bandwidth/dram")
    assert all(
        y / x == pytest.approx(4.6e12)
        for x, y in zip(slope.get_xdata(), slope.get_ydata(), strict=True)
    )


def test_theory_is_dashed_and_absent_where_unknown() -> None:
    one = Roofline(
        (Roof("compute/fp32", 1e12, 1.1e12, "FLOP/s"),),
        (Roof("bandwidth/dram", 1e11, None, "B/s"),),
    )
    dashed = [line for line in drawn(one).axes[0].get_lines() if line.get_linestyle() == "--"]
    assert [line.get_ydata()[-1] for line in dashed] == [1.1e12]


def line_of(picture: Any, gid: str) -> list[tuple[float, float]]:
    line = next(line for line in picture.axes[0].get_lines() if line.get_gid() == gid)
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_a_flat_roof_begins_where_the_fastest_memory_reaches_it() -> None:
    (x, y), _ = line_of(drawn(CROWDED), "compute/fp64")
    assert (x, y) == (pytest.approx(3.34e13 / 3.3e13), 3.34e13)


@pytest.mark.parametrize(
    ("model", "tags"),
    [
        (Roofline(CROWDED.compute, ()), [f"compute/{t}" for t, _ in COMPUTE]),
        (Roofline((), CROWDED.bandwidth), ["bandwidth/shared", "bandwidth/l2", "bandwidth/dram"]),
    ],
    ids=["compute only", "bandwidth only"],
)
def test_half_a_model_is_drawn_all_the_same(model: Roofline, tags: list[str]) -> None:
    picture = drawn(model)
    ax = picture.axes[0]
    for tag in tags:
        (x0, _), (x1, y1) = line_of(picture, tag)
        assert (x0, x1) == pytest.approx(ax.get_xlim())
        assert ax.get_ylim()[0] < y1 <= ax.get_ylim()[1]
    assert not [t for t in ax.texts if "none can be trusted" in t.get_text()]


def test_ridge_points_are_marked_and_written_out() -> None:
    picture = drawn(CROWDED)
    ridges = {f"{rate / 4.6e12:.3g}" for _, rate in COMPUTE}
    marks = [line for line in picture.axes[0].get_lines() if line.get_gid() == "ridge"]
    assert {f"{line.get_xdata()[0]:.3g}" for line in marks} == ridges
    written = ridges_written(picture)
    assert written["FP64"] == f"{3.34e13 / 4.6e12:.3g}"
    assert written["FP16"] == f"{1.31e14 / 4.6e12:.3g}"
    assert "FP16 matrix" in written
    assert written["FP32"] == f"{6.6e13 / 4.6e12:.3g}"
    assert set(written.values()) <= ridges
    assert f"{3.4e15 / 4.6e12:.3g}" not in written.values()  # sparse: it counts work not done


def ridges_written(picture: Any) -> dict[str, str]:
    """The intensity on the axis, by the precision that it stands under."""
    texts = [text.get_text() for text in picture.axes[0].texts if text.get_gid() == "ridge"]
    lines = [text.split("\n") for text in texts]
    return {" ".join(names): intensity for *names, intensity in lines}


def test_the_ridge_point_of_fp32_is_written_however_crowded_it_is() -> None:
    close = (6.9e13, 6.75e13, 6.6e13, 6.45e13, 6.3e13)
    names = ("fp16", "bf16", "fp32", "tf32", "fp64")
    flats = tuple(
        Roof(f"compute/{name}", rate, None, "FLOP/s")
        for name, rate in zip(names, close, strict=True)
    )
    picture = drawn(Roofline(flats, CROWDED.bandwidth))
    assert ridges_written(picture)["FP32"] == f"{6.6e13 / 4.6e12:.3g}"


def test_the_zones_end_where_memory_meets_the_first_and_the_last_dense_roof() -> None:
    ax = drawn(CROWDED).axes[0]
    left, right = ax.get_xlim()
    spans = sorted((p.get_x(), p.get_x() + p.get_width()) for p in ax.patches)
    assert spans == [
        pytest.approx((left, 3.33e13 / 4.6e12)),
        pytest.approx((1.91e15 / 4.6e12, right)),
    ]
    zones = [text for text in ax.texts if text.get_gid() == "zone"]
    centres = [text.get_window_extent().x0 for text in zones]
    assert [text.get_text().replace("\n", " ") for text in zones] == [
        "memory decides",
        "depends on precision",
        "arithmetic decides",
    ]
    assert centres == sorted(centres)


def test_without_both_kinds_of_roof_nothing_is_said_to_decide() -> None:
    for half in (Roofline(CROWDED.compute, ()), Roofline((), CROWDED.bandwidth)):
        ax = drawn(half).axes[0]
        assert not ax.patches
        assert "zone" not in {text.get_gid() for text in ax.texts}


def test_equal_roofs_share_a_label_and_sparse_ones_stand_apart() -> None:
    texts = [text.get_text() for text in drawn(CROWDED).axes[0].texts]
    assert "FP16 = BF16  131 TFLOP/s · 95.0 %" in texts
    assert "FP16 = BF16 wgmma  950 TFLOP/s · 95.0 %" in texts
    assert "FP64 mma = FP32  66.0 TFLOP/s · 95.0 %" in texts
    assert "FP64 = INT32  33.4 TFLOP/s · 95.0 %" in texts
    assert texts.index(SPARSE_HEADING) < texts.index("FP8 wgmma  3.40 PFLOP/s · 95.0 %")
    (sparse,) = (line for line in drawn(CROWDED).axes[0].get_lines() if is_thin(line))
    assert sparse.get_gid() == "compute/fp8/wgmma_sp-fp32"


def is_thin(line: Any) -> bool:
    """Whether a measured roof is drawn thinner than the others."""
    is_measured = str(line.get_gid()) in {f"compute/{tag}" for tag, _ in COMPUTE}
    return is_measured and line.get_linewidth() < DENSE_WEIGHT


def test_a_device_without_sparse_paths_has_no_word_about_them() -> None:
    dense = tuple(roof for roof in CROWDED.compute if not roof.is_sparse)
    texts = [text.get_text() for text in drawn(Roofline(dense, CROWDED.bandwidth)).axes[0].texts]
    assert SPARSE_HEADING not in texts


@pytest.mark.parametrize("inches", SIZES, ids=str)
def test_both_ridges_of_two_roofs_a_factor_two_apart_are_written(
    inches: tuple[float, float],
) -> None:
    two = (
        Roof("compute/fp32", 6.56e13, 6.69e13, "FLOP/s", 0.98),
        Roof("compute/fp64", 3.35e13, None, "FLOP/s"),
    )
    picture = drawn(
        Roofline(two, (Roof("bandwidth/dram", 4.55e12, 4.81e12, "B/s", 0.945),)), inches
    )
    assert ridges_written(picture) == {"FP64": "7.36", "FP32": "14.4"}


@pytest.mark.parametrize("inches", SIZES, ids=str)
def test_labels_of_roofs_never_collide_and_stay_on_the_page(inches: tuple[float, float]) -> None:
    picture = drawn(CROWDED, inches)
    names = [text for text in picture.axes[0].texts if text.get_gid() == "name"]
    boxes = [
        Text.get_window_extent(t) for t in names
    ]  # of the words alone, without the line that ties them
    assert len(boxes) == len(equal_roofs(CROWDED.compute)) < len(COMPUTE)
    assert not [1 for a, b in combinations(boxes, 2) if a.overlaps(b)]
    page = picture.bbox
    assert all(b.x0 >= 0 and b.x1 <= page.x1 and b.y0 >= 0 and b.y1 <= page.y1 for b in boxes)


@pytest.mark.parametrize("inches", SIZES, ids=str)
def test_no_words_cover_others(inches: tuple[float, float]) -> None:
    picture = drawn(CROWDED, inches)
    ax = picture.axes[0]
    words = [*ax.texts, ax.title, ax.xaxis.label, ax._left_title, *_ticks(ax)]
    level = [text for text in words if text.get_text() and not text.get_rotation()]
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in level]
    assert not [(a, b) for (a, x), (b, y) in combinations(boxes, 2) if x.overlaps(y)]
    page = picture.bbox
    assert not [a for a, x in boxes if x.x0 < 8 or x.x1 > page.x1 - 8 or x.y0 < 0 or x.y1 > page.y1]


@pytest.mark.parametrize("inches", SIZES, ids=str)
def test_names_of_slopes_follow_them_and_keep_apart(inches: tuple[float, float]) -> None:
    close = (Roof("bandwidth/l1", 3.32e13, None, "B/s", 0.99), *CROWDED.bandwidth)
    picture = drawn(Roofline(CROWDED.compute, close), inches)
    ax = picture.axes[0]
    names = [t for t in ax.texts if str(t.get_gid()).endswith("/name")]
    assert len(names) == 4
    (x0, y0), (x1, y1) = ax.transData.transform(line_of(picture, "bandwidth/dram"))
    rise = math.degrees(math.atan2(y1 - y0, x1 - x0))
    assert {round(text.get_rotation(), 3) for text in names} == {round(rise, 3)}
    assert not [(a, b) for a, b in combinations(map(_along, names), 2) if _cover(a, b)]
    assert all(t.get_window_extent().x0 >= ax.bbox.x0 for t in names)


@pytest.mark.parametrize("inches", SIZES, ids=str)
@pytest.mark.parametrize(
    "rates",
    [
        (3.3e13, 3.25e13, 9e12, 6e12, 4.6e12),
        (3.3e13, 3.29e13, 3.28e13, 6e12, 4.6e12),
        (4e15, 8e14, 1e14, 2e13, 4e12),
    ],
    ids=["close pair", "three together", "fast L1"],
)
def test_five_slopes_and_ten_roofs_are_all_named_apart(
    rates: tuple[float, ...], inches: tuple[float, float]
) -> None:
    levels = zip(("shared", "l1", "l2", "l3", "dram"), rates, strict=True)
    slopes = tuple(
        Roof(f"bandwidth/{level}", rate, 1.03 * rate, "B/s", 0.97) for level, rate in levels
    )
    picture = drawn(Roofline(CROWDED.compute[:10], slopes), inches)
    ax = picture.axes[0]
    names = [t for t in ax.texts if str(t.get_gid()).endswith("/name")]
    boxes = [t.get_window_extent() for t in names]
    inside = ax.bbox.expanded(1.001, 1.02)
    assert all(
        inside.x0 <= b.x0 and b.x1 <= inside.x1 and inside.y0 <= b.y0 and b.y1 <= picture.bbox.y1
        for b in boxes
    )
    assert not [(a, b) for a, b in combinations(map(_along, names), 2) if _cover(a, b)]
    for slope in slopes:
        (x0, y0), (x1, y1) = line_of(picture, slope.tag)
        assert x0 < x1 <= ax.get_xlim()[1]
        assert y0 < y1 <= ax.get_ylim()[1]
    marks = [line for line in ax.get_lines() if line.get_gid() == "ridge"]
    ridges = {f"{roof.rate / rates[-1]:.3g}" for roof in CROWDED.compute[:10]}
    assert {f"{mark.get_xdata()[0]:.3g}" for mark in marks} == ridges


def _ticks(ax: Any) -> list[Text]:
    """Labels of the ticks that are in view."""
    left, right = ax.get_xlim()
    return [t.label1 for t in ax.xaxis.get_major_ticks() if left <= t.get_loc() <= right]


def _along(text: Text) -> tuple[float, float, float, float]:
    """The box of a rotated text in axes that are turned with it: left, right, bottom, top."""
    turn = math.radians(text.get_rotation())
    x, y = text.get_transform().transform(text.get_position())
    text.set_rotation(0)
    box = text.get_window_extent()
    along = x * math.cos(turn) + y * math.sin(turn)
    across = y * math.cos(turn) - x * math.sin(turn)
    return along, along + box.width, across, across + box.height


def _cover(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def test_a_run_with_nothing_trustworthy_still_gives_a_picture() -> None:
    texts = [t.get_text() for t in drawn(Roofline((), ())).axes[0].texts]
    assert any("none can be trusted" in text for text in texts)


def test_spread_out_moves_only_what_overlaps() -> None:
    assert spread_out([100, 50, 0], 20) == [100, 50, 0]
    assert spread_out([100, 99, 98], 20) == [119, 99, 79]
    assert spread_out([100, 95, 70, 69], 20) == pytest.approx([113.5, 93.5, 73.5, 53.5])


def test_spread_out_stays_inside_its_bounds() -> None:
    assert spread_out([100, 99, 98], 20, 0, 100) == [100, 80, 60]
    assert spread_out([50, 2, 1], 20, 0, 100) == [50, 20, 0]
    assert spread_out([30, 2, 1], 20, 0, 100) == [40, 20, 0]


def test_stagger_moves_a_label_only_behind_what_it_would_cover() -> None:
    assert stagger([(0, 0), (0, 5), (0, 50)], [100, 100, 100], 10) == [0, 110, 0]


def test_the_outermost_labels_are_shown_first() -> None:
    assert that_fit([10, 12, 50, 90], [20, 20, 20, 20]) == [0, 2, 3]
    assert that_fit([], []) == []
    assert that_fit([10, 12, 50, 90], [20, 20, 20, 20], first=[1]) == [1, 2, 3]


def test_a_label_without_room_stands_in_the_next_row_if_it_covers_no_line_down() -> None:
    lengths = [20.0] * 4
    assert in_rows([10, 15, 25, 90], lengths, [], rows=2) == [[0, 3], [2]]
    assert in_rows([10, 25, 40, 90], lengths, [1], rows=2) == [[1, 3], [0, 2]]


def test_a_slope_close_under_another_is_named_where_there_is_room() -> None:
    slopes = (("l1", 4.0e11), ("l2", 2.2e11), ("l3", 1.8e11), ("dram", 4.8e10))
    flat = (Roof("compute/fp32", 2.3e11, None, "FLOP/s"),)
    picture = drawn(
        Roofline(flat, tuple(Roof(f"bandwidth/{t}", r, None, "B/s") for t, r in slopes))
    )
    ax = picture.axes[0]
    for tag, rate in slopes:
        name = next(text for text in ax.texts if text.get_gid() == f"bandwidth/{tag}/name")
        x, y = name.get_position()
        assert (y < x * rate) == (tag in ("l3", "dram"))
