"""What is wrong with the Q/DQ nodes of a network.

Such a network comes from training with quantization, or from a tool. Its nodes say what should run
on integers; where they stand wrong, a runtime keeps to floats, or loses accuracy that it need not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.onnx.graph import FLOATS, Graph, Node, Tensor
from kernels.precision.floats import floats_of, precisions_of, ranges_of
from kernels.precision.stages import (
    CONVOLUTIONS,
    ENDED,
    IN_INT8,
    PASSING,
    WEIGHT,
    WEIGHTED,
    is_bound,
)
from kernels.precision.units import DECODE, ENCODE

__all__ = ["Flaw", "audit", "floats_of", "precisions_of", "ranges_of"]

BETWEEN, UNENCODED, AROUND_NOTHING = "between", "unencoded", "around nothing"
BRANCH, DEPTHWISE, PER_TENSOR, TWO_SCALES = "branch", "depthwise", "per tensor", "two scales"
SENTENCES: Mapping[str, str] = {
    BETWEEN: (
        "{node}: its result {tensor} is encoded before the Relu that follows, so they do not fuse: "
        "encode after the Relu."
    ),
    UNENCODED: (
        "{node}: it reads integers but its result {tensor} is not encoded, so it runs in floats: "
        "encode its result."
    ),
    AROUND_NOTHING: (
        "{node}: {tensor} is encoded and decoded, and nothing on integers reads or makes it: take "
        "both nodes away."
    ),
    BRANCH: (
        "{node}: its branch {tensor} is not encoded while the other is, so the sum runs in floats: "
        "encode it."
    ),
    DEPTHWISE: (
        "{node}: its depthwise weights {tensor} have one scale for all channels, which costs much "
        "accuracy: give each channel its own."
    ),
    PER_TENSOR: (
        "{node}: its weights {tensor} have one scale: one for each channel would be more exact."
    ),
    TWO_SCALES: (
        "{node}: it passes numbers on, but what it reads and its result {tensor} differ in scale, "
        "so the integers must be scaled anew: give both one scale."
    ),
}
"""What each rule says, for a reader who is no expert."""
HINTS = frozenset((PER_TENSOR,))
"""Rules whose breach costs little."""


@dataclass(frozen=True)
class Flaw:
    """Something wrong with the Q/DQ nodes of a network."""

    rule: str
    """Which rule is broken, a key of SENTENCES."""
    node: str
    """Name of the operation at which it is."""
    op: str
    """What that does, by ONNX's name."""
    tensor: str
    """Name of the activation or weights."""

    @property
    def is_hint(self) -> bool:
        """True if it costs little."""
        return self.rule in HINTS

    @property
    def sentence(self) -> str:
        """What is wrong and what to do, in plain English."""
        return SENTENCES[self.rule].format(node=f"{self.op} {self.node}", tensor=self.tensor)


def audit(graph: Graph) -> list[Flaw]:
    """What is wrong with the Q/DQ nodes of a network, in its order; nothing where it has none."""
    links = _Links(graph)
    flaws: list[Flaw] = []
    for node in graph.nodes:
        if node.op == ENCODE:
            flaws += _around_nothing(node, links)
        elif node.op != DECODE:
            for rule in (_between, _branch, _unencoded, _weights, _two_scales):
                flaws += rule(node, links)
    return flaws


class _Links:
    """Who makes and who reads the tensors of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.results = {tensor.name for tensor in graph.outputs}
        self.makers: dict[str, Node] = {}
        self.readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for tensor in node.outputs:
                if tensor:
                    self.makers[tensor.name] = node
            for name in dict.fromkeys(tensor.name for tensor in node.inputs if tensor):
                self.readers.setdefault(name, []).append(node)

    def decoder(self, tensor: Tensor | None) -> Node | None:
        """The DequantizeLinear that makes a tensor."""
        maker = self.makers.get(tensor.name) if tensor else None
        return maker if maker is not None and maker.op == DECODE else None

    def activations(self, node: Node) -> list[Tensor]:
        """The float activations that a node reads."""
        return [
            tensor
            for tensor in node.inputs
            if tensor and tensor.dtype in FLOATS and not tensor.weight
        ]

    def readers_of(self, node: Node) -> list[Node]:
        """What reads the first result of a node."""
        result = node.outputs[0]
        return [] if result is None else self.readers.get(result.name, [])

    def encoder_after(self, node: Node) -> Node | None:
        """The QuantizeLinear of a node's result, by way of a Relu that alone reads it."""
        readers = self.readers_of(node)
        encoders = [reader for reader in readers if reader.op == ENCODE]
        if encoders:
            return encoders[0]
        result = node.outputs[0]
        is_result = result is not None and result.name in self.results
        if len(readers) == 1 and is_bound(readers[0]) and node.op in ENDED and not is_result:
            return self.encoder_after(readers[0])
        return None


def _between(node: Node, links: _Links) -> Iterator[Flaw]:
    """A Q/DQ pair between an operation and the Relu that could end it."""
    if node.op not in ENDED:
        return
    for encoder in links.readers_of(node):
        if encoder.op != ENCODE:
            continue
        for decoder in links.readers_of(encoder):
            readers = links.readers_of(decoder) if decoder.op == DECODE else []
            if len(readers) == 1 and is_bound(readers[0]):
                yield _flaw(BETWEEN, node, node.outputs[0])


