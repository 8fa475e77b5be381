"""Whatever another tool wrote: find out which tool it was, and read its file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from probes.harness.records import Measurement, RidgelineError
from probes.importers import ncu, ort, plain, trtexec
from probes.importers.layer_row import Nodes, read_json, read_text

NCU_SAYS = re.compile(r"^==\w+==", re.MULTILINE)
KNOWN = "trtexec --exportProfile and --exportLayerInfo, an ONNX Runtime profile, Nsight Compute CSV, or a plain CSV"


def read_all(paths: Sequence[Path], device: str, started: str, network: str, nodes: Nodes) -> list[Measurement]:
    """The layers in these files; TensorRT's layer information belongs to the profile before it, or to the only one.

    Raises RidgelineError that names the file, the place in it and what is wrong.
    """
    kinds = [(path, _kind(path)) for path in paths]
    infos = [path for path, kind in kinds if kind == "trtexec layers"]
    rows: list[Measurement] = []
    for at, (path, kind) in enumerate(kinds):
        if kind == "trtexec profile":
            after = next((p for p, k in kinds[at + 1 : at + 2] if k == "trtexec layers"), None)
            layers = after or (infos[0] if len(infos) == 1 else None)
            rows += trtexec.read(path, device, started, layers=layers, nodes=nodes, network=network)
        elif kind == "onnxruntime":
            rows += ort.read(path, device, started, network=network, nodes=nodes)
        elif kind == "ncu":
            rows += ncu.read(path, device, started, network=network)
        elif kind == "plain":
            rows += plain.read(path, device, started, network=network)
    if not rows:
        raise RidgelineError(f"{paths[0]} says what layers are, not how long they take: add the profile")
    return rows


def _kind(path: Path) -> str:
    text = read_text(path)
    if text.lstrip()[:1] not in ("[", "{"):
        return "ncu" if "Kernel Name" in text or NCU_SAYS.search(text) else "plain"
    found = _json_kind(read_json(path))
    if not found:
        raise RidgelineError(f"{path} is of no tool that is known: give {KNOWN}")
    return found


def _json_kind(data: Any) -> str:
    if isinstance(data, dict):
        return "trtexec layers" if "Layers" in data else ""
    first = next((entry for entry in data if isinstance(entry, dict)), None) if isinstance(data, list) else None
    if first is None:
        return ""
    if "cat" in first or "ph" in first:
        return "onnxruntime"
    timed = any(key in json.dumps(data[:3]) for key in ("timeMs", "averageMs", "medianMs", '"count"'))
    return "trtexec profile" if timed else ""
