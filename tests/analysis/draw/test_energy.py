"""The picture of energy: every known roof has its curve and its name, inside of the picture."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from matplotlib.text import Text

from analysis.analyse import INCHES
from analysis.draw.energy import figure
from analysis.model.energy import EnergyModel, EnergyRoof

MEMORY = EnergyRoof(tag="bandwidth/dram", unit="B", joules=1.5e-10, watts=480.0)
ROOFS = (
    EnergyRoof(tag="compute/int8/wgmma-int32", unit="OP", joules=3.5e-13, watts=650.0),
    EnergyRoof(tag="compute/fp16/wgmma-fp32", unit="FLOP", joules=7.3e-13, watts=650.0),
    EnergyRoof(tag="compute/bf16/wgmma-fp32", unit="FLOP", joules=7.3e-13, watts=650.0),
    EnergyRoof(tag="compute/fp32", unit="FLOP", joules=9.8e-12, watts=600.0),
)
MODEL = EnergyModel(source="GPU board (NVML, instant)", idle_w=115.0, memory=MEMORY, compute=ROOFS)


def words(picture: Any) -> list[str]:
    """All texts of a figure."""
    (ax,) = picture.axes
    return [text.get_text() for text in (*picture.texts, *ax.texts)]


def lines(picture: Any) -> list[str]:
    """What its lines are, by their gid."""
    (ax,) = picture.axes
    return [str(line.get_gid()) for line in ax.get_lines()]


def test_every_roof_has_its_curve_and_its_price() -> None:
    picture = figure(MODEL, "Made-up GPU", INCHES)
    for roof in ROOFS:
        assert roof.tag in lines(picture)
    texts = words(picture)
    assert "FP32  9.8 pJ/FLOP" in texts
    assert "INT8 wgmma-int32  0.35 pJ/OP" in texts
    assert "DRAM  150 pJ/B" in texts
    assert any("115 W without a load" in text for text in texts)


def test_no_word_leaves_the_picture_and_names_do_not_touch() -> None:
    picture = figure(MODEL, "Made-up GPU", INCHES)
    picture.draw_without_rendering()
    (ax,) = picture.axes
    whole = picture.bbox
    for text in (*picture.texts, *ax.texts, ax.yaxis.label, ax.xaxis.label):
        box = text.get_window_extent()
        assert box.x0 >= whole.x0, text.get_text()
        assert box.x1 <= whole.x1, text.get_text()
    right = ax.bbox.x1
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without the tie of a name
    names = sorted((box for box in boxes if box.x0 > right), key=lambda box: box.y0)
    assert len(names) == len(ROOFS)
    for lower, upper in pairwise(names):
        assert upper.y0 >= lower.y1 - 1


@pytest.mark.parametrize(
    "model",
    [replace(MODEL, idle_w=None), replace(MODEL, memory=None), replace(MODEL, compute=())],
    ids=["idle power unknown", "no memory", "memory alone"],
)
def test_what_is_unknown_draws_no_curve_and_no_error(model: EnergyModel) -> None:
    picture = figure(model, "Made-up GPU", INCHES)
    assert not [gid for gid in lines(picture) if gid in {roof.tag for roof in ROOFS}]
