"""The two JSON files of trtexec, as its versions write them: times per layer, and what each layer is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from probes.harness.records import RidgelineError
from probes.importers.layer_row import malformed, read_json

TIMES = ("medianMs", "averageMs")
Layer = Mapping[str, Any]
"""One layer of the engine as trtexec describes it; at least a ``Name``."""


def read_profile(path: Path) -> list[tuple[str, float, int]]:
    """Name, seconds and runs of every layer. The first element counts the runs."""
    data = read_json(path)
    if not isinstance(data, list):
        raise RidgelineError(f"{path} is not a profile of trtexec: no list (--exportProfile writes one)")
    count, rows = 1, []
    for index, element in enumerate(data, 1):
        if not isinstance(element, dict):
            raise malformed(path, f"element {index}", f"{element!r:.60} is not an object")
        if "name" in element:
            rows.append((_name(path, index, element["name"]), _seconds(path, index, element, count), count))
        elif type(element.get("count")) is int:
            count = element["count"]
        else:
            raise malformed(path, f"element {index}", "neither a name nor the count of runs")
    if not rows:
        raise RidgelineError(f"{path} names no layer: trtexec ran no inference")
    return rows


def _name(path: Path, index: int, name: Any) -> str:
    if not isinstance(name, str):
        raise malformed(path, f"element {index}", f"its name is {name!r}, not the name of a layer")
    return name


def _seconds(path: Path, index: int, element: Mapping[str, Any], count: int) -> float:
    """The median (TensorRT 8.4 and later), else the average, else the total over the runs."""
    name = next((n for n in (*TIMES, "timeMs") if n in element), None)
    if name is None:
        raise malformed(path, f"element {index} ({element['name']})", f"no time: none of {', '.join(TIMES)}, timeMs")
    value = element[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise malformed(path, f"element {index} ({element['name']})", f"{name} is {value!r}, not a time in ms")
    return value * 1e-3 / (max(count, 1) if name == "timeMs" else 1)


def read_layers(path: Path) -> list[Layer]:
    """Every layer of the engine; one that is a bare name (``--profilingVerbosity=layer_names_only``) has a name."""
    data = read_json(path)
    if not isinstance(data, dict) or not isinstance(data.get("Layers"), list):
        raise RidgelineError(f"{path} is not a layer information of trtexec: no list 'Layers'")
    rows: list[Layer] = []
    for index, layer in enumerate(data["Layers"], 1):
        named = {"Name": layer} if isinstance(layer, str) else layer
        if not isinstance(named, dict) or not isinstance(named.get("Name"), str):
            raise malformed(path, f"layer {index}", f"{layer!r:.60} has no Name")
        for side in ("Inputs", "Outputs"):
            tensors = named.get(side, [])
            if not isinstance(tensors, list) or not all(map(_is_tensor, tensors)):
                raise malformed(path, f"layer {index} ({named['Name']})", f"{side} are not tensors with Dimensions")
        for weights in (named.get("Weights"), named.get("Bias")):
            if isinstance(weights, dict) and type(weights.get("Count", 0)) is not int:
                raise malformed(path, f"layer {index} ({named['Name']})", f"Count is {weights['Count']!r}")
        rows.append(named)
    return rows


def _is_tensor(tensor: object) -> bool:
    """An object whose dimensions, if it has any, are whole numbers (-1: dynamic)."""
    shape = tensor.get("Dimensions", []) if isinstance(tensor, dict) else None
    return isinstance(shape, list) and all(type(n) is int for n in shape)


def matched(names: Iterable[str], layers: Sequence[Layer]) -> list[Layer]:
    """The information of each timed layer, of equal names the next one; a bare name where there is none."""
    found: dict[str, list[Layer]] = {}
    for layer in layers:
        found.setdefault(layer["Name"], []).append(layer)
    return [found[name].pop(0) if found.get(name) else {"Name": name} for name in names]
