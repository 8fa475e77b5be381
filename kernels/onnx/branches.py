"""Put the branch of an If that is taken in its place, where its condition is known: then its
operations are layers.

Exporters ask of a shape what is known as soon as that is given: whether the batch is one, or how
many dimensions there are. The other branch never runs, and may not even fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

IF = "If"
TAKEN = {True: "then_branch", False: "else_branch"}


def inline(model: ModelProto, known: Mapping[str, np.ndarray]) -> int:
    """Replace every If of known condition, in place, by the nodes of its branch; how many there
    were.
    """
    graph = model.graph
    branches = [_branch(node, known) for node in graph.node]
    if not any(branch is not None for branch in branches):
        return 0
    names = set(_names(graph))
    kept: list[Any] = []
    for node, branch in zip(graph.node, branches, strict=True):
        if branch is None:
            kept.append(_copy(node))
            continue
        nodes, initializers = _inlined(node, branch, names)
        kept += nodes
        graph.initializer.extend(initializers)
    graph.ClearField("node")
    graph.node.extend(kept)
    return sum(branch is not None for branch in branches)


def _branch(node: NodeProto, known: Mapping[str, np.ndarray]) -> Any:
    """The graph of the branch that an If takes; None of another node, where that is not known, or
    in no file.
    """
    if node.op_type != IF or not node.input or node.input[0] not in known:
        return None
    taken = TAKEN[bool(np.asarray(known[node.input[0]]).any())]
    return next((attribute.g for attribute in node.attribute if attribute.name == taken), None)


def rename_weights(model: ModelProto, ending: str) -> None:
    """Give every initializer, in place, a name with this ending, but those that are inputs or
    results as well.
    """
    graph = model.graph
    names, ends = set(_names(graph)), {value.name for value in (*graph.input, *graph.output)}
    inner = [tensor for tensor in graph.initializer if tensor.name not in ends]
    renamed = {tensor.name: _new(tensor.name + ending, names) for tensor in inner}
    for tensor in inner:
        tensor.name = renamed[tensor.name]
    for node in graph.node:
        _rename(node, renamed)


def _inlined(node: NodeProto, branch: Any, names: set[str]) -> tuple[list[Any], list[Any]]:
    """Nodes and initializers of a branch, under names that no other tensor has; its results are
    those of the If.
    """
    import onnx

    made = {name for each in branch.node for name in each.output if name} | {
        t.name for t in branch.initializer
    }
    renamed = {name: _new(name, names) for name in sorted(made)}
    passed = []
    for result, inner in zip(node.output, branch.output, strict=False):
        computed = any(inner.name in each.output for each in branch.node)
        if computed and renamed.get(inner.name) not in node.output:
            renamed[inner.name] = result
        else:  # a stored value, one of outside, or one that is a result already
            passed.append((inner.name, result))
    nodes = [_copy(each) for each in branch.node]
    for each in nodes:
        _rename(each, renamed)
    nodes += [
        onnx.helper.make_node("Identity", [renamed.get(old, old)], [new])
        for old, new in passed
        if new
    ]
    initializers = [_copy(tensor) for tensor in branch.initializer]
    for tensor in initializers:
        tensor.name = renamed[tensor.name]
    return nodes, initializers


def _new(name: str, names: set[str]) -> str:
    """The name, or one like it that is not taken; it is taken then."""
    number, found = 1, name
    while found in names:
        number, found = number + 1, f"{name}_{number + 1}"
    names.add(found)
    return found


def _rename(node: NodeProto, renamed: Mapping[str, str]) -> None:
    """Give what a node, and graphs inside of it, read and write these names, in place."""
    for row in (node.input, node.output):
        row[:] = [renamed.get(name, name) for name in row]
    for inner in _graphs(node):
        own = {name for each in inner.node for name in each.output} | {
            value.name for value in inner.input
        }
        own |= {tensor.name for tensor in inner.initializer}
        outer = {old: new for old, new in renamed.items() if old not in own}
        for each in inner.node:
            _rename(each, outer)
        for value in inner.output:
            value.name = outer.get(value.name, value.name)


def _graphs(node: NodeProto) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _names(graph: GraphProto) -> Iterator[str]:
    """Of all tensors of a graph, not those inside of its nodes."""
    yield from (value.name for value in (*graph.input, *graph.output, *graph.value_info))
    yield from (tensor.name for tensor in graph.initializer)
    yield from (name for node in graph.node for name in node.output)


def _copy(message: Any) -> Any:
    return type(message).FromString(message.SerializeToString())
