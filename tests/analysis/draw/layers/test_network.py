"""Pictures of layers: every point where it was measured, and no word over another."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text

from analysis.analyse import INCHES, Outcome, model
from analysis.draw.canvas import roofs_and_names
from analysis.draw.labels import width
from analysis.draw.layers import network as layer_plot
from analysis.draw.layers import precisions
from analysis.draw.layers import sweep as layer_sweep
from analysis.draw.layers.axes import in_strip, limits, on_roofline, roofs_of
from analysis.draw.layers.curves import look
from analysis.draw.style import SMALL
from analysis.layers.alike import most_to_gain
from tests.analysis.layer_rows import (
    GPU,
    ROOFS,
    conv,
    conv_sweep,
    copy,
    movement_sweep,
    network,
    row,
    run_of,
)


@cache
def outcome() -> Outcome:
    rows = [
        *network("resnet50"),
        *network("resnet50", "fp32"),
        *network("shufflenet"),
        *conv_sweep(),
        *movement_sweep(),
    ]
    return model(run_of(*rows))


@cache
def drawn(name: str) -> Any:
    """The picture of this file's name."""
    roofs = outcome().model
    networks = {net.file: net for net in outcome().networks}
    sweeps = {sweep.file: sweep for sweep in outcome().layer_sweeps}
    picture: Any
    if name in networks:
        picture = layer_plot.figure(networks[name], roofs, GPU, INCHES)
    else:
        picture = layer_sweep.figure(sweeps[name], roofs, GPU, INCHES)
    picture.canvas.draw()
    return picture


NETWORKS = ("network-resnet50-fp16", "network-resnet50-fp32", "network-shufflenet-fp16")
SWEEPS = ("layers-conv-kernel", "layers-movement")


def words(picture: Any) -> list[Text]:
    """Every text that lies level and can be seen."""
    texts = list(picture.texts)
    for key in picture.legends:
        texts += key.get_texts()
    for ax in picture.axes:
        texts += [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label]
        texts += [*labels_in_sight(ax.xaxis), *labels_in_sight(ax.yaxis)]
    return [text for text in texts if text.get_text().strip() and not text.get_rotation()]


def labels_in_sight(axis: Any) -> list[Text]:
    """Those of the ticks; hidden ones have no label, so that there may be fewer than ticks."""
    low, high = sorted(axis.get_view_interval())
    labels = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=False)
    return [label for place, label in labels if low <= place <= high and label.get_visible()]


