"""The profile that ONNX Runtime writes: JSON, one event for each node and run.

``SessionOptions.enable_profiling`` asks for it. An event carries the node's duration in µs, its
operation, provider, and the types and shapes of what went in and came out. Attributes are not in it
(groups follow from the weights' shape), and weights that were packed in advance are left out of the
inputs: work given by node name is exact, what follows from the shapes is said to be so. Where an
event carries none of all that, its row has a name and a time.
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
    ARGUMENT_TYPES,
    Nodes,
    dtype_of,
    layer_row,
    malformed,
    precision_of,
    slow_of,
)
from probes.importers.onnxruntime.nodes import Ran, nodes_by_operation
from probes.importers.onnxruntime.work import CONTROL, Shape, work
from probes.importers.source import Source, source_of
from probes.records.given import shortened
from probes.records.measurement import Measurement, RidgelineError

NODE_EVENT, RUN_EVENT = "_kernel_time", "model_run"
"""How the name of a node's event ends, and the name of the event of a run."""
UNNAMED = "onnxruntime"
"""The provider of an event that names none."""
LONGEST = 1e15
"""µs, 30 years: no time in a profile is as long."""
Event = Mapping[str, Any]
Numbered = tuple[int, Event]
"""An event and its place in the file, from 1 on."""


def read(
    file: Path | Source, device: str, started: str, network: str = "", nodes: Nodes | None = None
) -> list[Measurement]:
    """A row for every node, timed by the median of its runs.

    Where there are several runs, the first warms up. nodes: work by node name.
    Raises RidgelineError that names the event and what is wrong with it.
    """
    source = source_of(file)
    path = source.path
    nodes = nodes or {}
    events = _events(source)
    runs = _runs(events)
    timed = [(index, event) for index, event in events if _is_of_node(event)]
    if not timed:
        raise RidgelineError(
            f"{path} has no event of a node: profile an InferenceSession that runs"
        )
    groups = _by_node(path, _without_inner(path, timed))
    all_events = [event for group in groups.values() for _, event in group]
    more = {"device": device, "started": started, "network": network or source.stem}
    more["provider"] = _main_provider(all_events)
    more["precision"] = _precision(path, [group[0] for group in groups.values()])
    operations = [_ran(path, name, *group[0]) for (name, *_), group in groups.items()]
    parts = nodes_by_operation(operations, nodes)
    rows = []
    for ((name, *_), group), names in zip(groups.items(), parts, strict=True):
        seconds = _seconds([event for _, event in group], runs)
        rows.append(_row(path, name, group, seconds, names, nodes, more))
    return rows


def _runs(events: Iterable[Numbered]) -> list[tuple[float, float]]:
    """Beginning and end of every run of the model, in µs, in order."""
    runs = []
    for _, event in events:
        if event.get("name") == RUN_EVENT and _is_timed(event):
            runs.append((event["ts"], event["ts"] + event["dur"]))
    return sorted(runs)


def _is_of_node(event: Event) -> bool:
    """True for the time that the kernel of a node took."""
    is_node = event.get("cat") == "Node" and _is_whole(event)
    return is_node and str(event.get("name")).endswith(NODE_EVENT)


def _by_node(path: Path, events: Iterable[Numbered]) -> dict[tuple[str, ...], list[Numbered]]:
    """The events of each node; the first part of the key is the node's name.

    Nodes without names differ by their index, in old versions by their operation.
    """
    groups: dict[tuple[str, ...], list[Numbered]] = {}
    for index, event in events:
        name = str(event["name"]).removesuffix(NODE_EVENT)
        node_index = str(_args(path, index, event).get("node_index"))
        key = (name, node_index, _op(path, index, event))
        groups.setdefault(key, []).append((index, event))
    return groups


