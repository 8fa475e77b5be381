"""The report's section on layers: what each network could gain and where, what sweeps show, and
every placement.

Every table sorts at a click on a column's head: by the exact value behind a cell, which stands in
its ``data-v``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

from analysis.layers.groups import LayerSweep, Network, slug
from analysis.layers.place import ranking
from analysis.layers.placement import Placement, set_of
from analysis.layers.words import compared, headline, kinds, prediction, unknown
from analysis.tell import markup
from analysis.units import percent, short, si, unit_of_operations

Cell = tuple[
    str, float | str | None
]  # what is read, and the exact value (SI base units) it is sorted by; None: unknown
Compared = tuple[str, Mapping[str, Placement]]  # a layer, and what it was at each precision
Column = tuple[str, Callable[[Placement], Cell]]
ALONE = "precisions"  # ending of the name of the picture that compares them


def words(text: str) -> Cell:
    """A cell of text."""
    return text, text


def amount(value: float | None, unit: str) -> Cell:
    """A cell of a number with its unit."""
    return si(value, unit), value


def share(value: float | None) -> Cell:
    """A cell of a share."""
    return percent(value), value


def _plain(value: float | None) -> Cell:
    return ("–" if value is None else short(value)), value


NAME: tuple[Column, ...] = (
    ("layer", lambda p: words(p.layer)),
    ("op", lambda p: words(p.op)),
)
WORK: tuple[Column, ...] = (
    ("FLOPs", lambda p: amount(p.flops, unit_of_operations(p.dtype).removesuffix("/s"))),
    ("bytes", lambda p: amount(p.bytes, "B")),
)
PLACE: tuple[Column, ...] = (
    ("intensity", lambda p: _plain(p.intensity)),
    ("time", lambda p: amount(p.seconds, "s")),
    ("rate", lambda p: amount(p.rate, unit_of_operations(p.dtype))),
    ("bandwidth", lambda p: amount(p.bandwidth, "B/s")),
    ("roof", lambda p: words(p.roof or "–")),
    ("bound", lambda p: words(p.bound or "–")),
    ("share of roof", lambda p: share(p.share)),
    ("to gain", lambda p: amount(p.headroom_seconds, "s")),
)
REMARK: Column = ("remark", lambda p: words(p.remark))
ALL: tuple[Column, ...] = (
    ("network or sweep", lambda p: words(set_of(p))),
    *NAME,
    ("family", lambda p: words(p.family)),
    ("type", lambda p: words(p.dtype)),
    ("provider", lambda p: words(p.provider)),
    *WORK,
    *PLACE,
    ("share of time", lambda p: share(p.time_share)),
    REMARK,
)
FIRST: tuple[Column, ...] = (
    *NAME,
    ("time", lambda p: amount(p.seconds, "s")),
    ("share of time", lambda p: share(p.time_share)),
    ("to gain", lambda p: amount(p.headroom_seconds, "s")),
    ("bound", lambda p: words(p.bound)),
    ("kind of gain", lambda p: words(p.remark)),
)


def section(
    placed: Sequence[Placement],
    networks: Sequence[Network],
    sweeps: Sequence[LayerSweep],
    drawn: Mapping[str, str],
) -> str:
    """The section as HTML; nothing without layers. drawn: pictures as SVG text by the name of their
    file.
    """
    if not placed:
        return ""
    parts = ["<h2>Layers</h2>", _INTRODUCTION]
    parts += [_network(net, drawn) for net in networks]
    tables = compared(placed)
    parts += [
        _precisions(name, tables.get(name, []), drawn)
        for name in dict.fromkeys(net.name for net in networks)
    ]
    parts += [_sweep(sweep, drawn) for sweep in sweeps]
    parts.append(_folded(f"All {len(placed)} placements", of_layers(ALL, placed)))
    return "".join(parts)


_INTRODUCTION = (
    '<p class="soft">Share of roof: the least time that the measured roofs allow over the '
    "time measured; to gain: "
    "their difference. A layer's memory roof is the smallest level that holds its data if "
    "it ran warm. Click on a "
    "column's head to sort by it; point at a number for its exact value, in SI base units.</p>"
)


def of_layers(columns: Sequence[Column], layers: Iterable[Placement]) -> str:
    """A table with a row for each of these layers."""
    return table([name for name, _ in columns], [[cell(p) for _, cell in columns] for p in layers])


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table that sorts."""
    return markup.table(head, (map(_cell, row) for row in rows), "sortable")


