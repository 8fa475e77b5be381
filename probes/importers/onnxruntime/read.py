"""The profile that ONNX Runtime writes (``SessionOptions.enable_profiling``): JSON, one event a
node and run.

An event carries the node's duration in µs, its operation, provider, and the types and shapes of
what went in and came out. Attributes are not in it (groups follow from the weights' shape), and
weights that were packed in advance are left out of the inputs: work given by node name is exact,
what follows from the shapes is said to be so. Where an event carries none of all that, its row has
a name and a time.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kernels.runtime.launch import INTEGER
from probes.importers.families import family_of
from probes.importers.layer_row import (
    ARGUMENTS,
    Nodes,
    dtype_of,
    layer_row,
    malformed,
    precision_of,
)
from probes.importers.onnxruntime.nodes import Ran, held
from probes.importers.onnxruntime.work import CONTROL, Shape, work
from probes.importers.recognised import NODE_EVENT, RUN_EVENT
from probes.importers.source import Source, source_of
from probes.records.given import shortened
from probes.records.measurement import Measurement, RidgelineError

UNNAMED = "onnxruntime"
LONGEST = 1e15  # µs: 30 years
Event = Mapping[str, Any]


def read(
    file: Path | Source, device: str, started: str, network: str = "", nodes: Nodes | None = None
) -> list[Measurement]:
    """A row for every node, timed by the median of its runs; the first run warms up where there are
    more.

    nodes: work by node name. Raises RidgelineError that names the event and what is wrong with it.
    """
    source = source_of(file)
    path, events = source.path, _events(source)
    runs = sorted(
        (e["ts"], e["ts"] + e["dur"])
        for _, e in events
        if e.get("name") == RUN_EVENT and _is_timed(e)
    )
    timed = [
        (i, e)
        for i, e in events
        if e.get("cat") == "Node" and _is_whole(e) and str(e.get("name")).endswith(NODE_EVENT)
    ]
    if not timed:
        raise RidgelineError(
            f"{path} has no event of a node: profile an InferenceSession that runs"
        )
    grouped: dict[tuple[str, ...], list[tuple[int, Event]]] = {}
    for index, event in _without_inner(path, timed):
        args = _args(
            path, index, event
        )  # nodes without names differ by their index, in old versions by operation
        key = (
            str(event["name"]).removesuffix(NODE_EVENT),
            str(args.get("node_index")),
            _op(path, index, event),
        )
        grouped.setdefault(key, []).append((index, event))
    more = {"device": device, "started": started, "network": network or source.stem}
    more["provider"] = _main_provider(event for found in grouped.values() for _, event in found)
    more["precision"] = _precision(path, [found[0] for found in grouped.values()])
    parts = held(
        [_ran(path, name, *found[0]) for (name, *_), found in grouped.items()], nodes or {}
    )
    return [
        _row(path, name, found, _seconds([e for _, e in found], runs), names, nodes or {}, more)
        for ((name, *_), found), names in zip(grouped.items(), parts, strict=True)
    ]


def _events(source: Source) -> list[tuple[int, Event]]:
    """Events with their place in the file. A profile cut off by a crash lacks its last bracket:
    that is an error.
    """
    path, data = source.path, source.json
    if not isinstance(data, list):
        raise RidgelineError(f"{path} is not a profile of ONNX Runtime: no list of events")
    for index, event in enumerate(data, 1):
        if not isinstance(event, dict):
            raise malformed(path, f"event {index}", "not an object")
        if event.get("cat") in ("Node", "Session") and _is_whole(event):
            for key in ("ts", "dur"):
                if not _is_time(event.get(key)):
                    why = f"{key} is {shortened(repr(event.get(key)))}, not a time in µs"
                    raise malformed(path, _named(index, event), why)
    return list(enumerate(data, 1))


def _is_whole(event: Event) -> bool:
    """Whether an event has a beginning and a duration; of other kinds are marks, and beginnings
    alone.
    """
    return bool(event.get("ph", "X") == "X")


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < LONGEST


def _is_timed(event: Event) -> bool:
    return _is_time(event.get("ts")) and _is_time(event.get("dur"))


def _named(index: int, event: Event) -> str:
    """An event as a complaint names it."""
    return f"event {index} ({shortened(str(event.get('name', '')))})"


def _without_inner(path: Path, timed: Sequence[tuple[int, Event]]) -> list[tuple[int, Event]]:
    """The same, the time of a Loop, an If or a Scan without that of the operations it ran, which
    have their own.
    """
    own = {index: event["dur"] for index, event in timed}
    around: dict[
        str, list[tuple[int, float]]
    ] = {}  # by thread: control flow that is open, and when it ends
    for index, event in sorted(timed, key=lambda pair: (pair[1]["ts"], -pair[1]["dur"])):
        thread = str(event.get("tid"))
        still = [(i, end) for i, end in around.get(thread, []) if event["ts"] + event["dur"] <= end]
        if still:
            own[still[-1][0]] -= event["dur"]
        if _op(path, index, event) in CONTROL:
            still.append((index, event["ts"] + event["dur"]))
        around[thread] = still
    return [(index, {**event, "dur": max(own[index], 0)}) for index, event in timed]


def _ran(path: Path, name: str, index: int, event: Event) -> Ran:
    op = _op(path, index, event)
    inputs, outputs = _shapes(path, index, event, "input"), _shapes(path, index, event, "output")
    return Ran(name, op, len(inputs) > 2 and [shape for _, shape in outputs] == [inputs[-1][1]])


def _row(
    path: Path,
    name: str,
    found: Sequence[tuple[int, Event]],
    seconds: Sequence[float],
    names: Sequence[str],
    nodes: Nodes,
    more: Mapping[str, Any],
) -> Measurement:
    index, event = found[0]
    op = _op(path, index, event) or (nodes[names[0]].op if names else "")
    inputs, outputs = _shapes(path, index, event, "input"), _shapes(path, index, event, "output")
    flops, moved, reason = work(name, op or name, inputs, outputs, [nodes[name] for name in names])
    provider = _provider(event)
    remarks = [
        reason,
        "host time of the call: the device may still have been at work"
        * (provider not in ("cpu", UNNAMED)),
        f"on the {provider} provider" * (provider != more["provider"]),
    ]
    return layer_row(
        name or op,
        op or name,
        _type_of(path, index, event),
        seconds,
        flops,
        moved,
        tool="onnxruntime",
        reason="; ".join(filter(None, remarks)),
        nodes=list(names),
        **more,
        shapes=[shape for _, shape in inputs],
        **_channels(op, inputs, outputs),
    )


def _provider(event: Event) -> str:
    named = str((event.get("args") or {}).get("provider") or "")
    return named.removesuffix("ExecutionProvider").lower() or UNNAMED


def _main_provider(events: Iterable[Event]) -> str:
    """The one that takes most of the time: a network is one, though some of its operations run
    elsewhere.
    """
    taken: dict[str, float] = {}
    for event in events:
        taken[_provider(event)] = taken.get(_provider(event), 0.0) + event["dur"]
    return max(taken, key=taken.__getitem__)


def _args(path: Path, index: int, event: Event) -> Mapping[str, Any]:
    """What an event carries; empty where it carries nothing."""
    args = event.get("args")
    if args is None:
        return {}
    if not isinstance(args, dict):
        raise malformed(
            path, _named(index, event), f"args is {shortened(repr(args))}, not an object"
        )
    for name in ("op_name", "provider"):
        if not isinstance(args.get(name), str | None):
            raise malformed(
                path, _named(index, event), f"{name} is {shortened(repr(args[name]))}, not text"
            )
    return args


def _op(path: Path, index: int, event: Event) -> str:
    """The operation of an event; empty where it does not tell."""
    return str(_args(path, index, event).get("op_name") or "")


def _shapes(path: Path, index: int, event: Event, side: str) -> list[Shape]:
    """Type and shape of every tensor on one side; versions before 1.7 wrote none."""
    tensors = _args(path, index, event).get(f"{side}_type_shape") or []
    if not isinstance(tensors, list) or not all(map(_is_tensor, tensors)):
        raise malformed(
            path, _named(index, event), f"{side}_type_shape is {shortened(repr(tensors))}"
        )
    return [(dtype_of(kind) or kind, shape) for tensor in tensors for kind, shape in tensor.items()]


def _is_tensor(tensor: object) -> bool:
    """Whether it is a shape by its type, ``{"float": [1, 3]}``."""
    shapes = tensor.values() if isinstance(tensor, dict) else [None]
    return all(
        isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
        for shape in shapes
    )


def _precision(path: Path, events: Iterable[tuple[int, Event]]) -> str:
    """The types that operations compute in; those of moved data only where nothing computes."""
    found = [
        (family_of(_op(path, index, event)), _type_of(path, index, event))
        for index, event in events
    ]
    return precision_of(
        [dtype for family, dtype in found if family != "movement"] or [dtype for _, dtype in found]
    )


def _type_of(path: Path, index: int, event: Event) -> str:
    """The type of the first tensor that holds numbers to compute with, else of the first; int8 of
    integer kernels.

    Empty where the event carries no tensors.
    """
    if _op(path, index, event).startswith(INTEGER):
        return "int8"  # their first float is a scale
    kinds = [
        kind
        for kind, _ in _shapes(path, index, event, "input") or _shapes(path, index, event, "output")
    ]
    return next((kind for kind in kinds if kind not in ARGUMENTS), kinds[0] if kinds else "")


def _channels(op: str, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> dict[str, Any]:
    """Channels in and out of a convolution: whether they suit the tensor cores is read from
    them.
    """
    shapes = [side[0][1] for side in (inputs, outputs) if side]
    if not op.endswith("Conv") or len(shapes) < 2 or min(map(len, shapes)) < 3:
        return {}
    return {"in_channels": shapes[0][1], "out_channels": shapes[1][1]}


def _seconds(events: Sequence[Event], runs: Sequence[tuple[float, float]]) -> list[float]:
    """Seconds of one node in every run, its turns in a loop summed; the first run left out where
    there are more.
    """
    per_run: dict[int, float] = {}
    for event in events:
        run = bisect_right(runs, (event["ts"], math.inf)) - 1
        if run >= 0 and event["ts"] > runs[run][1]:
            run = -1  # between two of them
        per_run[run] = per_run.get(run, 0.0) + event["dur"] * 1e-6
    kept = {run: time for run, time in per_run.items() if run > 0} if len(runs) > 1 else per_run
    return list((kept or per_run).values())
