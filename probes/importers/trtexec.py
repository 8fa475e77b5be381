"""TensorRT's own clock: ``trtexec --exportProfile`` (times) with ``--exportLayerInfo`` (what each layer is).

TensorRT fuses ONNX nodes into layers. A layer's operations are the sum over the nodes it holds, which its metadata
names (TensorRT 10) or its own name (8: ``conv1.weight + Conv_0 + Relu_1``, ``PWN(..)``, ``{ForeignNode[a...b]}``). Its
compulsory bytes are what crosses its border, from the layer information where shapes and types are in it (build with
``--profilingVerbosity=detailed``), else the sum over its nodes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from probes.harness.records import Measurement
from probes.importers.layer_row import Nodes, dtype_of, layer_row, precision_of, size_of, total
from probes.importers.trtexec_files import Layer, matched, read_layers, read_profile
from probes.importers.trtexec_nodes import held

ASSUMED = "type not given: fp32 assumed, --exportLayerInfo tells it"
STILL = ("Reformat", "NoOp", "Shuffle", "Constant", "TrainStation", "signal", "wait")
STILL_NAME = re.compile(
    r"(?P<reformat>Reformatting CopyNode .*)|\[trainStation\d*\]|.*\[(Shuffle|Constant|NoOp)\]|.* copy"
    r"|.*(HostCopy|HostToDeviceCopy)( \d+)?\]|(signal|wait)\^.*"
)
"""Types and names of layers that compute nothing."""


def read(
    profile: Path, device: str, started: str, layers: Path | None = None, nodes: Nodes | None = None, network: str = ""
) -> list[Measurement]:
    """A row for every layer of the profile. layers: the layer information; nodes: work by ONNX node name.

    Raises RidgelineError that names the element and what is wrong with it.
    """
    timed = read_profile(profile)
    known = matched([name for name, *_ in timed], read_layers(layers) if layers else [])
    parts = held(known, {name: time for name, time, _ in timed}, nodes or {})
    dtypes = [_dtype(layer) for layer in known]
    more = {"device": device, "started": started, "network": network or profile.stem}
    more["precision"] = precision_of(dtypes)
    return [
        _row(layer, time, names, dtype, nodes or {}, {**more, "runs": runs, "shared": shared})
        for layer, (_, time, runs), (names, shared), dtype in zip(known, timed, parts, dtypes, strict=True)
    ]


def left_out(rows: Iterable[Measurement], nodes: Nodes) -> list[str]:
    """Nodes with work that no layer of these rows names: folded into constants, or into a neighbour in silence."""
    inside = {name for row in rows for name in json.loads(row.params)["nodes"]}
    return [name for name, work in nodes.items() if work.flops and name not in inside]


def _row(
    layer: Layer, seconds: float, names: Sequence[str], dtype: str, nodes: Nodes, more: Mapping[str, Any]
) -> Measurement:
    still = STILL_NAME.fullmatch(layer["Name"])
    kind = str(layer.get("LayerType") or ("Reformat" if still and still["reformat"] else ""))
    border = _border(layer)
    work = [nodes[name] for name in names]
    flops = total([w.flops for w in work]) if work else 0.0 if more["shared"] else _own_flops(layer)
    of_nodes = total([w.bytes for w in work]) if work else None
    heaviest = max(work, key=lambda w: w.flops or 0, default=None)
    op = heaviest.op if heaviest else kind
    reason = "" if flops is not None else f"FLOPs of {op or layer['Name']} unknown: it names no node of the model"
    if more["shared"] and not work:
        reason = "part of a node whose work is counted with a slower layer"
    reason = "; ".join(filter(None, (reason, ASSUMED * (not dtype and bool(flops)))))
    return layer_row(
        layer["Name"], op or layer["Name"], dtype or "fp32", [seconds], flops, of_nodes if border is None else border,
        tool="trtexec", reason=reason, family="movement" if still and not work else "",
        provider="tensorrt", layer_type=kind, nodes=list(names),
        bytes_of_nodes=of_nodes, tactic=str(layer.get("TacticName", "")),
        **_channels(layer), **more,
    )  # fmt: skip


def _channels(layer: Layer) -> dict[str, Any]:
    """Channels in and out of a convolution: whether they suit the tensor cores is read from them."""
    shapes = [(layer.get(side) or [{}])[0].get("Dimensions") or [] for side in ("Inputs", "Outputs")]
    if "Conv" not in str(layer.get("LayerType")) or min(map(len, shapes)) < 3:
        return {}
    return {"in_channels": shapes[0][1], "out_channels": shapes[1][1]}


def _dtype(layer: Layer) -> str:
    """The type a layer computes in: that of its weights, else of its first input; TF32 where its tactic says so."""
    weights = layer.get("Weights")
    given = str(weights.get("Type", "")) if isinstance(weights, dict) else ""
    tensors = [str(t.get("Format/Datatype", "")) for t in (*layer.get("Inputs", []), *layer.get("Outputs", []))]
    dtype = next(filter(None, map(dtype_of, [given, *tensors])), "")
    return "tf32" if dtype == "fp32" and "tf32" in str(layer.get("TacticName", "")).lower() else dtype


def _border(layer: Layer) -> float | None:
    """Bytes in, out, and of weights; None unless every shape and type is known."""
    tensors = [*layer.get("Inputs", []), *layer.get("Outputs", [])]
    if not tensors:
        return None
    sizes = [size_of(t.get("Dimensions", [-1]), dtype_of(str(t.get("Format/Datatype", "")))) for t in tensors]
    inside = [w for w in (layer.get("Weights"), layer.get("Bias")) if isinstance(w, dict) and w.get("Count")]
    sizes += [size_of([w["Count"]], dtype_of(str(w.get("Type", "")))) for w in inside]
    return total(sizes)


def _own_flops(layer: Layer) -> float | None:
    """Operations of a layer that holds no known node: none if it only moves data, a convolution's from its shapes."""
    if layer.get("LayerType") in STILL or STILL_NAME.fullmatch(layer["Name"]):
        return 0.0
    weights, outputs = layer.get("Weights"), layer.get("Outputs") or [{}]
    if layer.get("ParameterType") != "Convolution" or not isinstance(weights, dict):
        return None
    shape = outputs[0].get("Dimensions", [])
    places = [*shape[:1], *shape[2:]]  # every output channel meets its weights at each of them
    return 2.0 * weights.get("Count", 0) * math.prod(places) if len(shape) > 2 and min(places) > 0 else None
