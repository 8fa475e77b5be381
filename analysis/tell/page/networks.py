"""The page's section on layers: what each network could gain, what sweeps show, all placements.

Every table sorts at a click on a column's head: by the exact value behind a cell, which stands in
its ``data-v``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TypeVar

from analysis.layers.groups import LayerSweep, Network, slug
from analysis.layers.place import ranking
from analysis.layers.placement import Placement
from analysis.layers.words import (
    Kind,
    UnknownOperation,
    compared,
    headline,
    kinds,
    prediction,
    unknown,
)
from analysis.tell import markup
from analysis.tell.columns import Column
from analysis.tell.layer_columns import ALL_LAYERS, MOST_TO_GAIN, POINTS_OF_SWEEP
from analysis.units import percent, si

Row = TypeVar("Row")
Cell = tuple[str, float | str | None]
"""What is read, and the exact value (SI base units) that it is sorted by; None: unknown."""
Pictures = Mapping[str, str]
"""SVG text by the name of the picture's file."""
Compared = tuple[str, Mapping[str, Placement]]
"""A layer, and what it was at each precision."""

PRECISIONS = "precisions"
"""How the name of the picture that compares them ends."""
INTRODUCTION = (
    '<p class="soft">Share of roof: the least time that the measured roofs allow over the '
    "time measured; to gain: "
    "their difference. A layer's memory roof is the smallest level that holds its data if "
    "it ran warm. Click on a "
    "column's head to sort by it; point at a number for its exact value, in SI base units.</p>"
)

KIND_COLUMNS: tuple[Column[Kind], ...] = (
    Column(name="family", computed=lambda kind: kind.family),
    Column(name="layers", computed=lambda kind: kind.layers, number=True),
    Column(name="FLOPs", computed=lambda kind: kind.flops, unit=lambda kind: "FLOP", number=True),
    Column(
        name="share of FLOPs",
        computed=lambda kind: kind.flops_share,
        text=lambda kind: percent(kind.flops_share),
        number=True,
    ),
    Column(name="time", computed=lambda kind: kind.seconds, unit=lambda kind: "s", number=True),
    Column(
        name="share of time",
        computed=lambda kind: kind.time_share,
        text=lambda kind: percent(kind.time_share),
        number=True,
    ),
)
UNKNOWN_COLUMNS: tuple[Column[UnknownOperation], ...] = (
    Column(name="op", computed=lambda row: row.op),
    Column(name="layers", computed=lambda row: row.layers, number=True),
    Column(
        name="share of time",
        computed=lambda row: row.time_share,
        text=lambda row: percent(row.time_share),
        number=True,
    ),
    Column(name="remark", computed=lambda row: row.remark),
)


def section(
    layers: Sequence[Placement],
    networks: Sequence[Network],
    sweeps: Sequence[LayerSweep],
    pictures: Pictures,
) -> str:
    """The section as HTML; nothing without layers."""
    if not layers:
        return ""
    parts = ["<h2>Layers</h2>", INTRODUCTION]
    parts += [_network(net, pictures) for net in networks]
    comparisons = compared(layers)
    for name in dict.fromkeys(net.name for net in networks):
        parts.append(_precisions(name, comparisons.get(name, []), pictures))
    parts += [_sweep(sweep, pictures) for sweep in sweeps]
    parts.append(markup.folded(f"All {len(layers)} placements", _table_of(ALL_LAYERS, layers)))
    return "".join(parts)


def _network(net: Network, pictures: Pictures) -> str:
    """Headline, picture, the layers with most to gain, FLOPs against time, unknown operations."""
    title = f"{net.name}, {net.precision.upper()} on {net.provider}"
    parts = [
        f"<h3>{escape(title)}</h3>",
        markup.paragraph(headline(net)),
        _figure(net.file, pictures),
    ]
    first = ranking(net.layers)
    if first:
        parts.append(f"<h4>Most to gain: {len(first)} of {len(net.layers)} layers</h4>")
        parts.append(_table_of(MOST_TO_GAIN, first))
    parts.append("<h4>FLOPs do not predict time</h4>")
    parts.append(markup.paragraph(prediction(net.layers)))
    parts.append(_table_of(KIND_COLUMNS, kinds(net.layers)))
    unknown_operations = unknown(net.layers)
    if unknown_operations:
        parts.append("<h4>Unknown operations</h4>")
        parts.append(_table_of(UNKNOWN_COLUMNS, unknown_operations))
    return "".join(parts)


