"""Trained networks and labelled data that come inside packages, for tests that claim accuracy.

Two networks of rapidocr with words that are rendered (see ``probes.accuracy.trained``), and a
network of scikit-learn's digits that is trained in seconds.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from probes.accuracy.trained import (
    bound,
    direction_data,
    direction_path,
    recogniser_data,
    recogniser_path,
)

__all__ = [
    "bound",
    "digits_data",
    "digits_network",
    "direction_data",
    "direction_path",
    "missing",
    "recogniser_data",
    "recogniser_path",
]


def missing() -> str:
    """The package that is not installed, or nothing."""
    needed = ("onnx", "onnxruntime", "matplotlib", "PIL", "rapidocr", "sklearn")
    return next((name for name in needed if find_spec(name) is None), "")


@cache
def digits_data() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits: inputs 1797 x 64 within 0..1, labels 1797."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.data / 16).astype(np.float32), np.asarray(digits.target)


TRAINED_ON = 897
"""The first digits train the network; the others are unseen."""


@cache
def _digits_layers() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Weights and bias of each layer, trained in a second."""
    from sklearn.neural_network import MLPClassifier

    inputs, labels = digits_data()
    perceptron = MLPClassifier((48, 32), max_iter=400, random_state=3)
    perceptron.fit(inputs[:TRAINED_ON], labels[:TRAINED_ON])
    pairs = zip(perceptron.coefs_, perceptron.intercepts_, strict=True)
    return tuple((weights.astype(np.float32), bias.astype(np.float32)) for weights, bias in pairs)


def digits_network(batch: int = 1, outlier: float = 0.0) -> Any:
    """A ModelProto of three Gemms that reads a digit: input ``x`` batch x 64, output batch x 10.

    outlier: weights of one more hidden channel, which Relu always makes zero: no answer changes,
    but one scale for all weights gets coarse.
    """
    import onnx
    from onnx import helper, numpy_helper

    layers = [[weights.copy(), bias.copy()] for weights, bias in _digits_layers()]
    if outlier:
        weights, bias = layers[0]
        # no digit has a pixel below zero
        layers[0][0] = np.column_stack([weights, np.full(len(weights), -outlier, np.float32)])
        layers[0][1] = np.append(bias, np.float32(0))
        layers[1][0] = np.vstack([layers[1][0], np.zeros(layers[1][0].shape[1], np.float32)])
    nodes, stored = [], []
    tensor = "x"
    for place, (weights, bias) in enumerate(layers):
        is_last = place == len(layers) - 1
        stored.append(numpy_helper.from_array(weights, f"w{place}"))
        stored.append(numpy_helper.from_array(bias, f"b{place}"))
        result = "scores" if is_last else f"sum{place}"
        reads = [tensor, f"w{place}", f"b{place}"]
        nodes.append(helper.make_node("Gemm", reads, [result], f"gemm_{place}"))
        if not is_last:
            tensor = f"hidden{place}"
            nodes.append(helper.make_node("Relu", [result], [tensor], f"relu_{place}"))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, 64])],
        [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [batch, 10])],
        stored,
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return onnx.shape_inference.infer_shapes(model)