def _branch(node: Node, links: _Links) -> Iterator[Flaw]:
    """A sum of floats and of decoded integers."""
    if node.op != "Add":
        return
    activations = links.activations(node)
    floats = [tensor for tensor in activations if links.decoder(tensor) is None]
    if len(floats) < len(activations):
        for tensor in floats:
            yield _flaw(BRANCH, node, tensor)


def _unencoded(node: Node, links: _Links) -> Iterator[Flaw]:
    """A convolution of integers by integers whose result is not encoded.

    A product has kernels that leave floats. Of others, reading integers does not tell whether they
    were meant to run on them.
    """
    if node.op not in CONVOLUTIONS or not _is_on_integers(node, links):
        return
    decoder = links.decoder(node.input(WEIGHT))
    if decoder is None or decoder.inputs[0] is None or decoder.inputs[0].dtype in FLOATS:
        return  # FP8 leaves floats
    if links.encoder_after(node) is None:
        yield _flaw(UNENCODED, node, node.outputs[0])


def _around_nothing(encoder: Node, links: _Links) -> Iterator[Flaw]:
    """A Q/DQ pair in the midst of floats."""
    source = encoder.inputs[0]
    if source is None or source.weight:
        return
    maker = links.makers.get(source.name)
    if maker is not None and is_bound(maker) and not _reads_codes(maker, links):
        before = maker.inputs[0]
        maker = links.makers.get(before.name) if before else None
    if maker is not None and _reads_codes(maker, links):
        return
    readers: list[Node] = []
    for reader in links.readers_of(encoder):
        if reader.op != DECODE:
            return  # an operation that takes the codes themselves
        readers += links.readers_of(reader)
        result = reader.outputs[0]
        if result is not None and result.name in links.results:
            readers.append(reader)
    if not any(_is_on_integers(reader, links) for reader in readers):
        node = maker or (readers[0] if readers else encoder)
        yield _flaw(AROUND_NOTHING, node if node.op != DECODE else encoder, source)


def _is_on_integers(node: Node, links: _Links) -> bool:
    """True if an operation that has integers reads nothing but decoded ones."""
    if node.op not in IN_INT8:
        return False
    activations = links.activations(node)
    return bool(activations) and all(links.decoder(tensor) for tensor in activations)


def _reads_codes(node: Node, links: _Links) -> bool:
    """True if an operation that has integers reads a decoded one, perhaps beside floats."""
    if node.op not in IN_INT8:
        return False
    return any(links.decoder(tensor) for tensor in links.activations(node))


def _weights(node: Node, links: _Links) -> Iterator[Flaw]:
    """Quantized weights with one scale for all channels."""
    if node.op not in WEIGHTED or len(node.inputs) <= WEIGHT:
        return
    weights = node.inputs[WEIGHT]
    decoder = links.decoder(weights)
    if weights is None or decoder is None or not weights.weight:
        return
    scale = decoder.input(1)
    if scale is None or (scale.size or 0) != 1 or not weights.shape:
        return
    channels = _output_channels(node, weights.shape)
    if channels < 2:
        return
    is_depthwise = node.op == "Conv" and weights.shape[1] == 1 and _groups(node) > 1
    stored = decoder.inputs[0]
    yield _flaw(DEPTHWISE if is_depthwise else PER_TENSOR, node, stored)


def _groups(node: Node) -> int:
    return int(node.attributes.get("group", 1))


def _output_channels(node: Node, shape: Sequence[int]) -> int:
    """How many output channels weights have."""
    if node.op == "Conv" or node.attributes.get("transB"):
        return shape[0]
    return shape[1] if node.op in CONVOLUTIONS and len(shape) > 1 else shape[-1]


def _two_scales(node: Node, links: _Links) -> Iterator[Flaw]:
    """A passing operation whose two sides have scales that differ."""
    if node.op not in PASSING:
        return
    encoder = links.encoder_after(node)
    if encoder is None:
        return
    after = _scale_of(encoder)
    for tensor in links.activations(node):
        decoder = links.decoder(tensor)
        if decoder is None or _type_of_codes(decoder) != _type_of_codes(encoder):
            continue
        before = _scale_of(decoder)
        if before and after and before != after:
            yield _flaw(TWO_SCALES, node, node.outputs[0])
            return


def _type_of_codes(node: Node) -> str:
    """The type of the codes that a Q/DQ node writes or reads."""
    codes = node.outputs[0] if node.op == ENCODE else node.inputs[0]
    return codes.dtype if codes else ""


def _scale_of(node: Node) -> tuple[tuple[float, ...], tuple[int, ...]] | None:
    """Scale and zero point of a Q/DQ node; None where they are not known."""
    scale = node.input(1)
    if scale is None or scale.value is None:
        return None
    zero = node.input(2)
    numbers = (0,) if zero is None or zero.value is None else np.ravel(zero.value).tolist()
    return tuple(np.ravel(scale.value).tolist()), tuple(int(number) for number in numbers)


def _flaw(rule: str, node: Node, tensor: Tensor | None) -> Flaw:
    return Flaw(rule, node.name, node.op, tensor.name if tensor else "")
