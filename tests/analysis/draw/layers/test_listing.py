"""A list of layers: what each is can be read, and no line joins what has no order."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from matplotlib.text import Text

from analysis.analyse import INCHES, Outcome, layer_figures, model
from analysis.draw.layers import listing
from tests.analysis.layer_rows import GPU, conv, conv_sweep, copy, row, run_of

NODES = [
    conv(3, 64),
    conv(3, 64, 64),
    conv(5, 64),
    copy("Relu", 56),
    copy("Relu", 28),
    copy("Transpose", 56),
]
NAMES = [
    "conv 3x3",
    "conv, scales per channel",
    "conv, fused between Q and DQ",
    "QuantizeLinear per tensor",
    "QuantizeLinear per channel",
    "NCHW to NHWC",
]


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """Every other entry of a list, as a quick run has it, in two precisions."""
    rows = []
    for i, (node, name) in enumerate(zip(NODES, NAMES, strict=True)):
        entry = {"sweep": "precision", "over": "layer", "series": node.op, "layer": name}
        rows += [row(node, dtype, x=2.0 * i + 1, **entry) for dtype in ("fp32", "fp16")]
    return model(run_of(*rows, *conv_sweep(("fp16",))))


@pytest.fixture(scope="module")
def picture(outcome: Outcome) -> Any:
    figure = listing.figure(outcome.layer_sweeps[0], outcome.model, GPU, INCHES)
    figure.canvas.draw()
    return figure


def test_every_layer_is_named_beside_its_time(outcome: Outcome, picture: Any) -> None:
    ax = picture.axes[-1]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        f"{i}  {n}" for i, n in enumerate(NAMES, 1)
    ]
    points: set[tuple[float, float]] = set()
    for line in ax.get_lines():
        points.update(zip(line.get_xdata(), line.get_ydata(), strict=True))
    listed = [p for p in outcome.placements if p.layer in NAMES]
    assert points == {(p.seconds, NAMES.index(p.layer)) for p in listed}


def test_every_point_on_the_roofs_has_its_number(picture: Any) -> None:
    numbers = [
        text.get_text() for ax in picture.axes for text in ax.texts if text.get_gid() == "end"
    ]
    assert sorted(numbers) == sorted([str(i) for i in range(1, len(NAMES) + 1)] * 2)


def test_no_line_joins_layers_of_a_list(picture: Any) -> None:
    lines = [
        line
        for ax in picture.axes
        for line in ax.get_lines()
        if "precision/" in str(line.get_gid())
    ]
    assert lines
    assert {line.get_linestyle() for line in lines} == {"None"}


def test_no_word_covers_another_or_leaves_the_picture(picture: Any) -> None:
    texts = list(picture.texts)
    for ax in picture.axes:
        texts += [*ax.texts, *ax.get_yticklabels()]
    level = [text for text in texts if text.get_text().strip() and not text.get_rotation()]
    boxes = [Text.get_window_extent(text) for text in level]
    width, height = picture.get_size_inches() * picture.dpi
    assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= width and b.y1 <= height for b in boxes)
    assert not [
        (a, b)
        for a, b in combinations(boxes, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
    ]


def test_only_a_list_is_drawn_as_a_list(outcome: Outcome) -> None:
    figures = layer_figures(outcome)
    drawn = {sweep.name: figures[sweep.file].func.__module__ for sweep in outcome.layer_sweeps}  # type: ignore[attr-defined]
    assert drawn == {
        "precision": "analysis.draw.layers.listing",
        "conv-kernel": "analysis.draw.layers.sweep",
    }
