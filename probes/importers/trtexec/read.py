"""TensorRT's own clock: ``trtexec --exportProfile`` (times) with ``--exportLayerInfo`` (what each
layer is).

TensorRT fuses ONNX nodes into layers. A layer's operations are the sum over the nodes it holds,
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

from probes.importers.layer_row import Nodes, dtype_of, layer_row, precision_of, size_of, total
from probes.importers.source import Source, source_of
from probes.importers.trtexec.files import Layer, matched, read_layers, read_profile, type_of
from probes.importers.trtexec.kinds import family_of_kind, kind_of, own_flops
from probes.importers.trtexec.nodes import held
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
) -> list[Measurement]:
    """A row for every layer of the profile. layers: the layer information; nodes: work by ONNX node
    name.

    Raises RidgelineError that names the element and what is wrong with it.
    """
    source = source_of(profile)
    timed = read_profile(source)
    known = matched([name for name, *_ in timed], read_layers(layers) if layers else [])
    parts = held(known, {name: time for name, time, _ in timed}, nodes or {})
    dtypes = [_dtype(layer) for layer in known]
    more = {"device": device, "started": started, "network": network or source.stem}
    more["precision"] = precision_of(dtypes)
    return [
        _row(layer, time, names, dtype, nodes or {}, {**more, "runs": runs, "shared": shared})
        for layer, (_, time, runs), (names, shared), dtype in zip(
            known, timed, parts, dtypes, strict=True
        )
    ]


def left_out(rows: Iterable[Measurement], nodes: Nodes) -> list[str]:
    """Nodes with work that no layer of these rows names: folded into constants, or into a neighbour
    in silence.
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
    reason = (
        ""
        if flops is not None
        else f"FLOPs of {op or layer['Name']} unknown: it names no node of the model"
    )
    if more["shared"] and not work:
        reason = "part of a node whose work is counted with a slower layer"
    return layer_row(
        layer["Name"],
        op or layer["Name"],
        dtype,
        [seconds],
        flops,
        of_nodes if border is None else border,
        tool="trtexec",
        reason=reason,
        untyped=UNTYPED,
        family="" if work else _family(layer),
        provider="tensorrt",
        layer_type=kind,
        nodes=list(names),
        bytes_of_nodes=of_nodes,
        tactic=str(layer.get("TacticName", "")),
        **_channels(layer),
        **more,
    )


def _flops_without_nodes(layer: Layer, shared: bool) -> float | None:
    """Operations of a layer that holds no node: none if another layer has those of its nodes, or if
    it computes nothing; else what its own description tells."""
    return 0.0 if shared or STILL_NAME.fullmatch(layer["Name"]) else own_flops(layer)


def _family(layer: Layer) -> str:
    """The family of a layer by its kind, whatever its name holds."""
    return "movement" if STILL_NAME.fullmatch(layer["Name"]) else family_of_kind(kind_of(layer))


def _channels(layer: Layer) -> dict[str, Any]:
    """Channels in and out of a convolution: whether they suit the tensor cores is read from
    them.
    """
    shapes = [
        (layer.get(side) or [{}])[0].get("Dimensions") or [] for side in ("Inputs", "Outputs")
    ]
    if family_of_kind(kind_of(layer)) != "convolution" or min(map(len, shapes)) < 3:
        return {}
    return {"in_channels": shapes[0][1], "out_channels": shapes[1][1]}


def _dtype(layer: Layer) -> str:
    """The type a layer computes in: that of its weights, else of its first input; TF32 where its
    tactic says so.
    """
    weights = layer.get("Weights")
    tensors = [*layer.get("Inputs", []), *layer.get("Outputs", [])]
    given = [weights, *tensors] if isinstance(weights, dict) else tensors
    dtype = next(filter(None, (dtype_of(type_of(each)) for each in given)), "")
    return (
        "tf32" if dtype == "fp32" and "tf32" in str(layer.get("TacticName", "")).lower() else dtype
    )


def _border(layer: Layer) -> float | None:
    """Bytes in, out, and of weights; None unless every shape and type is known."""
    inputs, outputs = layer.get("Inputs", []), layer.get("Outputs", [])
    if not inputs and not outputs:
        return None
    read, written = [_size(each) for each in inputs], [_size(each) for each in outputs]
    if kind_of(layer) in SELECTS and read and None not in (read[0], total(written)):
        read[0] = min(read[0] or 0.0, total(written) or 0.0)
    inside = [
        each
        for each in (layer.get("Weights"), layer.get("Bias"))
        if isinstance(each, dict) and each.get("Count")
    ]
    return total(
        [*read, *written, *(size_of([each["Count"]], dtype_of(type_of(each))) for each in inside)]
    )


def _size(tensor: Layer) -> float | None:
    return size_of(tensor.get("Dimensions", [-1]), dtype_of(type_of(tensor)))