def _cell(cell: Cell) -> str:
    text, value = cell
    if isinstance(value, str):
        return f"<td>{escape(text)}</td>"
    exact = "" if value is None else repr(float(value))
    return f'<td data-v="{exact}"{f" title={exact!r}" if exact else ""}>{escape(text)}</td>'


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _figure(name: str, drawn: Mapping[str, str]) -> str:
    svg = drawn.get(name, "")
    return f"<figure>{svg[svg.index('<svg') :]}</figure>" if svg else ""


def _network(net: Network, drawn: Mapping[str, str]) -> str:
    """Headline, picture, the ten with most to gain, FLOPs against time, unknown operations."""
    first = ranking(net.layers)
    parts = [
        f"<h3>{escape(net.name)}, {escape(net.precision.upper())} on {escape(net.provider)}</h3>",
        f"<p>{escape(headline(net))}</p>",
        _figure(net.file, drawn),
    ]
    if first:
        parts += [
            f"<h4>Most to gain: {len(first)} of {len(net.layers)} layers</h4>",
            of_layers(FIRST, first),
        ]
    parts += [
        "<h4>FLOPs do not predict time</h4>",
        f"<p>{escape(prediction(net.layers))}</p>",
        _kinds(net),
    ]
    return "".join([*parts, _unknown(net)])


def _kinds(net: Network) -> str:
    rows = [
        (
            words(k.family),
            (str(k.layers), k.layers),
            amount(k.flops, "FLOP"),
            share(k.flops_share),
            amount(k.seconds, "s"),
            share(k.time_share),
        )
        for k in kinds(net.layers)
    ]
    return table(("family", "layers", "FLOPs", "share of FLOPs", "time", "share of time"), rows)


def _unknown(net: Network) -> str:
    rows = [
        (words(op), (str(n), n), share(part), words(why))
        for op, n, part, why in unknown(net.layers)
    ]
    return (
        "<h4>Unknown operations</h4>" + table(("op", "layers", "share of time", "remark"), rows)
        if rows
        else ""
    )


def _precisions(name: str, found: Sequence[Compared], drawn: Mapping[str, str]) -> str:
    """Precisions of one network: the picture of their times, and layer by layer time now, roof and
    gain left.
    """
    picture = _figure(picture_of(name), drawn)
    runs = list(dict.fromkeys(run for _, by_precision in found for run in by_precision))
    head = [
        "layer",
        *(f"{run.upper()} {what}" for run in runs for what in ("time", "roof", "to gain")),
    ]
    rows = [
        [words(layer), *(cell for run in runs for cell in _at(by_precision.get(run)))]
        for layer, by_precision in found
    ]
    told = (
        _folded(f"{len(rows)} layers at {len(runs)} precisions", table(head, rows)) if rows else ""
    )
    return f"<h3>{escape(name)}: precisions compared</h3>{picture}{told}" if picture or told else ""


def picture_of(name: str) -> str:
    """Name of the picture that compares the precisions of a network, without ending."""
    return f"network-{slug(name)}-{ALONE}"


def _at(p: Placement | None) -> list[Cell]:
    if p is None:
        return [("–", None), ("–", "–"), ("–", None)]
    return [amount(p.seconds, "s"), words(p.roof or "–"), amount(p.headroom_seconds, "s")]


def _sweep(sweep: LayerSweep, drawn: Mapping[str, str]) -> str:
    """The picture of a sweep, and its points folded away."""
    points = [(curve, x, p) for curve in sweep.curves for x, p in curve.points]
    columns = (*NAME, *WORK, *PLACE, REMARK)
    head = ["series", "type", sweep.over, *(name for name, _ in columns)]
    rows = [
        [
            words(sweep.name_of(curve)),
            words(p.dtype),
            (f"{x:g}", x),
            *(cell(p) for _, cell in columns),
        ]
        for curve, x, p in points
    ]
    folded = _folded(f"{len(rows)} points", table(head, rows))
    return f"<h3>{escape(sweep.name)}</h3>{_figure(sweep.file, drawn)}{folded}"
