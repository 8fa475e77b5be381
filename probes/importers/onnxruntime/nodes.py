"""Which ONNX nodes does an operation of ONNX Runtime hold? Each node belongs to one, so that work
is counted once.

The runtime keeps a node's name, adds to it where it changes the node, and calls a convolution in
its own layout after its output: where it had fused an activation before, after that of the
activation. What a fused operation computes besides is named nowhere: it is what follows in the
model and was never run by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kernels.onnx.work import OPERATIONS
from probes.importers.layer_row import Nodes, NodeWork

LAYOUT = "_nchwc"
"""Ends the name of an operation in blocks of channels: a count of channels that fills no block is
padded.
"""
ADDED = re.compile(rf"^fused |({LAYOUT}|_token_\d+|/MatMul(?:(?!Fusion)\w)*Fusion\w*/?)+$")
"""What the runtime adds to the name of a node, or of an output, that it changes or fuses."""
SCALES = frozenset(("BatchNormalization", "Add", "Sub", "Mul", "Div", "Sum"))
"""Operations that are fused into the product before them, as factors, as a bias, or as a shortcut's
addition.
"""


@dataclass(frozen=True)
class Ran:
    """What a profile says of one operation. adds: a tensor of the output's shape goes in last, as a
    shortcut does.
    """

    name: str
    op: str
    adds: bool = False


def held(ran: Sequence[Ran], nodes: Nodes) -> list[list[str]]:
    """For each operation the names of the nodes it holds, the one it is named for first; none if it
    is not known.
    """
    made, readers = _made(nodes), _readers(nodes)
    heads = [
        next((name for name in (r.name, ADDED.sub("", r.name)) if name in nodes), "") for r in ran
    ]
    taken = set(heads)
    for index, one in enumerate(ran):
        if not heads[index]:
            heads[index] = next((name for name in _back(one, nodes, made) if name not in taken), "")
            taken.add(heads[index])
    strange = {one.op for one, head in zip(ran, heads, strict=True) if not head}
    alone = {name for name, work in nodes.items() if name in taken or work.op in strange}
    return [
        [head, *_after(one, head, nodes, readers, alone)] if head else []
        for one, head in zip(ran, heads, strict=True)
    ]


def _made(nodes: Nodes) -> dict[str, str]:
    """The node that makes each tensor."""
    return {work.output: name for name, work in nodes.items() if work.output}


def _readers(nodes: Nodes) -> dict[str, list[str]]:
    """The nodes that read each tensor."""
    found: dict[str, list[str]] = {}
    for name, work in nodes.items():
        for tensor in work.reads:
            found.setdefault(tensor, []).append(name)
    return found


def _back(one: Ran, nodes: Nodes, made: Mapping[str, str]) -> Iterator[str]:
    """Nodes of this operation whose output, or what was fused behind it, has the name that the
    runtime gave it.
    """
    outputs = [ADDED.sub("", one.name)]
    seen = set(outputs)
    for output in outputs:  # which grows as it is walked
        name = made.get(output)
        if name and nodes[name].op == one.op:
            yield name
        elif name and _fusable(nodes[name]):
            outputs += [tensor for tensor in nodes[name].reads if tensor not in seen]
            seen.update(nodes[name].reads)


def _after(
    one: Ran, head: str, nodes: Nodes, readers: Mapping[str, list[str]], alone: set[str]
) -> Iterator[str]:
    """The nodes behind ``head`` that run with it: each the only reader of the one before, and not
    run ``alone``.
    """
    family, changed, passed = _family(nodes[head]), one.op != nodes[head].op, {head}
    while family == "convolution" or (family == "matmul" and changed):
        after = readers.get(nodes[head].output, [])
        if (
            len(after) != 1
            or after[0] in alone
            or after[0] in passed
            or not _fusable(nodes[after[0]])
        ):
            return
        head = after[0]
        passed.add(head)
        if len(nodes[head].reads) > 1 and not one.adds:
            return
        yield head


def _fusable(work: NodeWork) -> bool:
    return work.op in SCALES or _family(work) == "activation"


def _family(work: NodeWork) -> str:
    return OPERATIONS[work.op].family if work.op in OPERATIONS else ""
