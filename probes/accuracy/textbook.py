"""What integers do to a trained network, layer by layer: facts for three claims of the textbook.

The network is rapidocr's classifier of the direction of a word: 53 convolutions, 11 of them
depthwise. All answers are computed exactly: kernels that saturate take no part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.onnx.graph import graph_of
from kernels.onnx.protos import copy_of
from kernels.precision.apply import applied
from kernels.precision.calibrate import (
    ENTROPY,
    METHODS,
    MINMAX,
    Histogram,
    all_thresholds,
    thresholds,
)
from kernels.precision.clean import cleaned
from kernels.precision.collect import collect
from kernels.precision.narrow import raised
from kernels.precision.quantize import INT8_IR_VERSION, INT8_OPSET
from kernels.precision.scales import CHANNEL, TENSOR, U8, quantized_weights, scale_of
from kernels.precision.stages import INT8, WEIGHT, WEIGHTED, Stage, stages
from probes.accuracy import trained
from probes.accuracy.exact import Exact, add_outputs
from probes.accuracy.metrics import Comparison, scores_of

if TYPE_CHECKING:
    from onnx import ModelProto

SEED = 7
"""Of the words: always the same."""
CALIBRATING = 16
"""Words that ranges are found on."""
FEW, TESTING = 16, 48
"""Further words, on which errors are found; few do where all layers speak together."""
CONFIDENT = 2.0
"""Standard errors on either side of a mean over some tens of words: 95 %."""
DENSE_STAGES = 14
"""Dense convolutions beside the depthwise ones: evenly spread, which saves time."""
LONG = 1.5
"""An activation is long-tailed if its largest number is so many times larger than 99.9 % of its
numbers are."""
LARGEST_SHARE = "percentile-99.9"
"""The method by which the tail is measured."""
SLOW = ENTROPY
"""The method that takes half a second an activation."""
OF_EACH = 5
"""Activations with long tails, and as many others, that it is tried on."""
NAME = "direction"
DEPTHWISE, DENSE = "depthwise", "dense"
LONG_TAILED, OTHERS = "long-tailed", "others"


@dataclass(frozen=True)
class LayerFact:
    """What was found of one layer, or of one activation, of the network."""

    name: str
    """Of the layer or the activation."""
    place: int
    """Its place in the network, from 0."""
    group: str
    """What it belongs to: ``depthwise`` or ``dense``, ``long-tailed`` or ``others``."""
    values: Mapping[str, float]
    """Signal over noise in dB, by what was done; or another number, by its name."""


class TrainedNetwork:
    """The network as it deploys, its layers, and words to read."""

    def __init__(self) -> None:
        height, width = trained.HEIGHT, trained.DIRECTION_WIDTH
        original = trained.bound(trained.direction_path(), 1, 3, height, width)
        self.model: ModelProto = raised(cleaned(original), INT8_OPSET, INT8_IR_VERSION, INT8)
        self.stages: list[Stage] = stages(graph_of(self.model))
        self.scores = scores_of(self.model)
        """Names of what noise is counted in: scores before the Softmax."""
        words, self.labels = trained.direction_data(CALIBRATING + TESTING, SEED)
        name = self.model.graph.input[0].name
        feeds = [{name: words[place : place + 1]} for place in range(len(words))]
        self.calibration = feeds[:CALIBRATING]
        self.test = feeds[CALIBRATING:]
        self.nodes = {node.name: node for node in self.model.graph.node}
        self.observed = self._with_scores(self.model)
        """The network with its scores among its outputs."""
        self.expected = self._answers(self.model)
        """Scores in FP32, word by word."""

    @property
    def layers(self) -> list[Stage]:
        """The stages with weights, in order."""
        return [stage for stage in self.stages if stage.op in WEIGHTED and INT8 in stage.precisions]

    def is_depthwise(self, stage: Stage) -> bool:
        """True for a convolution in as many groups as channels."""
        groups = [entry.i for entry in self.nodes[stage.name].attribute if entry.name == "group"]
        return bool(groups) and groups[0] > 1

    def weights(self, stage: Stage) -> np.ndarray:
        """The weights of a stage."""
        from onnx import numpy_helper

        name = self.nodes[stage.name].input[WEIGHT]
        stored = next(tensor for tensor in self.model.graph.initializer if tensor.name == name)
        return np.asarray(numpy_helper.to_array(stored))

    def _with_scores(self, model: ModelProto) -> Any:
        observed = copy_of(model)
        add_outputs(observed, self.scores)
        return observed

    def _answers(self, model: ModelProto, words: int = TESTING) -> list[list[np.ndarray]]:
        exact = Exact(self._with_scores(model))
        return [
            [answer[name] for name in self.scores] for answer in exact.run_each(self.test[:words])
        ]

    def signal_over_noise(self, model: ModelProto) -> float:
        """Of the scores of this model against those in FP32, over FEW words, in dB."""
        comparison = Comparison()
        words = zip(self.expected, self._answers(model, FEW), strict=False)
        for expected, actual in words:
            for before, after in zip(expected, actual, strict=True):
                comparison.add(before, after)
        return comparison.sqnr_db() or 0.0

    def by_word(self, model: ModelProto) -> np.ndarray:
        """The same of each word by itself."""
        ratios = []
        for expected, actual in zip(self.expected, self._answers(model), strict=True):
            comparison = Comparison()
            for before, after in zip(expected, actual, strict=True):
                comparison.add(before, after)
            ratios.append(comparison.sqnr_db() or 0.0)
        return np.array(ratios)

    def with_weights(self, stage: Stage, granularity: str) -> tuple[Any, float]:
        """The network with the weights of one stage rounded to int8; and their own noise, in dB."""
        from onnx import numpy_helper

        name = self.nodes[stage.name].input[WEIGHT]
        values = self.weights(stage)
        rounded = _rounded_weights(values, granularity, 0 if stage.op == "Conv" else 1)
        model = copy_of(self.model)
        for tensor in model.graph.initializer:
            if tensor.name == name:
                tensor.CopyFrom(numpy_helper.from_array(rounded, name))
        own = Comparison()
        own.add(values, rounded)
        return model, own.sqnr_db() or 0.0


def _rounded_weights(values: np.ndarray, granularity: str, axis: int) -> np.ndarray:
    """Weights as int8 stands for them, in FP32."""
    codes, scales = quantized_weights(values, granularity, axis)
    if scales.ndim:
        shape = [1] * values.ndim
        shape[axis] = -1
        scales = scales.reshape(shape)
    return (codes * scales).astype(np.float32)


@cache
def network() -> TrainedNetwork:
    """The network, made once a process."""
    return TrainedNetwork()


def weights_by_channel() -> Iterator[LayerFact]:
    """Noise of each convolution's weights in INT8 alone: with one scale, and with one a channel.

    ``own-tensor`` and ``own-channel`` are those of the weights, ``tensor`` and ``channel`` of the
    network's scores.
    """
    trained_network = network()
    convolutions = [stage for stage in trained_network.layers if stage.op == "Conv"]
    dense = [stage for stage in convolutions if not trained_network.is_depthwise(stage)]
    step = max(1, len(dense) // DENSE_STAGES)
    compared = {stage.name for stage in dense[::step][:DENSE_STAGES]}
    for place, stage in enumerate(convolutions):
        is_depthwise = trained_network.is_depthwise(stage)
        if not is_depthwise and stage.name not in compared:
            continue
        values = {}
        for granularity in (TENSOR, CHANNEL):
            model, own = trained_network.with_weights(stage, granularity)
            values[f"own-{granularity}"] = own
            values[granularity] = trained_network.signal_over_noise(model)
        group = DEPTHWISE if is_depthwise else DENSE
        yield LayerFact(stage.name, place, group, values)


def _histograms() -> tuple[list[str], dict[str, Histogram]]:
    """The activations that stages with INT8 read or leave, and the histogram of each."""
    trained_network = network()
    names: dict[str, None] = {}
    for stage in trained_network.stages:
        if INT8 in stage.precisions:
            names.update(dict.fromkeys((*stage.reads, stage.writes)))
    return list(names), _collected(tuple(names))


@cache
def _collected(names: tuple[str, ...]) -> dict[str, Histogram]:
    trained_network = network()
    return collect(trained_network.model, names, trained_network.calibration).whole


def tail_of(histogram: Histogram) -> float:
    """How many times its largest number is larger than 99.9 % of its numbers are."""
    largest = max(-histogram.least, histogram.most)
    most = max(abs(end) for end in thresholds(histogram, LARGEST_SHARE, False))
    return largest / most if most else 1.0


def calibrations() -> Iterator[LayerFact]:
    """Noise that rounding leaves in activations of unseen words, by calibration method.

    ``tail`` is that of ``tail_of``. SLOW is tried on some activations only.
    """
    names, histograms = _histograms()
    inputs = {value.name for value in network().model.graph.input}
    tails = {
        name: tail_of(histograms[name])
        for name in names
        if name not in inputs and not histograms[name].is_flat
    }
    ends = _ends({name: histograms[name] for name in tails}, tails)
    for name, by_method in _noises(ends).items():
        group = LONG_TAILED if tails[name] >= LONG else OTHERS
        values = {"tail": tails[name], **by_method}
        yield LayerFact(name, names.index(name), group, values)


def _ends(
    histograms: Mapping[str, Histogram], tails: Mapping[str, float]
) -> dict[str, dict[str, tuple[float, float]]]:
    """The range of each activation by each method."""
    fast = [method for method in METHODS if method != SLOW]
    ends = all_thresholds(histograms, fast)
    longest = sorted(tails, key=lambda name: -tails[name])
    long_tailed = [name for name in longest if tails[name] >= LONG]
    others = [name for name in longest if tails[name] < LONG]
    for group in (long_tailed, others):
        step = max(1, len(group) // OF_EACH)
        for name in group[::step][:OF_EACH]:
            ends[name][SLOW] = thresholds(histograms[name], SLOW, False)
    return ends


def _noises(
    ends: Mapping[str, Mapping[str, tuple[float, float]]],
) -> dict[str, dict[str, float]]:
    """Signal over noise of each activation over all test words, in dB, by method.

    ends: of the range of each activation, by method.
    """
    trained_network = network()
    model = copy_of(trained_network.model)
    add_outputs(model, list(ends))
    comparisons = {name: {method: Comparison() for method in ends[name]} for name in ends}
    for answer in Exact(model).run_each(trained_network.test[:FEW]):
        for name, by_method in ends.items():
            for method, threshold in by_method.items():
                rounded = _rounded(answer[name], threshold)
                comparisons[name][method].add(answer[name], rounded)
    return {
        name: {method: comparison.sqnr_db() or 0.0 for method, comparison in by_method.items()}
        for name, by_method in comparisons.items()
    }


def _rounded(values: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Floats as uint8 over this range stands for them."""
    scale, zero = scale_of(*ends, U8)
    codes = np.clip(np.rint(values / scale) + zero, 0, 255)
    return np.asarray((codes - zero) * scale)


