"""The table of layers beside the roofline, in the order of the plot's data."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.layers.alike import group_of_each
from analysis.layers.placement import Placement
from analysis.tell.columns import Column
from analysis.tell.layer_columns import ALL_LAYERS
from analysis.tell.page.plot import row_name
from analysis.tell.page.tables import table_of
from analysis.tell.page.views import View

WHAT = "what it is"
"""A column of the page alone: what a layer does, by which identical layers are one."""
FIRST_COLUMNS = (
    "layer",
    WHAT,
    "time",
    "share of time",
    "to gain",
    "bound",
    "roof",
    "share of roof",
)
"""What people ask first of a layer; the other columns follow in the order of the file."""


def layers_table(all_views: Sequence[View]) -> str:
    """Every layer of these views; its rows are called as ``plot.row_name`` says."""
    layers = [layer for view in all_views for layer in view.layers]
    names = [row_name(number) for number in range(len(layers))]
    return table_of("Layers", _columns(layers), layers, "layers-table", names)


def _columns(layers: Sequence[Placement]) -> list[Column[Placement]]:
    """All columns of these layers, those that are asked first before the others."""
    groups = group_of_each(layers)
    what: Column[Placement] = Column(name=WHAT, computed=lambda layer: groups[id(layer)].title)
    by_name = {column.name: column for column in (what, *ALL_LAYERS)}
    first = [by_name[name] for name in FIRST_COLUMNS]
    return first + [column for column in ALL_LAYERS if column not in first]
