"""The kinds of layers that TensorRT names, and the work that follows from their descriptions.

Kinds are those of ``enum class LayerType`` in NvInfer.h (TensorRT 8 to 11), of the engine inspector
(``CaskPooling``) and of its compiler Myelin (``avgpool``). Each is counted as the ONNX operation
that does the same, by the rules of ``kernels.onnx.work``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kernels.onnx.graph import Node, Tensor
from kernels.onnx.work import OPERATIONS, work_of
from probes.importers.trtexec.files import Layer

MOVES = frozenset(
    # what the engine adds, and its control flow
    (
        "reformat",
        "noop",
        "constant",
        "trainstation",
        "signal",
        "wait",
        "copy",
        "memcpy",
        "memset",
        "shapecall",
        "hosttodevicecopy",
        "devicetoshapehostcopy",
        "shapehosttodevicecopy",
        "triplimit",
        "recurrence",
        "iterator",
        "loopoutput",
        "condition",
        "conditionalinput",
        "conditionaloutput",
        "assertion",
        "attentioninput",
        "attentionoutput",
        "distcollective",
        # what a network asks for
        "shuffle",
        "slice",
        "padding",
        "pad",
        "concatenation",
        "concat",
        "gather",
        "scatter",
        "select",
        "identity",
        "cast",
        "shape",
        "fill",
        "onehot",
        "nonzero",
        "reversesequence",
        "squeeze",
        "unsqueeze",
        "transpose",
        "reshape",
        "split",
        "kvcacheupdate",
    )
)
"""Kinds that compute nothing."""
SAME_AS: Mapping[str, str] = {
    "convolution": "Conv",
    "correlation": "Conv",
    "convactpool": "Conv",
    "gemmconvolution": "Conv",
    "flattenconvolution": "Conv",
    "depthwiseconvolution": "Conv",
    "deconvolution": "ConvTranspose",
    "deconv": "ConvTranspose",
    "matrixmultiply": "MatMul",
    "matmul": "MatMul",
    "gemm": "MatMul",
    "fullyconnected": "MatMul",
    "einsum": "Einsum",
    "activation": "Relu",
    "parametricrelu": "PRelu",
    "unary": "Neg",
    "elementwise": "Add",
    "scale": "BatchNormalization",
    "softmax": "Softmax",
    "raggedsoftmax": "Softmax",
    "pooling": "MaxPool",
    "maxpool": "MaxPool",
    "avgpool": "AveragePool",
    "reduce": "ReduceSum",
    "topk": "TopK",
    "cumulative": "CumSum",
    "lrn": "LRN",
    "normalization": "LayerNormalization",
    "quantize": "QuantizeLinear",
    "dequantize": "DequantizeLinear",
    "dynamicquantize": "DynamicQuantizeLinear",
    "resize": "Resize",
    "gridsample": "GridSample",
    "nms": "NonMaxSuppression",
    "rotaryembedding": "RotaryEmbedding",
    "attention": "Attention",
    "rnn": "LSTM",
}
"""The ONNX operation that does the same as a kind.

