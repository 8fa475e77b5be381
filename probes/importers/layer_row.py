"""The row of a layer, whoever timed it: all importers build their rows and errors here.

A row of a layer is a Measurement whose ceiling is ``layer/<family>``, kernel the operation, backend
the provider or tool that ran it; flops and compulsory bytes (inputs, weights and outputs once)
stand beside the seconds of one run. What else is known is JSON in ``params``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any, Protocol

from kernels.base import ITEMSIZE, one_line
from kernels.onnx.slow import summed
from probes.harness.clocks.statistics import median_interval
from probes.importers.families import family_of
from probes.records.given import storable
from probes.records.measurement import OK, SCHEMA_VERSION, SKIPPED, Measurement, RidgelineError

DTYPES = {
    "double": "fp64",
    "float64": "fp64",
    "float": "fp32",
    "float32": "fp32",
    "half": "fp16",
    "float16": "fp16",
    "bfloat16": "bf16",
    "bf16": "bf16",
    "uint8": "int8",
    "uint32": "int32",
    "uint64": "int64",
    "float8e4m3fn": "fp8",
    "float8e5m2": "fp8",
}
"""Our names of element types by the names that tools give them."""
BYTES = {
    **ITEMSIZE,
    "int64": 8,
    "int16": 2,
    "uint16": 2,
    "bool": 1,
    "int4": 0.5,
    "uint4": 0.5,
    "fp4": 0.5,
}
ARGUMENT_TYPES = frozenset(("int64", "int32", "bool", "string"))
"""Types of shapes, indices and conditions: computing in them is no work of a network."""
ASSUMED = "fp32"
"""The type of a layer whose tool tells none."""
UNTYPED = "type not given"


class NodeWork(Protocol):
    """The work of one ONNX node, as ``probes.importers.nodes.OnnxWork`` has it."""

    @property
    def flops(self) -> float | None: ...
    @property
    def bytes(self) -> float | None: ...
    @property
    def integer_bytes(self) -> float | None: ...
    @property
    def op(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def slow(self) -> Mapping[str, float] | None: ...
    @property
    def reads(self) -> Mapping[str, float | None]: ...


Nodes = Mapping[str, NodeWork]
"""Work by the node's name, in the order of the graph.

A tool calls a node without a name by its first ``output``.
"""


def layer_row(
    layer: str,
    op: str,
    dtype: str,
    seconds: Sequence[float],
    flops: float | None,
    moved: float | None,
    *,
    device: str,
    started: str,
    tool: str,
    family: str = "",
    reason: str = "",
    untyped: str = UNTYPED,
    slow: Mapping[str, float] | None = None,
    **params: Any,
) -> Measurement:
    """The row of one layer. seconds: one per run; a layer without any time is a skipped row.

    A clock of whole µs reads 0 in most runs of a short layer: its mean then stands for the median
    of 0. dtype: empty where the tool does not tell it; ``untyped`` then says so, unless the layer
    computes nothing. moved: compulsory bytes. slow: its slow operations by name. params: network,
    provider, working_set, textbook_bytes, warm, launches and all else.
    """
    layer, op = storable(layer), storable(op)
    family = family or family_of(op) or family_of(layer) or "other"
    facts: dict[str, Any] = {
        "layer": layer,
        "op": op,
        "family": family,
        "provider": tool,
        "working_set": moved,
        "textbook_bytes": None,
        "warm": True,
        "launches": 1,
    }
    if not dtype:
        facts["typed"] = False
    if slow:
        facts["slow"] = dict(slow)
    facts.update(params)
    facts["network"] = storable(str(params.get("network", "")))
    times = list(seconds) if any(seconds) else []
    low, high = median_interval(times) or (None, None)
    remarks = [reason] if reason else []
    if not dtype and flops != 0:
        remarks.append(f"{untyped}: {ASSUMED} assumed")
    if not times:
        remarks.insert(0, f"{tool} measured no time")
    middle = median(times) or fmean(times) if times else None
    return Measurement(
        schema_version=SCHEMA_VERSION,
        device=device,
        started=started,
        probe=f"importers/{tool}",
        kernel=op,
        backend=facts["provider"],
        dtype=dtype or ASSUMED,
        ceiling=f"layer/{family}",
        params=json.dumps(facts, ensure_ascii=False),
        status=OK if times else SKIPPED,
        reason="; ".join(remarks),
        flops=flops,
        bytes=moved,
        seconds_median=middle,
        seconds_best=min(filter(None, times), default=None),
        seconds_low=low,
        seconds_high=high,
        samples=len(times),
    )


def dtype_of(text: str) -> str:
    """Our name of the element type in a tool's words; empty if they tell none.

    ``Row major linear FP16 format`` is fp16.
    """
    for word in re.findall(r"[a-z]+\d*\w*", text.lower()):
        for name in (word, word.removeprefix("k")):  # kHALF, as C++ names it
            if name in BYTES or name in DTYPES:
                return DTYPES.get(name, name)
    return ""


def precision_of(dtypes: Iterable[str]) -> str:
    """The types of a network's layers, joined: ``fp16+int8``; fp32 if none is known."""
    distinct = sorted(set(filter(None, dtypes)))
    computing = [dtype for dtype in distinct if dtype not in ARGUMENT_TYPES]
    return "+".join(computing or distinct) or "fp32"


def size_of(shape: Sequence[int], dtype: str) -> float | None:
    """Bytes of a tensor; None if a dimension or its type is unknown."""
    if any(not isinstance(n, int) or n < 0 for n in shape) or dtype not in BYTES:
        return None
    return math.prod(shape) * BYTES[dtype]


def total(sizes: Sequence[float | None]) -> float | None:
    """Their sum; None if one is unknown."""
    if any(size is None for size in sizes):
        return None
    return float(sum(size or 0 for size in sizes))


def slow_of(nodes: Iterable[NodeWork]) -> dict[str, float] | None:
    """Slow operations of these nodes together; None without nodes, or if those of one are unknown.

    ``kernels.onnx.slow`` has their names.
    """
    parts = [node.slow for node in nodes]
    return summed(parts) if parts else None


def malformed(path: Path, where: str, what: str) -> RidgelineError:
    """The error of a file that is damaged at ``where``, in one line."""
    return RidgelineError(one_line(f"{path} {where}: {what}"))
