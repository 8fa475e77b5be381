"""The two JSON files of trtexec, as its versions write them: times per layer, and what each layer
is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from probes.importers.layer_row import malformed
from probes.importers.source import Source, source_of
from probes.records.given import shortened
from probes.records.measurement import RidgelineError

TIMES = ("medianMs", "averageMs")
TYPE_KEYS = ("DataType", "Datatype", "Type", "Format/Datatype", "Format")
Layer = Mapping[str, Any]
"""One layer of the engine as trtexec describes it; at least a ``Name``."""


def read_profile(file: Path | Source) -> list[tuple[str, float, int]]:
    """Name, seconds and runs of every layer. The first element counts the runs."""
    source = source_of(file)
    path, data = source.path, source.json
    if not isinstance(data, list):
        raise RidgelineError(
            f"{path} is not a profile of trtexec: no list (--exportProfile writes one)"
        )
    count, rows = 1, []
    for index, element in enumerate(data, 1):
        if not isinstance(element, dict):
            raise malformed(
                path, f"element {index}", f"{shortened(repr(element))} is not an object"
            )
        if "name" in element:
            rows.append(
                (_name(path, index, element["name"]), _seconds(path, index, element, count), count)
            )
        elif type(element.get("count")) is int:
            count = element["count"]
        else:
            raise malformed(path, f"element {index}", "neither a name nor the count of runs")
    if not rows:
        raise RidgelineError(f"{path} names no layer: trtexec ran no inference")
    return rows


def _name(path: Path, index: int, name: Any) -> str:
    if not isinstance(name, str):
        raise malformed(
            path,
            f"element {index}",
            f"its name is {shortened(repr(name))}, not the name of a layer",
        )
    return name


def _seconds(path: Path, index: int, element: Mapping[str, Any], count: int) -> float:
    """The median (TensorRT 8.4 and later), else the average, else the total over the runs."""
    name = next((n for n in (*TIMES, "timeMs") if n in element), None)
    if name is None:
        raise malformed(
            path,
            f"element {index} ({element['name']})",
            f"no time: none of {', '.join(TIMES)}, timeMs",
        )
    value = element[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise malformed(
            path,
            f"element {index} ({element['name']})",
            f"{name} is {shortened(repr(value))}, not a time in ms",
        )
    return value * 1e-3 / (max(count, 1) if name == "timeMs" else 1)


def read_layers(file: Path | Source) -> list[Layer]:
    """Every layer of the engine; one that is a bare name
    (``--profilingVerbosity=layer_names_only``) has a name.

    A tensor that lacks its type or its dimensions has those of the engine's own ``I/O Tensors``
    (TensorRT 11), if it is one of them.
    """
    source = source_of(file)
    path, data = source.path, source.json
    if not isinstance(data, dict) or not isinstance(data.get("Layers"), list):
        raise RidgelineError(f"{path} is not a layer information of trtexec: no list 'Layers'")
    crossing = _crossing(data.get("I/O Tensors"))
    return [_layer(path, index, layer, crossing) for index, layer in enumerate(data["Layers"], 1)]


def _crossing(tensors: Any) -> dict[str, Layer]:
    """The engine's inputs and outputs by name."""
    found = tensors if isinstance(tensors, list) else []
    return {
        each["Name"]: each
        for each in found
        if _is_tensor(each) and isinstance(each.get("Name"), str)
    }


def _layer(path: Path, index: int, layer: Any, crossing: Mapping[str, Layer]) -> Layer:
    named = {"Name": layer} if isinstance(layer, str) else layer
    if not isinstance(named, dict) or not isinstance(named.get("Name"), str):
        raise malformed(path, f"layer {index}", f"{shortened(repr(layer))} has no Name")
    where = f"layer {index} ({named['Name']})"
    for side in ("Inputs", "Outputs"):
        tensors = named.get(side, [])
        if not isinstance(tensors, list) or not all(map(_is_tensor, tensors)):
            raise malformed(path, where, f"{side} are not tensors with Dimensions")
        if tensors:
            named = {**named, side: [_filled(tensor, crossing) for tensor in tensors]}
    for name in ("Weights", "Bias"):
        weights = named.get(name)
        if isinstance(weights, dict) and not _is_size(weights.get("Count", 0)):
            raise malformed(path, where, f"Count of {name} is {shortened(repr(weights['Count']))}")
    for name in ("LayerType", "ParameterType"):
        if not isinstance(named.get(name, ""), str):
            raise malformed(path, where, f"{name} is {shortened(repr(named[name]))}, not text")
    return named


def _filled(tensor: Layer, crossing: Mapping[str, Layer]) -> Layer:
    name = tensor.get("Name")
    return {**crossing[name], **tensor} if isinstance(name, str) and name in crossing else tensor


def _is_tensor(tensor: object) -> bool:
    """An object whose dimensions, if it has any, are whole numbers (-1: dynamic)."""
    shape = tensor.get("Dimensions", []) if isinstance(tensor, dict) else None
    return isinstance(shape, list) and all(
        _is_size(n) or (type(n) is int and n == -1) for n in shape
    )


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0


def type_of(tensor: Layer) -> str:
    """What the information says of the type of a tensor, or of weights, in TensorRT's words.

    ``DataType`` beside ``Format`` in TensorRT 11, both in one before it, ``Type`` of weights.
    """
    return next(
        (
            str(tensor[name])
            for name in TYPE_KEYS
            if isinstance(tensor.get(name), str) and tensor[name]
        ),
        "",
    )


def matched(names: Iterable[str], layers: Sequence[Layer]) -> list[Layer]:
    """The information of each timed layer, of equal names the next one; a bare name where there is
    none.
    """
    found: dict[str, list[Layer]] = {}
    for layer in layers:
        found.setdefault(layer["Name"], []).append(layer)
    return [found[name].pop(0) if found.get(name) else {"Name": name} for name in names]
