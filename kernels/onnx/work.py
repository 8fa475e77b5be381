"""How much work each ONNX operation is: FLOPs, parameters and traffic, one row of ROWS each.

How we count (a number without its rule cannot be compared):

- A multiply-add is two operations, so a dot product of K terms is 2·K. A bias starts the
  accumulator and adds none, and the alpha and beta of Gemm fold into its weights: convolutions and
  products count as torchvision's model pages do.
- Each elementwise addition, multiplication, division, comparison, exp, sqrt or other elementary
  function counts one per output element; a reduction counts one per element it reads. Integer,
  quantized and float operations count alike: the work of a layer does not depend on its precision.
- Padding counts as data, as in every framework's count.
- What only moves, reshapes, selects or converts data does no arithmetic: zero FLOPs, and its bytes.
- Activations and normalisations are the arithmetic of their ONNX definition, constants folded.
- What is not in the table has FLOPs None and says so: never zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kernels.onnx import formulas as count
from kernels.onnx.formulas import Count, Unknown
from kernels.onnx.graph import Node, Tensor
from kernels.onnx.slow import slow_of

DOMAINS = frozenset(("", "ai.onnx", "com.microsoft"))
"""Domains whose operations are in the table."""
INDEX_TYPES = frozenset(("int64", "bool", "string"))
"""Types of shapes, axes and indices: arguments, not parameters."""


@dataclass(frozen=True)
class LayerWork:
    """The work of one node."""

    family: str
    flops: float | None
    """Operations; None where not known."""
    parameters: int
    """Elements of its weights."""
    parameter_bytes: float
    compulsory_bytes: float | None
    """Inputs, weights and outputs, once each; None where not known."""
    textbook_bytes: float | None
    """Weights and outputs only; None where not known."""
    problem: str = ""
    """Why something is not known."""
    slow: Mapping[str, float] | None = None
    """Slow operations by name (see ``kernels.onnx.slow``); None where not known."""


@dataclass(frozen=True)
class Operation:
    """A row: ONNX operations of the same work."""

    names: str
    """Separated by spaces; ``domain.Name`` where it is not the operation of ONNX of that name."""
    family: str
    """Groups layers in pictures."""
    flops: Count
    """Counts the operations of a node; raises Unknown."""
    gathers: tuple[int, ...] = ()
    """Places of inputs read only where selected: the rows of an embedding, not the whole table."""
    reads_nothing: bool = False
    """True if only the shape of the input matters."""


def work_of(node: Node, precision: str = "") -> LayerWork:
    """The work of ``node``; ``precision`` (fp16, int8, ...) replaces the type of float tensors."""
    row = _row(node)
    problems: list[str] = []
    flops = slow = None
    try:
        flops = _known_row(node, row).flops(node)
        slow = _slow(node)
    except Unknown as reason:
        problems.append(str(reason))
    except (LookupError, ValueError, TypeError, ZeroDivisionError) as reason:
        problems.append(
            f"{node.op} {node.name}: not as ONNX defines it ({type(reason).__name__}: {reason})"
        )
    weights = [tensor for tensor in _distinct(node.inputs) if _is_parameter(tensor)]
    parameters = sum(tensor.size or 0 for tensor in weights)
    parameter_bytes = sum(tensor.bytes(precision) or 0.0 for tensor in weights)
    compulsory_bytes = textbook_bytes = None
    try:
        written = _written_bytes(node, precision)
        compulsory_bytes = written + _read_bytes(node, row, precision)
        textbook_bytes = written + parameter_bytes
    except Unknown as reason:
        problems.append(str(reason))
    return LayerWork(
        row.family if row else "unknown",
        flops,
        parameters,
        parameter_bytes,
        compulsory_bytes,
        textbook_bytes,
        problem="; ".join(dict.fromkeys(problems)),
        slow=slow,
    )


def _slow(node: Node) -> Mapping[str, float] | None:
    """Its slow operations; None where its shapes do not tell them."""
    try:
        return slow_of(node)
    except (Unknown, LookupError, ValueError, TypeError, ZeroDivisionError):
        return None


def _row(node: Node) -> Operation | None:
    if node.domain not in DOMAINS:
        return None
    return OPERATIONS.get(_full_name(node)) or OPERATIONS.get(node.op)


def _full_name(node: Node) -> str:
    return f"{node.domain}.{node.op}" if node.domain else node.op


def _known_row(node: Node, row: Operation | None) -> Operation:
    """The row of the node; raises Unknown without one, and for a node that runs subgraphs."""
    if node.subgraphs:
        inside = ", ".join(f"{key} ({len(ops)} nodes)" for key, ops in node.subgraphs.items())
        raise Unknown(
            f"{node.op} {node.name}: what of {inside} runs, and how often, is known only as it runs"
        )
    if row is None:
        raise Unknown(f"unknown operation {_full_name(node)}")
    return row


def _distinct(tensors: Iterable[Tensor | None]) -> list[Tensor]:
    """Each tensor once: x·x reads x once."""
    return list({tensor.name: tensor for tensor in tensors if tensor is not None}.values())


def _is_parameter(tensor: Tensor) -> bool:
    return tensor.weight and tensor.dtype not in INDEX_TYPES and tensor.size is not None


def _bytes(node: Node, tensor: Tensor, precision: str) -> float:
    """Bytes of a tensor of the node; raises Unknown."""
    size = tensor.bytes(precision)
    if size is None:
        what = "shape" if tensor.shape is None else f"size of type {tensor.dtype or 'unknown'}"
        raise Unknown(f"{node.op} {node.name}: tensor {tensor.name} has no known {what}")
    return size


def _written_bytes(node: Node, precision: str) -> float:
    return sum(_bytes(node, tensor, precision) for tensor in _distinct(node.outputs))


def _read_bytes(node: Node, row: Operation | None, precision: str) -> float:
    """Bytes of all inputs; of those it gathers from, no more than it writes."""
    if row and row.reads_nothing:
        return 0.0
    gathered = set()
    for place in row.gathers if row else ():
        tensor = node.input(place)
        if tensor is not None:
            gathered.add(tensor.name)
    written = _written_bytes(node, precision)
    sizes = []
    for tensor in _distinct(node.inputs):
        size = _bytes(node, tensor, precision)
        sizes.append(min(size, written) if tensor.name in gathered else size)
    return sum(sizes)


ROWS: tuple[Operation, ...] = (
    Operation("Conv ConvInteger FusedConv NhwcFusedConv", "convolution", count.convolution()),
    Operation("QLinearConv", "convolution", count.convolution(weight=3)),
    Operation("ConvTranspose", "convolution", count.transposed),
    Operation("DeformConv", "convolution", count.deformable),
    Operation("Gemm MatMul MatMulInteger QLinearMatMul", "matmul", count.product),
    Operation("FusedMatMul FusedGemm QGemm MatMulIntegerToFloat", "matmul", count.product),
    Operation("DynamicQuantizeMatMul", "matmul", count.quantized_product),
    Operation("MatMulNBits", "matmul", count.blocked_product),
    Operation("Einsum", "matmul", count.einsum),
    Operation("Attention", "attention", count.attention(past=4)),
    Operation("MultiHeadAttention", "attention", count.attention(past=6)),
    Operation("GroupQueryAttention", "attention", count.grouped_attention, gathers=(7, 8)),
    # It projects its input itself.
    Operation("com.microsoft.Attention", "attention", count.packed_attention),
    # Two products and a sum.
    Operation("RotaryEmbedding", "attention", count.per_output(3)),
    # 3 sigmoids (4 each), 2 tanh, 3 products, 1 sum.
    Operation("LSTM", "recurrent", count.recurrent(4, 18)),
    # 2 sigmoids, tanh, r·h, (1 - z)·n + z·h and a sum.
    Operation("GRU", "recurrent", count.recurrent(3, 14)),
    # Its tanh.
    Operation("RNN", "recurrent", count.recurrent(1, 1)),
    Operation("MaxPool NhwcMaxPool", "pooling", count.pooling(0)),
    Operation("AveragePool QLinearAveragePool", "pooling", count.pooling(1)),
    # Square and sum, then the root.
    Operation("LpPool", "pooling", count.pooling(1, each=2)),
    Operation("GlobalAveragePool QLinearGlobalAveragePool", "pooling", count.per_input(1, 1)),
    Operation("GlobalMaxPool", "pooling", count.per_input(1)),
    Operation("GlobalLpPool", "pooling", count.per_input(2, 1)),
    # Its statistics fold to x·a + b.
    Operation("BatchNormalization", "normalisation", count.per_output(2)),
    Operation(
        "LayerNormalization InstanceNormalization GroupNormalization",
        "normalisation",
        count.normalised(6, 5, 2),
    ),
    # As LayerNormalization, and the shortcut's addition.
    Operation("SkipLayerNormalization", "normalisation", count.normalised(7, 5, 3)),
    Operation(
        "RMSNormalization SimplifiedLayerNormalization", "normalisation", count.normalised(4, 4)
    ),
    Operation("SkipSimplifiedLayerNormalization", "normalisation", count.normalised(5, 4)),
    Operation("LpNormalization", "normalisation", count.normalised(3, 1)),
    Operation("MeanVarianceNormalization", "normalisation", count.per_output(5)),
    Operation("LRN", "normalisation", count.local_response),
    Operation("Softmax QLinearSoftmax", "softmax", count.per_output(count.SOFTMAX)),
    Operation("LogSoftmax", "softmax", count.softmax_log),
    Operation("Hardmax", "softmax", count.per_output(1)),
    Operation("Relu QLinearRelu Erf Tanh ThresholdedRelu", "activation", count.per_output(1)),
    Operation("LeakyRelu QLinearLeakyRelu PRelu Shrink", "activation", count.per_output(2)),
    Operation("Clip", "activation", count.clip),
    # Elu: exp, -1, ·alpha.
    Operation("Elu Softplus Softsign", "activation", count.per_output(3)),
    # Sigmoid: -x, exp, +1, 1/x.
    Operation("Sigmoid QLinearSigmoid HardSigmoid Celu Selu", "activation", count.per_output(4)),
    Operation("HardSwish Mish Swish Silu", "activation", count.per_output(5)),
    Operation("BiasGelu QuickGelu", "activation", count.per_output(6)),
    Operation("Gelu FastGelu", "activation", count.gelu),
    Operation("Add Sub Mul Div Pow Mod QLinearAdd QLinearMul", "elementwise", count.per_output(1)),
    Operation(
        "Neg Abs Sign Sqrt Exp Log Reciprocal Floor Ceil Round", "elementwise", count.per_output(1)
    ),
    Operation(
        "Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh", "elementwise", count.per_output(1)
    ),
    Operation("Equal Greater GreaterOrEqual Less LessOrEqual", "elementwise", count.per_output(1)),
    Operation("Sum Max Min", "elementwise", count.variadic()),
    Operation("Mean", "elementwise", count.variadic(1)),
    Operation("ReduceSum ReduceMax ReduceMin ReduceProd", "reduction", count.per_input(1)),
    Operation("ArgMax ArgMin CumSum CumProd TopK", "reduction", count.per_input(1)),
    Operation("ReduceMean QLinearReduceMean", "reduction", count.per_input(1, 1)),
    Operation("ReduceL1 ReduceSumSquare", "reduction", count.per_input(2)),
    Operation("ReduceL2", "reduction", count.per_input(2, 1)),
    Operation("ReduceLogSum", "reduction", count.per_input(1, 1)),
    # Maximum, subtraction, exp, sum; then log, and the maximum added back.
    Operation("ReduceLogSumExp", "reduction", count.per_input(4, 2)),
    # Scale and zero point.
    Operation("QuantizeLinear DequantizeLinear", "quantize", count.per_output(2)),
    # These, minimum and maximum.
    Operation("DynamicQuantizeLinear", "quantize", count.per_output(4)),
    Operation("Resize Upsample", "image", count.resize),
    Operation("GridSample", "image", count.grid_sample),
    Operation("AffineGrid", "image", count.affine_grid),
    Operation("RoiAlign", "image", count.roi_align),
    Operation("NonMaxSuppression", "image", count.suppression),
    Operation(
        "Reshape Flatten Squeeze Unsqueeze Identity Dropout Transpose", "movement", count.nothing
    ),
    Operation(
        "Concat QLinearConcat Split Expand Tile Pad CenterCropPad Trilu", "movement", count.nothing
    ),
    Operation("Cast CastLike BitCast ReorderInput ReorderOutput", "movement", count.nothing),
    Operation(
        "DepthToSpace SpaceToDepth ReverseSequence OneHot EyeLike", "movement", count.nothing
    ),
    Operation("ScatterND ScatterElements", "movement", count.scatter),
    Operation("Scatter TensorScatter MaxUnpool", "movement", count.nothing),
    Operation("Where Compress NonZero Unique", "movement", count.nothing),
    Operation("And Or Xor Not IsNaN IsInf", "movement", count.nothing),
    Operation("BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot", "movement", count.nothing),
    Operation("Gather GatherElements GatherND Slice", "movement", count.nothing, gathers=(0,)),
    Operation(
        "Shape Size Constant ConstantOfShape Range", "movement", count.nothing, reads_nothing=True
    ),
)
"""The table. A new operation is one row, or one name in a row."""

OPERATIONS: dict[str, Operation] = {name: row for row in ROWS for name in row.names.split()}
