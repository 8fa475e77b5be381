"""Which ONNX nodes does an operation of ONNX Runtime hold?

Each node belongs to one operation, so that work is counted once. The runtime keeps a node's name,
and adds to it where it changes the node. It calls a convolution in its own layout after its output;
where it had fused an activation before, after the output of the activation. What a fused operation
computes besides is named nowhere: it is what follows in the model and was never run by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kernels.onnx.work import OPERATIONS
from probes.importers.layer_row import Nodes, NodeWork

LAYOUT = "_nchwc"
"""The ending of an operation in blocks of channels, whose channels are padded to whole blocks."""
ADDED = re.compile(rf"^fused |({LAYOUT}|_token_\d+|/MatMul(?:(?!Fusion)\w)*Fusion\w*/?)+$")
"""What the runtime adds to the name of a node, or of an output, that it changes or fuses."""
SCALES = frozenset(("BatchNormalization", "Add", "Sub", "Mul", "Div", "Sum"))
"""Operations fused into the product before them: factors, a bias, a shortcut's addition."""


@dataclass(frozen=True)
class Ran:
    """What a profile says of one operation."""

    name: str
    op: str
    adds: bool = False
    """True if its last input has the output's shape, as a shortcut has."""


def nodes_by_operation(operations: Sequence[Ran], nodes: Nodes) -> list[list[str]]:
    """For each operation the names of the nodes it holds, first the one it is named for.

    An operation whose node is unknown holds none.
    """
    producers = {work.output: name for name, work in nodes.items() if work.output}
    readers = _readers(nodes)
    heads = [_by_name(ran.name, nodes) for ran in operations]
    taken = set(heads)
    for index, ran in enumerate(operations):
        if heads[index]:
            continue
        candidates = _by_output(ran, nodes, producers)
        heads[index] = next((name for name in candidates if name not in taken), "")
        taken.add(heads[index])
    unknown_ops = {ran.op for ran, head in zip(operations, heads, strict=True) if not head}
    separate = {name for name, work in nodes.items() if name in taken or work.op in unknown_ops}
    parts: list[list[str]] = []
    for ran, head in zip(operations, heads, strict=True):
        if head:
            parts.append([head, *_fused_behind(ran, head, nodes, readers, separate)])
        else:
            parts.append([])
    return parts


def _by_name(name: str, nodes: Nodes) -> str:
    """The node of this name, or of the name without what the runtime adds; empty if none."""
    for candidate in (name, ADDED.sub("", name)):
        if candidate in nodes:
            return candidate
    return ""


def _readers(nodes: Nodes) -> dict[str, list[str]]:
    """The nodes that read each tensor."""
    readers: dict[str, list[str]] = {}
    for name, work in nodes.items():
        for tensor in work.reads:
            readers.setdefault(tensor, []).append(name)
    return readers


def _by_output(ran: Ran, nodes: Nodes, producers: Mapping[str, str]) -> Iterator[str]:
    """Nodes of this operation whose output gave it its name.

    The name may also be the output of an operation that was fused behind the node.
    """
    outputs = [ADDED.sub("", ran.name)]
    visited = set(outputs)
    for output in outputs:  # which grows as it is walked
        name = producers.get(output)
        if name and nodes[name].op == ran.op:
            yield name
        elif name and _is_fusable(nodes[name]):
            outputs += [tensor for tensor in nodes[name].reads if tensor not in visited]
            visited.update(nodes[name].reads)


def _fused_behind(
    ran: Ran, head: str, nodes: Nodes, readers: Mapping[str, list[str]], separate: set[str]
) -> Iterator[str]:
    """The nodes behind ``head`` that run with it: each is the only reader of the one before.

    separate: nodes that are operations of their own.
    """
    family = _family(nodes[head])
    was_changed = ran.op != nodes[head].op
    if family != "convolution" and not (family == "matmul" and was_changed):
        return
    visited = {head}
    while True:
        following = readers.get(nodes[head].output, [])
        if len(following) != 1:
            return
        head = following[0]
        if head in separate or head in visited or not _is_fusable(nodes[head]):
            return
        visited.add(head)
        if len(nodes[head].reads) > 1 and not ran.adds:
            return
        yield head


def _is_fusable(work: NodeWork) -> bool:
    return work.op in SCALES or _family(work) == "activation"


def _family(work: NodeWork) -> str:
    return OPERATIONS[work.op].family if work.op in OPERATIONS else ""
