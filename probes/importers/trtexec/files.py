"""The two JSON files of trtexec: the times of layers, and what each layer is."""

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
    seconds = value * 1e-3
    if name == "timeMs":  # the total of all runs
        return seconds / max(count, 1)
    return seconds


def read_layers(file: Path | Source) -> list[Layer]:
    """Every layer of the engine, in its order.

    With ``--profilingVerbosity=layer_names_only`` layers have nothing but a name. A tensor that
    lacks its type or its dimensions has those of the engine's own ``I/O Tensors`` (TensorRT 11), if
    it is one of them.
    """
    source = source_of(file)
    path, data = source.path, source.json
    if not isinstance(data, dict) or not isinstance(data.get("Layers"), list):
        raise RidgelineError(f"{path} is not a layer information of trtexec: no list 'Layers'")
    crossing = _crossing(data.get("I/O Tensors"))
    return [_layer(path, index, layer, crossing) for index, layer in enumerate(data["Layers"], 1)]


def _crossing(tensors: Any) -> dict[str, Layer]:
    """The engine's inputs and outputs by name."""
    if not isinstance(tensors, list):
        return {}
    named = [each for each in tensors if _is_tensor(each) and isinstance(each.get("Name"), str)]
    return {tensor["Name"]: tensor for tensor in named}


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
    """The tensor; what it lacks is taken from the engine's input or output of its name."""
    name = tensor.get("Name")
    if isinstance(name, str) and name in crossing:
        return {**crossing[name], **tensor}
    return tensor


def _is_tensor(tensor: object) -> bool:
    """An object whose dimensions, if it has any, are whole numbers (-1: dynamic)."""
    shape = tensor.get("Dimensions", []) if isinstance(tensor, dict) else None
    return isinstance(shape, list) and all(
        _is_size(n) or (type(n) is int and n == -1) for n in shape
    )


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0


def type_of(tensor: Layer) -> str:
    """The type of a tensor, or of weights, in TensorRT's words; empty if it is not given.

    It is ``DataType`` beside ``Format`` in TensorRT 11, both in one before it, ``Type`` of weights.
    """
    for key in TYPE_KEYS:
        words = tensor.get(key)
        if isinstance(words, str) and words:
            return words
    return ""


def matched(names: Iterable[str], layers: Sequence[Layer]) -> list[Layer]:
    """The description of each timed layer; nothing but the name where there is none.

    Of layers with equal names each is used once, in order.
    """
    waiting: dict[str, list[Layer]] = {}
    for layer in layers:
        waiting.setdefault(layer["Name"], []).append(layer)
    descriptions: list[Layer] = []
    for name in names:
        if waiting.get(name):
            descriptions.append(waiting[name].pop(0))
        else:
            descriptions.append({"Name": name})
    return descriptions
