"""TensorRT's own clock: ``trtexec --exportProfile``, with ``--exportLayerInfo`` beside it.

The profile has the times, the layer information says what each layer is. TensorRT fuses ONNX nodes
into layers. A layer's operations are the sum over the nodes it holds,
which its metadata names (TensorRT 10) or its own name (8: ``conv1.weight + Conv_0 + Relu_1``,
``PWN(..)``, ``{ForeignNode[a...b]}``). Its compulsory bytes are what crosses its border, from the
layer information where shapes and types are in it (build with ``--profilingVerbosity=detailed``),
else the sum over its nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from probes.importers.layer_row import (
    Nodes,
    dtype_of,
    layer_row,
    precision_of,
    size_of,
    slow_of,
    total,
)
from probes.importers.source import Source, source_of
from probes.importers.trtexec.files import Layer, matched, read_layers, read_profile, type_of
from probes.importers.trtexec.kinds import family_of_kind, kind_of, own_flops
from probes.importers.trtexec.nodes import nodes_by_layer
from probes.records.measurement import Measurement

UNTYPED = "type not given (--exportLayerInfo tells it)"
SELECTS = ("slice", "gather")
"""Kinds that read of their first input only what they write."""
STILL_NAME = re.compile(
    r"(?P<reformat>Reformatting CopyNode .*)|\[trainStation\d*\]|.*\[(Shuffle|Constant"
    r"|NoOp)\]|.* copy"
    r"|.*(HostCopy|HostToDeviceCopy)( \d+)?\]|(signal|wait)\^.*"
)
"""Names of layers that compute nothing."""


def read(
    profile: Path | Source,
    device: str,
    started: str,
    layers: Path | Source | None = None,
    nodes: Nodes | None = None,
    network: str = "",
    common: Mapping[str, Any] | None = None,
) -> list[Measurement]:
    """A row for every layer of the profile.

    layers: the layer information. nodes: work by the name of the ONNX node. common: what else is
    known of the engine, for every row: the ``precision`` it was built in, say.
    Raises RidgelineError that names the element and what is wrong with it.
    """
    source = source_of(profile)
    nodes = nodes or {}
    timed = read_profile(source)
    infos = matched([name for name, *_ in timed], read_layers(layers) if layers else [])
    seconds = {name: time for name, time, _ in timed}
    parts = nodes_by_layer(infos, seconds, nodes)
    dtypes = [_dtype(layer) for layer in infos]
    of_all: dict[str, Any] = {"precision": precision_of(dtypes), **(common or {})}
    of_all.update(device=device, started=started, network=network or source.stem)
    of_all.pop("provider", None)
    rows = []
    for layer, (_, time, runs), (names, shared), dtype in zip(
        infos, timed, parts, dtypes, strict=True
    ):
        more = {**of_all, "runs": runs, "shared": shared}
        rows.append(_row(layer, time, names, dtype, nodes, more))
    return rows


def left_out(rows: Iterable[Measurement], nodes: Nodes) -> list[str]:
    """Nodes with work that no layer of these rows names.

    They were folded into constants, or into a neighbour that does not say so.
    """
    inside = {name for row in rows for name in row.facts.nodes}
    return [name for name, work in nodes.items() if work.flops and name not in inside]


def _row(
    layer: Layer,
    seconds: float,
    names: Sequence[str],
    dtype: str,
    nodes: Nodes,
    more: Mapping[str, Any],
) -> Measurement:
    still = STILL_NAME.fullmatch(layer["Name"])
    kind = str(layer.get("LayerType") or ("Reformat" if still and still["reformat"] else ""))
    border = _border(layer)
    work = [nodes[name] for name in names]
    flops = total([w.flops for w in work]) if work else _flops_without_nodes(layer, more["shared"])
    of_nodes = total([w.bytes for w in work]) if work else None
    heaviest = max(work, key=lambda w: w.flops or 0, default=None)
    op = heaviest.op if heaviest else kind
    reason = ""
    if more["shared"] and not work:
        reason = "part of a node whose work is counted with a slower layer"
    elif flops is None:
        reason = f"FLOPs of {op or layer['Name']} unknown: it names no node of the model"
    return layer_row(
        layer["Name"],
        op or layer["Name"],
        dtype,
        [seconds],
        flops,
        of_nodes if border is None else border,
        tool="trtexec",
        slow=slow_of(work),
        reason=reason,
        untyped=UNTYPED,
        family="" if work else _family(layer),
        provider="tensorrt",
        layer_type=kind,
        nodes=list(names),
        bytes_of_nodes=of_nodes,
        tactic=str(layer.get("TacticName", "")),
        **_channels(layer),
        shape=_dimensions(layer, "Outputs"),
        **more,
    )


def _flops_without_nodes(layer: Layer, shared: bool) -> float | None:
    """Operations of a layer that holds no node, from its own description.

    They are 0 if it computes nothing, or if another layer has those of its nodes.
    """
    if shared or STILL_NAME.fullmatch(layer["Name"]):
        return 0.0
    return own_flops(layer)


def _family(layer: Layer) -> str:
    """The family of a layer by its kind, whatever its name holds."""
    return "movement" if STILL_NAME.fullmatch(layer["Name"]) else family_of_kind(kind_of(layer))


def _channels(layer: Layer) -> dict[str, Any]:
    """Channels in and out of a convolution, which show if it suits the tensor cores."""
    shapes = [_dimensions(layer, side) for side in ("Inputs", "Outputs")]
    if family_of_kind(kind_of(layer)) != "convolution" or min(map(len, shapes)) < 3:
        return {}
    return {"in_channels": shapes[0][1], "out_channels": shapes[1][1]}


def _dimensions(layer: Layer, side: str) -> list[int]:
    """Sizes of the first tensor on one side of a layer; empty where there is none."""
    tensors = layer.get(side) or [{}]
    return tensors[0].get("Dimensions") or []


def _dtype(layer: Layer) -> str:
    """The type a layer computes in: that of its weights, else of its first tensor that has one.

    It is TF32 where the layer's tactic says so.
    """
    weights = layer.get("Weights")
    tensors = [*layer.get("Inputs", []), *layer.get("Outputs", [])]
    if isinstance(weights, dict):
        tensors = [weights, *tensors]
    dtypes = [dtype_of(type_of(tensor)) for tensor in tensors]
    dtype = next(filter(None, dtypes), "")
    if dtype == "fp32" and "tf32" in str(layer.get("TacticName", "")).lower():
        return "tf32"
    return dtype


def _border(layer: Layer) -> float | None:
    """Bytes in, out, and of weights; None unless every shape and type is known."""
    inputs, outputs = layer.get("Inputs", []), layer.get("Outputs", [])
    if not inputs and not outputs:
        return None
    read = [_size(tensor) for tensor in inputs]
    written = [_size(tensor) for tensor in outputs]
    if kind_of(layer) in SELECTS and read and None not in (read[0], total(written)):
        read[0] = min(read[0] or 0.0, total(written) or 0.0)
    weights = (layer.get("Weights"), layer.get("Bias"))
    counted = [each for each in weights if isinstance(each, dict) and each.get("Count")]
    stored = [size_of([each["Count"]], dtype_of(type_of(each))) for each in counted]
    return total([*read, *written, *stored])


def _size(tensor: Layer) -> float | None:
    return size_of(tensor.get("Dimensions", [-1]), dtype_of(type_of(tensor)))