def sensitivities() -> Iterator[LayerFact]:
    """Noise of the network's scores with one layer in INT8 alone, weights and activations.

    ``alone`` is the mean over words of signal over noise, and ``alone-half`` half of its interval.
    ``over-first`` and ``over-last`` are how far it lies, word by word, above that of the first and
    the last layer, with ``-half``. ``worst`` is that of the word with the most noise. Ranges are
    those of MinMax.
    """
    trained_network = network()
    names, histograms = _histograms()
    ranges = {name: thresholds(histograms[name], MINMAX, False) for name in names}
    layers = trained_network.layers
    ratios = [
        trained_network.by_word(
            applied(trained_network.model, trained_network.stages, {stage.name: INT8}, ranges)
        )
        for stage in layers
    ]
    for place, (stage, of_stage) in enumerate(zip(layers, ratios, strict=True)):
        values = {"worst": float(of_stage.min())}
        means = {
            "alone": of_stage,
            "over-first": of_stage - ratios[0],
            "over-last": of_stage - ratios[-1],
        }
        for name, numbers in means.items():
            values[name] = float(numbers.mean())
            error = float(numbers.std(ddof=1)) / len(numbers) ** 0.5
            values[f"{name}-half"] = CONFIDENT * error
        group = DEPTHWISE if trained_network.is_depthwise(stage) else DENSE
        yield LayerFact(stage.name, place, group, values)
