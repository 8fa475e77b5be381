"""Which ONNX nodes does a layer of TensorRT hold? Each node belongs to one layer, so that work is counted once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from probes.importers.layer_row import Nodes

METADATA = re.compile(r"\[ONNX Layer: ([^\]|]*?)\s*(?:\|[^\]]*)?\]")
RANGE = re.compile(r"\{ForeignNode\[(.*?)\.\.\.(.*?)\]\}")
FUSED = re.compile(r" \+ | \|\| |, |PWN\(|\{ForeignNode\[|\]\}|\)+(?= |,|$)|^\(+")
ADDED = re.compile(r"(_myl\d*_\d+|_clone_\d+|_output_\d+|_(de)?quantize(_scale)?_node)$")
NONE = ("Reformatting CopyNode", "Reformatted ")


def held(
    layers: Sequence[Mapping[str, Any]], seconds: Mapping[str, float], nodes: Nodes
) -> list[tuple[list[str], bool]]:
    """For each layer the nodes of ``nodes`` it holds, and whether it names others that are counted elsewhere.

    A node that several layers name (one ONNX softmax may become two kernels) belongs to the slowest of them. The nodes
    between the two ends of a ``ForeignNode`` are those that no other layer names.
    """
    named = [list(dict.fromkeys(_named(layer, nodes))) for layer in layers]
    owner: dict[str, int] = {}
    slowest_last = sorted(range(len(layers)), key=lambda i: seconds.get(layers[i]["Name"], 0.0))
    for index in slowest_last:
        owner.update(dict.fromkeys(named[index], index))
    for index, layer in enumerate(layers):
        for name in _between(layer, nodes):
            owner.setdefault(name, index)
    shared = [any(owner[name] != index for name in names) for index, names in enumerate(named)]
    return [([name for name in nodes if owner.get(name) == index], shared[index]) for index in range(len(layers))]


def _named(layer: Mapping[str, Any], nodes: Nodes) -> Iterator[str]:
    """Nodes that a layer names: in its metadata if it has any, else in its own name."""
    name, metadata = layer["Name"], METADATA.findall(f"{layer.get('Metadata', '')}{layer['Name']}")
    if name in nodes and not metadata:
        yield name
    elif metadata or not name.startswith(NONE):
        yield from _found(metadata or FUSED.split(RANGE.sub("", name)), nodes)
        for ends in () if metadata else RANGE.findall(name):
            yield from _found(FUSED.split(" + ".join(ends)), nodes)


def _found(words: Iterable[str], nodes: Nodes) -> Iterator[str]:
    """Those of these words that are nodes, without what TensorRT adds to a name."""
    outputs = {work.output: name for name, work in nodes.items()}
    for word in words:
        plain = word.strip()
        guesses = (plain, plain.removeprefix("node_of_"), ADDED.sub("", plain), ADDED.sub("", ADDED.sub("", plain)))
        known = (guess if guess in nodes else outputs.get(guess) for guess in guesses if guess)
        yield from filter(None, [next(filter(None, known), None)])


def _between(layer: Mapping[str, Any], nodes: Nodes) -> Iterator[str]:
    """The nodes between the ends of a ``ForeignNode``, in the graph's order; from its start if one is unknown.

    An end may be fused itself: ``{ForeignNode[a + b...c + d]}``.
    """
    if METADATA.search(str(layer.get("Metadata", ""))):
        return  # it names them all
    order = list(nodes)
    for start, end in RANGE.findall(layer["Name"]):
        first, last = ([order.index(name) for name in _found(FUSED.split(word), nodes)] for word in (start, end))
        if last:
            yield from order[min(first, default=0) : max(last) + 1]