@pytest.mark.parametrize("name", [*NETWORKS, *SWEEPS])
def test_no_word_covers_another_or_leaves_the_picture(name: str) -> None:
    picture = drawn(name)
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in words(picture)]
    across, down = picture.get_size_inches() * picture.dpi
    outside = [text for text, b in boxes if b.x0 < 0 or b.y0 < 0 or b.x1 > across or b.y1 > down]
    covering = [
        (text, other)
        for (text, a), (other, b) in combinations(boxes, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
    ]
    assert not outside
    assert not covering


@pytest.mark.parametrize("place", range(3))
def test_every_layer_of_a_network_stands_where_it_was_measured_and_its_area_is_time(
    place: int,
) -> None:
    net = outcome().networks[place]
    strip, main = drawn(net.file).axes
    points = {(p.intensity, p.rate) for p in net.layers if on_roofline(p)}
    moved = [p.bandwidth or 0.0 for p in net.layers if in_strip(p)]
    shown = main.collections[0]
    assert {tuple(spot) for spot in shown.get_offsets().tolist()} == points
    assert sorted(y for _, y in strip.collections[0].get_offsets().tolist()) == pytest.approx(
        sorted(moved)
    )
    assert len(points) > 10
    sizes = shown.get_sizes().tolist()
    assert sizes == sorted(sizes, reverse=True)  # big ones first: none hides a smaller one
    longest = max((p for p in net.layers if on_roofline(p)), key=lambda p: p.seconds)
    expected = min(layer_plot.AREA * longest.time_share, layer_plot.LARGEST_AREA)
    assert sizes[0] == pytest.approx(expected)


def test_the_layers_with_most_to_gain_are_numbered_and_told() -> None:
    net = outcome().networks[0]
    picture = drawn(net.file)
    texts_on_axes = [text for ax in picture.axes for text in ax.texts]
    on_cloud = [text.get_text() for text in texts_on_axes if text.get_gid() == "gain"]
    lines = [text.get_text() for text in picture.texts if text.get_gid() == "gains"]
    groups = most_to_gain(net.layers, 5)
    names = [layer_plot.name_in_few_letters(group) for group in groups]
    assert lines == [f"{number}: {name}" for number, name in enumerate(names, 1)]
    assert sorted(text.partition(":")[0] for text in on_cloud) == ["1", "2", "3", "4", "5"]
    assert set(on_cloud) <= {*lines, "1", "2", "3", "4", "5"}
    assert any(text in lines for text in on_cloud)  # there is room for some names
    assert not [text for text in lines if any(text.endswith(p.layer) for p in net.layers)]


def test_a_line_from_a_name_to_its_point_crosses_no_other_name() -> None:
    for name in NETWORKS:
        for ax in drawn(name).axes:
            texts = [text for text in ax.texts if text.get_gid() == "gain"]
            for text, other in permutations(texts, 2):
                (x0, y0), (x1, y1) = ax.transData.transform([text.xy, text.get_position()])
                box = Text.get_window_extent(other)
                line = [(x0 + (x1 - x0) * i / 50, y0 + (y1 - y0) * i / 50) for i in range(51)]
                assert not [1 for x, y in line if box.x0 < x < box.x1 and box.y0 < y < box.y1]


def test_kinds_differ_in_marker_too() -> None:
    net = outcome().networks[0]
    points = drawn(net.file).axes[1].collections[0]
    placed = sorted(
        (p for p in net.layers if on_roofline(p)), key=lambda p: p.time_share, reverse=True
    )
    shapes: dict[str, set[bytes]] = {}
    for layer, path in zip(placed, points.get_paths(), strict=True):
        shapes.setdefault(layer.family, set()).add(path.vertices.tobytes())
    assert len(shapes) > 2
    assert all(len(of_family) == 1 for of_family in shapes.values())
    assert len(set.union(*shapes.values())) == len(shapes)


@pytest.mark.parametrize("name", [*NETWORKS, *SWEEPS])
def test_every_axis_of_a_roofline_has_a_name_that_covers_nothing(name: str) -> None:
    picture = drawn(name)
    roofline_and_strip = [ax for ax in picture.axes if ax.get_ylabel()]
    with_strip = {"Performance", "Bandwidth"}
    expected = {"Performance"} if name == "layers-conv-kernel" else with_strip
    assert {ax.get_ylabel() for ax in roofline_and_strip} == expected
    others = [Text.get_window_extent(text) for text in words(picture)]
    for ax in roofline_and_strip:
        box = ax.yaxis.label.get_window_extent()
        assert box.x0 >= 0
        assert not [1 for other in others if box.overlaps(other)]


def test_the_longest_names_of_networks_and_devices_stay_on_the_page() -> None:
    net = dataclasses.replace(outcome().networks[0], name="encoder_layer_" * 20)
    device = dataclasses.replace(
        GPU, name="NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition"
    )
    picture = layer_plot.figure(net, outcome().model, device, INCHES)
    picture.canvas.draw()
    across = picture.get_size_inches()[0] * picture.dpi
    title = picture.texts[-3:]
    assert all(text.get_window_extent().x1 < across for text in title)
    assert any("Workstation Edition" in text.get_text() for text in picture.texts)


def test_the_zones_of_a_network_are_named_where_its_roofs_meet() -> None:
    ax = drawn("network-resnet50-fp16").axes[1]
    zones = [text.get_text().replace("\n", " ") for text in ax.texts if text.get_gid() == "zone"]
    assert zones == ["memory decides", "arithmetic decides"]


def test_the_kinds_stand_with_their_share_of_time() -> None:
    net = outcome().networks[2]
    said = [t.get_text() for t in drawn(net.file).texts]
    movement = sum(p.time_share for p in net.layers if p.family == "movement")
    assert f"movement  {100 * movement:.1f} %" in said
    assert "% of it reached" in " ".join(said)


def test_only_roofs_that_bound_a_layer_are_drawn() -> None:
    found = outcome()
    roofs = roofs_of(found.model, GPU, found.networks[0].layers)
    assert [roof.tag for roof in roofs.compute] == ["compute/fp16/wgmma-fp32"]
    assert [roof.tag for roof in roofs.bandwidth] == [
        "bandwidth/l2",
        "bandwidth/dram",
    ]  # no GPU keeps an L1
    gids = {line.get_gid() for line in drawn("network-resnet50-fp16").axes[1].get_lines()}
    assert {
        "compute/fp16/wgmma-fp32/layers",
        "bandwidth/dram/layers",
        "bandwidth/l2/layers",
    } <= gids


def test_a_sweep_joins_its_points_along_x_and_names_the_ends() -> None:
    (ax, *_) = drawn("layers-conv-kernel").axes
    sweep = outcome().layer_sweeps[0]
    curve = next(c for c in sweep.curves if (c.series, c.dtype) == ("dense", "fp16"))
    line = next(line for line in ax.get_lines() if line.get_gid() == "conv-kernel/dense/fp16")
    assert [x for x, _ in curve.points] == [1, 3, 5, 7, 9, 11]
    assert list(line.get_xdata()) == [p.intensity for _, p in curve.points]
    assert list(line.get_ydata()) == [p.rate for _, p in curve.points]
    ends = [t.get_text() for t in ax.texts if t.get_gid() == "end"]
    assert {"1", "11"} == set(ends)


def test_precisions_differ_in_colour_and_series_in_marker() -> None:
    sweep = outcome().layer_sweeps[0]
    looks = {(c.series, c.dtype): look(sweep, c) for c in sweep.curves}
    assert len({look["color"] for look in looks.values()}) == 3
    assert len({look["marker"] for look in looks.values()}) == 2
    one_precision = outcome().layer_sweeps[1]
    colours_of_series = {look(one_precision, c)["color"] for c in one_precision.curves}
    assert len(colours_of_series) == 3


def test_precisions_differ_in_the_filling_of_their_markers_too() -> None:
    sweep = outcome().layer_sweeps[0]
    fillings = {}
    for curve in sweep.curves:
        style = look(sweep, curve)
        fillings[curve.dtype] = style["fillstyle"], style["markerfacecolor"] == "white"
    assert len(set(fillings.values())) == len(fillings) == 3


def test_layers_without_operations_stand_in_the_margin_by_their_bytes() -> None:
    picture = drawn("layers-movement")
    strip = next(ax for ax in picture.axes if ax.get_xlabel() == "no FLOPs")
    names = {line.get_gid() for line in strip.get_lines() if "movement/" in str(line.get_gid())}
    assert names == {"movement/Transpose/fp16", "movement/Reshape/fp16"}
    levels = sorted(t.get_text() for t in strip.texts if t.get_gid() == "level")
    assert levels == ["DRAM 4.70 TB/s", "L2 9.00 TB/s"]
    lines = {line.get_gid(): line for line in strip.get_lines()}
    xs = list(lines["movement/Transpose/fp16"].get_xdata())
    assert xs == sorted(xs)
    assert all(0 < x < 1 for x in xs)


def test_a_sweep_without_any_operations_has_the_strip_only() -> None:
    found = model(run_of(*(each for each in movement_sweep() if each.flops == 0)))
    (sweep,) = found.layer_sweeps
    strip, upper, lower = layer_sweep.figure(sweep, found.model, GPU, INCHES).axes
    assert strip.get_xlabel() == "no FLOPs"
    assert len([line for line in strip.get_lines() if "movement/" in str(line.get_gid())]) == 2
    assert (len(upper.get_lines()), len(lower.get_lines())) == (2, 0)


def test_the_corner_of_the_roofs_is_always_in_sight() -> None:
    found = outcome()
    roofs = roofs_of(found.model, GPU, found.layer_sweeps[0].layers)
    far = [p for p in found.layer_sweeps[0].layers if (p.intensity or 0) > 500]
    left, right, low, high = limits(roofs, far)
    assert left < roofs.compute[-1].rate / roofs.bandwidth[-1].rate < right
    assert low < min(p.rate or 0.0 for p in far) < roofs.compute[0].rate < high
    assert far


def test_time_and_intensity_stand_over_x() -> None:
    upper, lower = drawn("layers-conv-kernel").axes[-2:]
    sweep = outcome().layer_sweeps[0]
    for ax, value in ((upper, "seconds"), (lower, "intensity")):
        for line, curve in zip(ax.get_lines(), sweep.curves, strict=True):
            assert list(line.get_xdata()) == [x for x, _ in curve.points]
            assert list(line.get_ydata()) == [getattr(p, value) for _, p in curve.points]


def test_precisions_of_a_network_are_bars_of_time_now_and_least_time() -> None:
    ((name, nets),) = precisions.several(outcome().networks).items()
    ax = precisions.figure(name, nets, "Device", 9.6).axes[0]
    boxes = [bar.get_extents().transformed(ax.transData.inverted()) for bar in ax.patches]
    bottoms = dict.fromkeys(round(box.y0, 6) for box in boxes)
    times = [[box.width for box in boxes if round(box.y0, 6) == bottom] for bottom in bottoms]
    assert name == "resnet50"
    assert times == [pytest.approx([net.light.seconds, net.light.least_seconds]) for net in nets]
    assert [np.asarray(line.get_xdata())[0] for line in ax.get_lines()] == [
        net.seconds for net in nets
    ]


def test_a_run_without_roofs_is_drawn_all_the_same() -> None:
    run = run_of(*network("resnet50"), *movement_sweep())
    run.measurements = run.measurements[len(run.measurements) - 200 :]
    found = model(run)
    assert not found.model.compute
    for net in found.networks:
        layer_plot.figure(net, found.model, GPU, INCHES).canvas.draw()
    for sweep in found.layer_sweeps:
        layer_sweep.figure(sweep, found.model, GPU, INCHES).canvas.draw()


def numbers(axis: Any) -> list[str]:
    """The labels at the ticks that are in sight."""
    low, high = axis.get_view_interval()
    places = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
    return [
        label.get_text() for place, label in places if low <= place <= high and label.get_text()
    ]


@pytest.mark.parametrize("layers", [("Relu",), ("Relu", "Transpose"), ("Transpose",)])
def test_axes_have_numbers_however_little_they_span(layers: tuple[str, ...]) -> None:
    run = run_of(*(row(copy(op, 56), "fp16", network="small") for op in layers))
    run.measurements = run.measurements[len(ROOFS) :]  # no roof makes any axis longer
    found = model(run)
    picture = layer_plot.figure(found.networks[0], found.model, GPU, INCHES)
    picture.canvas.draw()
    axes_with_numbers = [
        axis
        for ax in picture.axes
        for axis in (ax.yaxis, ax.xaxis)
        if "no FLOPs" not in axis.get_label_text()
    ]
    assert all(len(numbers(axis)) > 1 for axis in axes_with_numbers)


def test_no_point_lies_over_the_name_of_a_slope() -> None:
    nodes = [copy("Relu", 56), *(conv(kernel, 64, 64) for kernel in (1, 3, 5, 7))]
    rows = [row(node, "fp16", network="slope") for node in nodes]
    near_the_slope = [
        dataclasses.replace(each, seconds_median=(each.bytes or 0) / 3.6e12) for each in rows
    ]
    found = model(run_of(*near_the_slope))
    picture = layer_plot.figure(found.networks[0], found.model, GPU, INCHES)
    (ax,) = picture.axes
    spots = ax.transData.transform(ax.collections[0].get_offsets())
    names = [text for text in ax.texts if text.get_text().startswith(("DRAM", "L2"))]
    assert len(names) == 2
    for text in names:
        angle = math.radians(text.get_rotation())
        x, y = ax.transData.transform(text.get_position())
        height = SMALL * 100 / 72
        length = width(text.get_text(), height)
        cosine, sine = math.cos(angle), math.sin(angle)
        for spot_x, spot_y in spots:
            along = (spot_x - x) * cosine + (spot_y - y) * sine
            across = (spot_y - y) * cosine - (spot_x - x) * sine
            assert not (-4 < along < length + 4 and -4 < across < height + 4)


def test_the_level_of_a_memory_is_a_place_where_no_number_may_stand() -> None:
    strip = drawn("layers-movement").axes[0]
    assert strip.get_xlabel() == "no FLOPs"
    for rate in (9e12, 4.7e12):
        (left, height), (right, _) = strip.transData.transform([(0, rate), (1, rate)])
        over = [box for box in roofs_and_names(strip) if box.bottom < height < box.top]
        assert min(box.left for box in over) <= left + 1
        assert max(box.right for box in over) >= right - 1