def _precisions(name: str, layers: Sequence[Compared], pictures: Pictures) -> str:
    """The precisions of a network: the picture of their times, and a table layer by layer."""
    figure = _figure(picture_of(name), pictures)
    if not (figure or layers):
        return ""
    content = figure
    if layers:
        precisions = list(dict.fromkeys(each for _, at in layers for each in at))
        title = f"{len(layers)} layers at {len(precisions)} precisions"
        content += markup.folded(title, _comparison(layers, precisions))
    return f"<h3>{escape(name)}: precisions compared</h3>{content}"


def _comparison(layers: Sequence[Compared], precisions: Sequence[str]) -> str:
    """A table of layers with time, roof and gain at each precision."""
    head = ["layer"]
    for precision in precisions:
        head += [f"{precision.upper()} {what}" for what in ("time", "roof", "to gain")]
    rows = []
    for name, at in layers:
        cells: list[Cell] = [(name, name)]
        for precision in precisions:
            cells += _time_roof_and_gain(at.get(precision))
        rows.append(cells)
    return table(head, rows)


def _time_roof_and_gain(layer: Placement | None) -> list[Cell]:
    """The cells of a layer at one precision; dashes if it did not run so."""
    if layer is None:
        return [("–", None), ("–", "–"), ("–", None)]
    roof = layer.roof or "–"
    return [
        (si(layer.seconds, "s"), layer.seconds),
        (roof, roof),
        (si(layer.headroom_seconds, "s"), layer.headroom_seconds),
    ]


def picture_of(name: str) -> str:
    """Name of the picture that compares the precisions of a network, without ending."""
    return f"network-{slug(name)}-{PRECISIONS}"


def _sweep(sweep: LayerSweep, pictures: Pictures) -> str:
    """The picture of a sweep, and its points folded away."""
    head = ["series", "type", sweep.over, *(column.name for column in POINTS_OF_SWEEP)]
    rows = []
    for curve in sweep.curves:
        series = sweep.name_of(curve)
        for x, layer in curve.points:
            cells: list[Cell] = [(series, series), (layer.dtype, layer.dtype), (f"{x:g}", x)]
            cells += [_cell_of(column, layer) for column in POINTS_OF_SWEEP]
            rows.append(cells)
    points = markup.folded(f"{len(rows)} points", table(head, rows))
    return f"<h3>{escape(sweep.name)}</h3>{_figure(sweep.file, pictures)}{points}"


def _figure(name: str, pictures: Pictures) -> str:
    """The picture of that name; nothing if it was not drawn."""
    svg = pictures.get(name, "")
    return f"<figure>{markup.svg_element(svg)}</figure>" if svg else ""


def _table_of(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> str:
    """A table that sorts, with these columns."""
    head = [column.name for column in columns]
    return table(head, ([_cell_of(column, row) for column in columns] for row in rows))


def _cell_of(column: Column[Row], row: Row) -> Cell:
    text = column.in_words(row)
    return text, column.value(row) if column.number else text


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table that sorts, of these cells."""
    return markup.table(head, ([_markup(cell) for cell in row] for row in rows), "sortable")


def _markup(cell: Cell) -> str:
    """A cell as HTML: a number has its exact value beside it, by which it sorts."""
    text, value = cell
    if isinstance(value, str):
        return f"<td>{escape(text)}</td>"
    if value is None:
        return f'<td data-v="">{escape(text)}</td>'
    exact = repr(float(value))
    return f"<td data-v=\"{exact}\" title='{exact}'>{escape(text)}</td>"
