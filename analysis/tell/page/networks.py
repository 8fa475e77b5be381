"""The page's section on layers: what each network could gain, and what sweeps over layers show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from analysis.layers.alike import Alike
from analysis.layers.batches import over_batches
from analysis.layers.findings import gains
from analysis.layers.groups import LayerSweep, Network, slug
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
from analysis.outcome import Outcome
from analysis.tell.columns import Column, Row
from analysis.tell.layer_columns import POINTS_OF_SWEEP
from analysis.tell.page.markup import Cell, Head, folded, heading, paragraph, table
from analysis.tell.page.stills import Stills
from analysis.tell.page.tables import cell_of, heads_of, table_of
from analysis.units import percent, si

Compared = tuple[str, Mapping[str, Placement]]
"""A layer, and what it was at each precision."""

PRECISIONS = "precisions"
"""How the name of the picture that compares them ends."""

BATCHES = "batches"
"""How the name of the picture over batch sizes ends."""
GROUPS = 10
"""Identical layers with most to gain that a network's list names."""


def _share(name: str, share: Callable[[Row], float]) -> Column[Row]:
    """A column of shares, which people read in per cent."""
    return Column(name=name, computed=share, text=lambda row: percent(share(row)), number=True)


GAIN_COLUMNS: tuple[Column[Alike], ...] = (
    Column(name="what", computed=lambda group: group.name),
    Column(name="time", computed=lambda group: group.seconds, unit=lambda group: "s", number=True),
    _share("share of time", lambda group: sum(layer.time_share for layer in group.layers)),
    Column(
        name="to gain",
        computed=lambda group: group.headroom_seconds,
        unit=lambda group: "s",
        number=True,
    ),
    Column(name="bound", computed=lambda group: group.longest.bound),
    Column(name="kind of gain", computed=lambda group: group.longest.remark),
)
KIND_COLUMNS: tuple[Column[Kind], ...] = (
    Column(name="family", computed=lambda kind: kind.family),
    Column(name="layers", computed=lambda kind: kind.layers, number=True),
    Column(name="FLOPs", computed=lambda kind: kind.flops, unit=lambda kind: "FLOP", number=True),
    _share("share of FLOPs", lambda kind: kind.flops_share),
    Column(name="time", computed=lambda kind: kind.seconds, unit=lambda kind: "s", number=True),
    _share("share of time", lambda kind: kind.time_share),
)
UNKNOWN_COLUMNS: tuple[Column[UnknownOperation], ...] = (
    Column(name="op", computed=lambda row: row.op),
    Column(name="layers", computed=lambda row: row.layers, number=True),
    _share("share of time", lambda row: row.time_share),
    Column(name="remark", computed=lambda row: row.remark),
)


def networks_and_sweeps(outcome: Outcome, stills: Stills, most_rows: int) -> str:
    """Each network, its precisions compared, and each sweep over layers; nothing without layers.

    most_rows: layers that a table holds; placements.csv has all.
    """
    parts = [_network(net) for net in outcome.networks]
    comparisons = compared(outcome.placements)
    names = dict.fromkeys(net.name for net in outcome.networks)
    parts += [_precisions(name, comparisons.get(name, [])[:most_rows], stills) for name in names]
    parts += [_batches(model, stills) for model in over_batches(outcome.networks)]
    parts += [_sweep(sweep, stills, most_rows) for sweep in outcome.layer_sweeps]
    return "".join(parts)


def _network(net: Network) -> str:
    """Headline, the layers with most to gain, FLOPs against time, unknown operations."""
    title = f"{net.name}, {net.precision.upper()} on {net.provider}"
    parts = [heading(3, title), paragraph(headline(net))]
    first = gains(net, GROUPS)
    if first:
        parts.append(heading(4, "Most to gain, identical layers together"))
        parts.append(table_of(f"Most to gain in {title}", GAIN_COLUMNS, first))
    parts.append(heading(4, "FLOPs do not predict time"))
    sentence = prediction(net.layers)
    if sentence:
        parts.append(paragraph(sentence))
    parts.append(table_of(f"Kinds of layers in {title}", KIND_COLUMNS, kinds(net.layers)))
    unknown_operations = unknown(net.layers)
    if unknown_operations:
        parts.append(heading(4, "Unknown operations"))
        label = f"Unknown operations in {title}"
        parts.append(table_of(label, UNKNOWN_COLUMNS, unknown_operations))
    return "".join(parts)


def _precisions(name: str, layers: Sequence[Compared], stills: Stills) -> str:
    """The precisions of a network: the picture of their times, and a table layer by layer."""
    content = stills.show(picture_of(name), f"Times of {name} in each precision, by kind of layer")
    if layers:
        precisions: list[str] = []
        for _, at in layers:
            precisions += [precision for precision in at if precision not in precisions]
        title = f"{len(layers)} layers at {len(precisions)} precisions"
        content += folded(title, _comparison(name, layers, precisions))
    if not content:
        return ""
    return heading(3, f"{name}: precisions compared") + content


def _batches(model: str, stills: Stills) -> str:
    """The picture of a network over batch sizes."""
    title = f"{model}: over batch size"
    picture = stills.show(picture_of_batches(model), f"Time, intensity and roof of {title}")
    return heading(3, title) + picture if picture else ""


def _comparison(name: str, layers: Sequence[Compared], precisions: Sequence[str]) -> str:
    """A table of layers with time, roof and gain at each precision."""
    heads = [Head("layer")]
    for precision in precisions:
        words = precision.upper()
        heads += [
            Head(f"{words} time", is_number=True),
            Head(f"{words} roof"),
            Head(f"{words} to gain", is_number=True),
        ]
    rows = []
    for layer, at in layers:
        cells = [Cell(layer)]
        for precision in precisions:
            cells += _time_roof_and_gain(at.get(precision))
        rows.append(cells)
    return table(f"Layers of {name} by precision", heads, rows)


def _time_roof_and_gain(layer: Placement | None) -> list[Cell]:
    """The cells of a layer at one precision; dashes if it did not run so."""
    if layer is None:
        return [Cell("–", ""), Cell("–"), Cell("–", "")]
    return [_seconds(layer.seconds), Cell(layer.roof or "–"), _seconds(layer.headroom_seconds)]


def _seconds(seconds: float | None) -> Cell:
    exact = "" if seconds is None else f"{seconds!r} s"
    return Cell(si(seconds, "s"), exact)


def picture_of(name: str) -> str:
    """Name of the picture that compares the precisions of a network, without ending."""
    return f"network-{slug(name)}-{PRECISIONS}"


def picture_of_batches(model: str) -> str:
    """Name of the picture of a network over batch sizes, without ending."""
    return f"network-{slug(model)}-{BATCHES}"


def _sweep(sweep: LayerSweep, stills: Stills, most_rows: int) -> str:
    """The picture of a sweep, and its points folded away."""
    heads = [Head("series"), Head("type"), Head(sweep.over, is_number=True)]
    heads += heads_of(POINTS_OF_SWEEP)
    rows = []
    for curve in sweep.curves:
        series = sweep.name_of(curve)
        for x, layer in curve.points:
            cells = [Cell(series), Cell(layer.dtype), Cell(f"{x:g}", repr(x))]
            cells += [cell_of(column, layer) for column in POINTS_OF_SWEEP]
            rows.append(cells)
    points = table(f"Points of {sweep.name}", heads, rows[:most_rows])
    picture = stills.show(sweep.file, f"Layers of the sweep {sweep.name} over {sweep.over}")
    return heading(3, sweep.name) + picture + folded(f"{len(rows)} points", points)
