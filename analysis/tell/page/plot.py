"""What the interactive roofline draws and tells, as data: SI base units throughout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from analysis.draw.style import CATEGORIES, colour_of
from analysis.layers.alike import Alike, group_of_each
from analysis.layers.placement import Placement, set_of
from analysis.layers.words import kinds
from analysis.model.ceilings import Ceiling, is_roof, level_of
from analysis.model.roofline import Roofline
from analysis.naming import name_of
from analysis.outcome import Outcome
from analysis.tell.page.markup import clipped
from analysis.tell.page.views import View
from analysis.units import unit_of_operations
from probes.records.measurement import OK, Measurement
from probes.records.run import Run
from probes.records.tag import BANDWIDTH, LAYER, LIBRARY, Tag


def plot_data(outcome: Outcome, all_views: Sequence[View]) -> dict[str, Any]:
    """The roofs, and the layers under them, for the scripts of the page."""
    model = outcome.model
    remarks: dict[str, int] = {}
    layers = _layers(all_views, outcome.run, remarks)
    return {
        "device": outcome.run.device.name,
        "memory": model.memory.tag if model.memory else "",
        "roofs": _roofs(outcome.ceilings.values(), model, outcome.run),
        "views": [_view(view) for view in all_views],
        "layers": layers,
        "remarks": list(remarks),
    }


def row_name(number: int) -> str:
    """Name of a layer's row in the table. number: its place in the views."""
    return f"layer-{number}"


def row_name_of_ceiling(number: int) -> str:
    """Name of a ceiling's row. number: its place among the ceilings."""
    return f"ceiling-{number}"


def _roofs(ceilings: Iterable[Ceiling], model: Roofline, run: Run) -> list[dict[str, Any]]:
    """Every ceiling that draws a roof, by rate, the highest first."""
    main_tags = {roof.tag for roof in (*model.compute, *model.bandwidth)}
    instructions = _instructions(run.measurements)
    roofs = []
    for number, ceiling in enumerate(ceilings):
        if not is_roof(ceiling):
            continue
        tag = Tag.parse(ceiling.tag)
        roofs.append(
            {
                "row": row_name_of_ceiling(number),
                "tag": ceiling.tag,
                "label": name_of(tag),
                "subject": tag.subject,
                "is_memory": tag.quantity == BANDWIDTH,
                "is_main": ceiling.tag in main_tags,
                "is_sparse": tag.is_sparse,
                "is_library": tag.path == LIBRARY,
                "rate": ceiling.rate,
                "peak": ceiling.observed_peak or ceiling.nominal_peak,
                "share": ceiling.share,
                "unit": ceiling.unit,
                "clock": ceiling.clock_hz,
                "spread": ceiling.spread,
                "samples": ceiling.samples,
                "opcode": instructions.get((ceiling.tag, ceiling.rate), ""),
                "remark": clipped(ceiling.remark),
                "colour": "" if tag.quantity == BANDWIDTH else colour_of(tag.subject),
            }
        )
    return sorted(roofs, key=lambda roof: roof["rate"], reverse=True)


def _instructions(rows: Iterable[Measurement]) -> dict[tuple[str, float | None], str]:
    """The opcode of the hot loop by tag and rate: of the tag, and of its level of memory."""
    opcodes: dict[tuple[str, float | None], str] = {}
    for row in rows:
        if not (row.instruction and isinstance(row.tag, Tag)):
            continue
        opcodes[row.ceiling, row.value] = row.instruction
        level = level_of(row.tag)
        if level:
            opcodes[level, row.value] = row.instruction
    return opcodes


def _view(view: View) -> dict[str, Any]:
    """A network or a sweep, with what it took in each precision."""
    families = [kind.family for kind in kinds(view.layers)]
    variations = []
    for variation in view.variations:
        net = variation.network
        variations.append(
            {
                "label": view.label(variation),
                "precision": variation.group.precision,
                "seconds": variation.seconds,
                "least": net.light.least_seconds if net else None,
                "sum": sum(layer.seconds for layer in variation.layers),
            }
        )
    return {
        "name": clipped(view.name),
        "is_network": view.is_network,
        "variations": variations,
        "families": {
            family: CATEGORIES[place % len(CATEGORIES)] for place, family in enumerate(families)
        },
    }


def _layers(all_views: Sequence[View], run: Run, remarks: dict[str, int]) -> list[dict[str, Any]]:
    """Every layer of these views, in their order.

    remarks: takes each remark once, with its place; many layers have the same.
    """
    times: dict[tuple[str, float], Measurement] = {}
    for row in run.measurements:
        if row.quantity == LAYER and row.status == OK and row.seconds_median:
            times[row.params, row.seconds_median] = row
    layers: list[dict[str, Any]] = []
    for place, view in enumerate(all_views):
        for variation_place, variation in enumerate(view.variations):
            place_in_page = {"view": place, "variation": variation_place}
            group_of_layer = group_of_each(variation.layers)
            for layer in variation.layers:
                facts = _layer(layer, group_of_layer[id(layer)])
                timed = times.get((layer.params, layer.seconds))
                spread = timed.spread if timed else None
                layers.append(
                    {
                        "row": row_name(len(layers)),
                        **place_in_page,
                        **facts,
                        "spread": spread,
                        "remark": remarks.setdefault(clipped(layer.remark), len(remarks)),
                    }
                )
    return layers


def _layer(layer: Placement, group: Alike) -> dict[str, Any]:
    """One layer: what it is, what it took, and what its roof allows."""
    least = None
    if layer.headroom_seconds is not None:
        least = layer.seconds - layer.headroom_seconds
    facts: dict[str, Any] = {
        "name": clipped(layer.layer or set_of(layer)),
        "title": clipped(group.title),
        "op": clipped(layer.op),
        "family": layer.family,
        "type": layer.dtype,
        "bound": layer.bound,
        "roof": layer.roof,
        "flops": layer.flops,
        "bytes": layer.bytes,
        "intensity": layer.intensity,
        "seconds": layer.seconds,
        "rate": layer.rate,
        "bandwidth": layer.bandwidth,
        "unit": unit_of_operations(layer.dtype),
        "share": layer.share,
        "least": least,
        "gain": layer.headroom_seconds,
        "part": layer.time_share,
        "trusted": layer.trusted,
        "doubt": clipped(layer.doubt),
    }
    if len(group.layers) > 1:
        facts["alike"] = {
            "name": clipped(group.name),
            "seconds": group.seconds,
            "gain": group.headroom_seconds,
        }
    return facts