def _events(source: Source) -> list[Numbered]:
    """All events of a profile.

    Raises RidgelineError for one that is damaged; a profile cut off by a crash lacks its last
    bracket.
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
    """True if an event has a beginning and a duration; a mark has no duration."""
    return bool(event.get("ph", "X") == "X")


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < LONGEST


def _is_timed(event: Event) -> bool:
    return _is_time(event.get("ts")) and _is_time(event.get("dur"))


def _named(index: int, event: Event) -> str:
    """An event as an error names it."""
    return f"event {index} ({shortened(str(event.get('name', '')))})"


def _without_inner(path: Path, timed: Sequence[Numbered]) -> list[Numbered]:
    """The events, with the time of a Loop, an If or a Scan less that of the operations it ran."""
    durations = {index: event["dur"] for index, event in timed}
    # By thread: the place of each control flow that still runs, and the time at which it ends.
    open_by_thread: dict[str, list[tuple[int, float]]] = {}
    for index, event in sorted(timed, key=lambda pair: (pair[1]["ts"], -pair[1]["dur"])):
        thread = str(event.get("tid"))
        event_end = event["ts"] + event["dur"]
        around = [(i, end) for i, end in open_by_thread.get(thread, []) if event_end <= end]
        if around:
            innermost, _ = around[-1]
            durations[innermost] -= event["dur"]
        if _op(path, index, event) in CONTROL:
            around.append((index, event_end))
        open_by_thread[thread] = around
    return [(index, {**event, "dur": max(durations[index], 0)}) for index, event in timed]


def _ran(path: Path, name: str, index: int, event: Event) -> Ran:
    inputs = _shapes(path, index, event, "input")
    outputs = _shapes(path, index, event, "output")
    adds = len(inputs) > 2 and [shape for _, shape in outputs] == [inputs[-1][1]]
    return Ran(name, _op(path, index, event), adds)


def _row(
    path: Path,
    name: str,
    group: Sequence[Numbered],
    seconds: Sequence[float],
    names: Sequence[str],
    nodes: Nodes,
    more: Mapping[str, Any],
) -> Measurement:
    """The row of one node. group: its events; names: the nodes of the model that it holds."""
    index, event = group[0]
    op = _op(path, index, event)
    if not op and names:
        op = nodes[names[0]].op
    inputs = _shapes(path, index, event, "input")
    outputs = _shapes(path, index, event, "output")
    flops, moved, remark = work(name, op or name, inputs, outputs, [nodes[each] for each in names])
    provider = _provider(event)
    remarks = [remark]
    if provider not in ("cpu", UNNAMED):
        remarks.append("host time of the call: the device may still have been at work")
    if provider != more["provider"]:
        remarks.append(f"on the {provider} provider")
    return layer_row(
        name or op,
        op or name,
        _type_of(path, index, event),
        seconds,
        flops,
        moved,
        tool="onnxruntime",
        slow=slow_of(nodes[each] for each in names),
        reason="; ".join(filter(None, remarks)),
        nodes=list(names),
        **more,
        shapes=[shape for _, shape in inputs],
        **_channels(op, inputs, outputs),
        **_extent(op, inputs, outputs),
    )


def _provider(event: Event) -> str:
    named = str((event.get("args") or {}).get("provider") or "")
    return named.removesuffix("ExecutionProvider").lower() or UNNAMED


def _main_provider(events: Iterable[Event]) -> str:
    """The provider that takes most of the time: its name stands for the whole network."""
    durations: dict[str, float] = {}
    for event in events:
        provider = _provider(event)
        durations[provider] = durations.get(provider, 0.0) + event["dur"]
    return max(durations, key=durations.__getitem__)


def _args(path: Path, index: int, event: Event) -> Mapping[str, Any]:
    """The ``args`` of an event; empty if it has none."""
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
    """The operation of an event; empty if it names none."""
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
    """True for a shape by its type, ``{"float": [1, 3]}``."""
    return isinstance(tensor, dict) and all(map(_is_shape, tensor.values()))


def _is_shape(shape: object) -> bool:
    return isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)


def _precision(path: Path, events: Iterable[Numbered]) -> str:
    """The types that operations compute in; those of moved data only where nothing computes."""
    all_types = []
    computed = []
    for index, event in events:
        dtype = _type_of(path, index, event)
        all_types.append(dtype)
        if family_of(_op(path, index, event)) != "movement":
            computed.append(dtype)
    return precision_of(computed or all_types)


def _type_of(path: Path, index: int, event: Event) -> str:
    """The type of the first tensor that holds numbers to compute with, else of the first.

    It is int8 of integer kernels, and empty if the event carries no tensors.
    """
    if _op(path, index, event).startswith(INTEGER):
        return "int8"  # their first float is a scale
    inputs = _shapes(path, index, event, "input")
    tensors = inputs or _shapes(path, index, event, "output")
    dtypes = [dtype for dtype, _ in tensors]
    for dtype in dtypes:
        if dtype not in ARGUMENT_TYPES:
            return dtype
    return dtypes[0] if dtypes else ""


def _channels(op: str, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> dict[str, Any]:
    """Channels in and out of a convolution, which show if it suits the tensor cores."""
    shapes = [side[0][1] for side in (inputs, outputs) if side]
    if not op.endswith("Conv") or len(shapes) < 2 or min(map(len, shapes)) < 3:
        return {}
    return {"in_channels": shapes[0][1], "out_channels": shapes[1][1]}


def _extent(op: str, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> dict[str, Any]:
    """The window of a convolution, which its weights tell, and the shape of the first output."""
    facts = {}
    if op.endswith("Conv") and len(inputs) > 1:
        _, weights = inputs[1]
        facts["window"] = list(weights[2:])
    if outputs:
        _, shape = outputs[0]
        facts["shape"] = list(shape)
    return facts


def _seconds(events: Sequence[Event], runs: Sequence[tuple[float, float]]) -> list[float]:
    """Seconds of one node in every run, summed over a loop; the first of several is left out."""
    per_run: dict[int, float] = {}
    for event in events:
        run = bisect_right(runs, (event["ts"], math.inf)) - 1
        if run >= 0 and event["ts"] > runs[run][1]:
            run = -1  # between two of them
        per_run[run] = per_run.get(run, 0.0) + event["dur"] * 1e-6
    if len(runs) > 1:
        later = [seconds for run, seconds in per_run.items() if run > 0]
        return later or list(per_run.values())
    return list(per_run.values())
