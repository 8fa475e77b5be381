"""Which ONNX nodes does a layer of TensorRT hold?

Each node belongs to one layer, so that work is counted once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from probes.importers.layer_row import Nodes

METADATA = re.compile(r"\[ONNX Layer: ([^\]|]*)(?:\|[^\]]*)?\]")
RANGE = re.compile(r"\{ForeignNode\[((?:(?!\.\.\.).)*)\.\.\.(.*?)\]\}")
FUSED = re.compile(r" \+ | \|\| |, |PWN\(|\{ForeignNode\[|\]\}|(?<!\))\)+(?= |,|$)|^\(+")
"""None of these looks at a letter more than a few times, however long a name is made."""
ADDED = re.compile(r"(_myl\d*_\d+|_clone_\d+|_output_\d+|_(de)?quantize(_scale)?_node)$")
HOLDS_NONE = ("Reformatting CopyNode", "Reformatted ")
"""How names of layers begin that hold no node, though they may name one."""


def nodes_by_layer(
    layers: Sequence[Mapping[str, Any]], seconds: Mapping[str, float], nodes: Nodes
) -> list[tuple[list[str], bool]]:
    """For each layer the names of the nodes it holds, and if it names any of another layer.

    A node that several layers name (one ONNX softmax may become two kernels) belongs to the slowest
    of them. The nodes between the two ends of a ``ForeignNode`` are those that no other layer
    names.
    """
    book = _Book(nodes)
    named = [list(dict.fromkeys(_named(layer, book))) for layer in layers]
    owners: dict[str, int] = {}
    slowest_last = sorted(range(len(layers)), key=lambda i: seconds.get(layers[i]["Name"], 0.0))
    for index in slowest_last:
        owners.update(dict.fromkeys(named[index], index))
    for index, layer in enumerate(layers):
        for name in _between(layer, book):
            owners.setdefault(name, index)
    shared = [any(owners[name] != index for name in names) for index, names in enumerate(named)]
    inside: list[list[str]] = [[] for _ in layers]
    for name in nodes:
        if name in owners:
            inside[owners[name]].append(name)
    return list(zip(inside, shared, strict=True))


class _Book:
    """The nodes of a model: their order, and by what names a tool may call them."""

    def __init__(self, nodes: Nodes) -> None:
        self.order = list(nodes)
        self.places = {name: place for place, name in enumerate(nodes)}
        self.outputs = {work.output: name for name, work in nodes.items()}

    def find(self, word: str) -> str | None:
        """The node that is called so, or whose output is."""
        return word if word in self.places else self.outputs.get(word)


def _named(layer: Mapping[str, Any], book: _Book) -> Iterator[str]:
    """Nodes that a layer names: in its metadata if it has any, else in its own name."""
    name = layer["Name"]
    metadata = METADATA.findall(f"{layer.get('Metadata', '')}{name}")
    if metadata:
        yield from _nodes_in(metadata, book)
    elif name in book.places:
        yield name
    elif not name.startswith(HOLDS_NONE):
        yield from _nodes_in(FUSED.split(RANGE.sub("", name)), book)
        for ends in RANGE.findall(name):
            yield from _nodes_in(FUSED.split(" + ".join(ends)), book)


def _nodes_in(words: Iterable[str], book: _Book) -> Iterator[str]:
    """The nodes that these words name, with or without what TensorRT adds to a name."""
    for word in words:
        plain = word.strip()
        without_one = ADDED.sub("", plain)
        without_two = ADDED.sub("", without_one)
        for guess in (plain, plain.removeprefix("node_of_"), without_one, without_two):
            node = book.find(guess) if guess else None
            if node:
                yield node
                break


def _between(layer: Mapping[str, Any], book: _Book) -> Iterator[str]:
    """The nodes between the ends of a ``ForeignNode``, in the graph's order.

    They begin with the graph where the first end is unknown; there are none where the last is. An
    end may be fused itself: ``{ForeignNode[a + b...c + d]}``.
    """
    if METADATA.search(str(layer.get("Metadata", ""))):
        return  # it names them all
    for start, end in RANGE.findall(layer["Name"]):
        first = [book.places[name] for name in _nodes_in(FUSED.split(start), book)]
        last = [book.places[name] for name in _nodes_in(FUSED.split(end), book)]
        if last:
            yield from book.order[min(first, default=0) : max(last) + 1]