Kinds that say nothing of what they do (``kgen``, ``Myelin``, ``fusion``, plugins) have none.
"""
COUNTED = frozenset(
    (
        "unary",
        "elementwise",
        "scale",
        "softmax",
        "reduce",
        "topk",
        "cumulative",
        "quantize",
        "dequantize",
        "dynamicquantize",
        "parametricrelu",
    )
)
"""Kinds whose operations follow from their shapes alone."""
FUNCTIONS: Mapping[str, str] = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "leakyrelu": "LeakyRelu",
    "elu": "Elu",
    "selu": "Selu",
    "softsign": "Softsign",
    "softplus": "Softplus",
    "clip": "Clip",
    "hardsigmoid": "HardSigmoid",
    "thresholdedrelu": "ThresholdedRelu",
    "geluerf": "Gelu",
    "gelutanh": "FastGelu",
    "scaledtanh": "Tanh",
}
"""ONNX operations by the names of ``enum class ActivationType``."""


def kind_of(layer: Layer) -> str:
    """The kind of a layer, one word in small letters; empty if the layer tells none.

    The first of its types that is a kind of MOVES or SAME_AS counts, else its ``LayerType``.
    """
    for key in ("LayerType", "ParameterType"):
        word = _word(layer.get(key, ""))
        for kind in (word, _plain(word)):
            if kind in MOVES or kind in SAME_AS:
                return kind
    return _word(layer.get("LayerType", ""))


def _word(name: str) -> str:
    return "".join(re.findall(r"[a-z0-9]+", name.lower()))


def _plain(word: str) -> str:
    """``convolution`` of caskconvolution, ``softmax`` of softmaxv2, ``slice`` of kslice."""
    bare = re.sub(r"v\d+$", "", word)
    return re.sub(r"^(cask|cudnn|cublas|tiled|k(?!gen|v))", "", bare)


def family_of_kind(kind: str) -> str:
    """The family of a kind by which pictures group layers; empty if it says nothing."""
    if kind in MOVES:
        return "movement"
    return OPERATIONS[SAME_AS[kind]].family if kind in SAME_AS else ""


def own_flops(layer: Layer) -> float | None:
    """Operations of a layer as its own description has them; None where that does not tell."""
    kind = kind_of(layer)
    if kind in MOVES:
        return 0.0
    inputs = _tensors(layer.get("Inputs", []))
    outputs = _tensors(layer.get("Outputs", []))
    operation = SAME_AS.get(kind)
    if kind == "fullyconnected":
        return _of_weights(layer, inputs, dense=True)
    if operation == "Conv":
        return _of_weights(layer, outputs, dense=False)
    if operation == "ConvTranspose":
        return _of_weights(layer, inputs, dense=False)
    if kind.startswith("pointwise"):
        return _pointwise(layer, outputs)
    if operation == "MatMul":
        return _product(inputs, outputs)
    if kind == "activation":
        function = layer.get("ActivationType", layer.get("Activation", ""))
        return _counted(FUNCTIONS.get(_word(str(function))), inputs, outputs)
    if operation in ("MaxPool", "AveragePool"):
        is_average = "average" in str(layer.get("PoolingType", "")).lower() or kind == "avgpool"
        pooling = "AveragePool" if is_average else "MaxPool"
        window = layer.get("WindowSize")
        if not isinstance(window, list) or not window:
            return None
        if not all(type(n) is int and n > 0 for n in window):
            return None
        return _counted(pooling, inputs, outputs, kernel_shape=window)
    return _counted(operation, inputs, outputs) if kind in COUNTED else None


def _tensors(tensors: Iterable[Mapping[str, Any]]) -> tuple[Tensor, ...]:
    """With their shapes where these are known."""
    shapes = (each.get("Dimensions", [-1]) for each in tensors)
    return tuple(
        Tensor(f"t{i}", None if -1 in shape else tuple(shape)) for i, shape in enumerate(shapes)
    )


def _counted(
    operation: str | None,
    inputs: tuple[Tensor, ...],
    outputs: tuple[Tensor, ...],
    **attributes: Any,
) -> float | None:
    """Operations of an ONNX operation on these tensors."""
    return work_of(Node(operation, "", inputs, outputs, attributes)).flops if operation else None


def _of_weights(layer: Layer, tensors: Sequence[Tensor], dense: bool) -> float | None:
    """Operations of a layer that uses every weight at each place, for each entry of the batch.

    tensors: those of the side that has the places, the output of a convolution, or the input of a
    transposed one. A dense layer has no places.
    """
    weights = layer.get("Weights")
    shape = tensors[0].shape if tensors else None
    if not isinstance(weights, dict) or not weights.get("Count") or not shape:
        return None
    if len(shape) < 3 and not dense:
        return None
    batch = shape[:1]
    places = batch if dense else (*batch, *shape[2:])
    if min(places) <= 0:
        return None
    return 2.0 * float(weights["Count"]) * math.prod(places)


def _pointwise(layer: Layer, outputs: Sequence[Tensor]) -> float | None:
    """As many operations for every element as the layer says it does."""
    counts = [layer.get(name) for name in ("NbOperations", "NbInstructions")]
    count = next((count for count in counts if type(count) is int), 0)
    size = outputs[0].size if outputs else None
    return float(count) * size if count > 0 and size is not None else None


def _product(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> float | None:
    """Two operations for every output and term of its sum, in whichever order matrices lie."""
    if len(inputs) < 2 or not outputs:
        return None
    left, right, result = (each.shape for each in (inputs[0], inputs[1], outputs[0]))
    if not left or not right or not result or min(len(left), len(right), len(result)) < 2:
        return None
    terms = set(left[-2:]) & set(right[-2:])
    fitting = [
        n
        for n in terms
        if sorted(left[-2:]) == sorted((n, result[-2]))
        and sorted(right[-2:]) == sorted((n, result[-1]))
    ]
    return 2.0 * math.prod(result) * fitting[0] if len(fitting) == 1 else None
