"""Replace an If of known condition by the branch that it takes, whose operations become layers.

Exporters ask of a shape what is known as soon as that is given: whether the batch is one, or how
many dimensions there are. The other branch never runs, and may not even fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.onnx.protos import copy_of

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

IF = "If"
BRANCH = {True: "then_branch", False: "else_branch"}


def inline(model: ModelProto, values: Mapping[str, np.ndarray]) -> int:
    """Replace every If of known condition, in place, by the nodes of its branch.

    values: the known tensors, by name. Returns how many were replaced.
    """
    graph = model.graph
    branches = [_branch(node, values) for node in graph.node]
    replaced = sum(branch is not None for branch in branches)
    if not replaced:
        return 0
    names = set(_names(graph))
    nodes: list[Any] = []
    for node, branch in zip(graph.node, branches, strict=True):
        if branch is None:
            nodes.append(copy_of(node))
            continue
        inner_nodes, initializers = _inlined(node, branch, names)
        nodes += inner_nodes
        graph.initializer.extend(initializers)
    graph.ClearField("node")
    graph.node.extend(nodes)
    return replaced


def _branch(node: NodeProto, values: Mapping[str, np.ndarray]) -> Any:
    """The graph of the branch that an If takes.

    None for another node, for a condition that is not known, and where the file lacks the branch.
    """
    if node.op_type != IF or not node.input or node.input[0] not in values:
        return None
    condition = bool(np.asarray(values[node.input[0]]).any())
    for attribute in node.attribute:
        if attribute.name == BRANCH[condition]:
            return attribute.g
    return None


def rename_weights(model: ModelProto, ending: str) -> None:
    """Add an ending to the name of every initializer, in place, but of inputs and results."""
    graph = model.graph
    names = set(_names(graph))
    outer = {value.name for value in (*graph.input, *graph.output)}
    inner = [tensor for tensor in graph.initializer if tensor.name not in outer]
    renamed = {tensor.name: _free_name(tensor.name + ending, names) for tensor in inner}
    for tensor in inner:
        tensor.name = renamed[tensor.name]
    for node in graph.node:
        _rename(node, renamed)


def _inlined(node: NodeProto, branch: Any, names: set[str]) -> tuple[list[Any], list[Any]]:
    """Nodes and initializers of a branch, under names that no other tensor has.

    The results of the branch get the names of those of the If.
    """
    import onnx

    computed = _computed_names(branch)
    stored = {tensor.name for tensor in branch.initializer}
    renamed = {name: _free_name(name, names) for name in sorted(computed | stored)}
    passed_on = []
    for result, inner in zip(node.output, branch.output, strict=False):
        is_result_already = renamed.get(inner.name) in node.output
        if inner.name in computed and not is_result_already:
            renamed[inner.name] = result
        else:  # a stored value, one of outside, or a second name of a result
            passed_on.append((inner.name, result))
    nodes = [copy_of(inner) for inner in branch.node]
    for inner in nodes:
        _rename(inner, renamed)
    for name, result in passed_on:
        if result:
            nodes.append(onnx.helper.make_node("Identity", [renamed.get(name, name)], [result]))
    initializers = [copy_of(tensor) for tensor in branch.initializer]
    for tensor in initializers:
        tensor.name = renamed[tensor.name]
    return nodes, initializers


def _free_name(name: str, names: set[str]) -> str:
    """The name, or one like it that is not in ``names``; it is added to them."""
    free = name
    number = 1
    while free in names:
        number += 1
        free = f"{name}_{number}"
    names.add(free)
    return free


def _rename(node: NodeProto, renamed: Mapping[str, str]) -> None:
    """Rename what a node, and graphs inside of it, read and write, in place."""
    for names in (node.input, node.output):
        names[:] = [renamed.get(name, name) for name in names]
    for inner in _inner_graphs(node):
        hidden = _computed_names(inner)
        hidden.update(value.name for value in inner.input)
        hidden.update(tensor.name for tensor in inner.initializer)
        outer = {old: new for old, new in renamed.items() if old not in hidden}
        for each in inner.node:
            _rename(each, outer)
        for value in inner.output:
            value.name = outer.get(value.name, value.name)


def _inner_graphs(node: NodeProto) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _computed_names(graph: GraphProto) -> set[str]:
    """Names of what the nodes of a graph write."""
    names: set[str] = set()
    for node in graph.node:
        names.update(name for name in node.output if name)
    return names


def _names(graph: GraphProto) -> Iterator[str]:
    """Names of all tensors of a graph, but of those inside of its nodes."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield value.name
    for tensor in graph.initializer:
        yield tensor.name
    for node in graph.node:
        yield from node.output
