"""Write a plan into a network: explicit Q/DQ nodes, casts, and weights in their types.

The result is strongly typed: what a runtime computes in which type stands in the file. An
activation keeps its name for the floats that others read; its codes, and its floats of other types,
have names of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import KernelError, Unavailable
from kernels.onnx.fold import fold
from kernels.onnx.protos import copy_of, keep_only, name_nodes
from kernels.precision.flow import CODES, Range, Scale, fp8_scales_of, scales_of, types_of
from kernels.precision.narrow import (
    BF16_IR_VERSION,
    BF16_OPSET,
    FLOAT,
    NARROW,
    narrowed,
    raised,
)
from kernels.precision.quantize import BIAS, INT8_IR_VERSION, INT8_OPSET
from kernels.precision.scales import (
    BLOCK,
    BLOCK_SIZE,
    CHANNEL,
    S8,
    TENSOR,
    U8,
    quantized_weights,
    scale_of,
)
from kernels.precision.stages import (
    FP8,
    FP32,
    INT8,
    ONNX_DOMAINS,
    WEIGHT,
    WEIGHTED,
    Stage,
    names_read_inside,
)
from kernels.precision.weights import as_fp8, codes_of, fp8_weights, scaled_part, with_bias

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

FORMS = {"u8s8": U8, "s8s8": S8}
"""Of each form of INT8, the form of its activations: see ``scales.scale_of``."""
FP8_OPSET, FP8_IR_VERSION = 19, 9
"""The first whose QuantizeLinear makes FP8, and what it is released with (ONNX's table)."""
BLOCK_OPSET, BLOCK_IR_VERSION = 21, 10
"""The first whose DequantizeLinear has a block_size, and what it is released with."""
CODES_OF = "ridgeline.codes"
"""The entry of a model's metadata that names the codes of each activation, as a JSON object."""
FLOATS, DECODED = "floats", "decoded"
"""Forms of an activation: the floats before its encoding, and those after it."""


def applied(
    model: ModelProto,
    stages: Sequence[Stage],
    precisions: Mapping[str, str],
    ranges: Mapping[str, Range],
    *,
    form: str = "u8s8",
    granularity: str = CHANNEL,
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """The network with each stage in its precision, as a ModelProto of its own.

    stages: of this network. precisions: by stage; one that is not named stays in FP32. ranges: of
    activations, by name. form: ``u8s8`` (activations uint8 with a zero point: the CPU provider of
    ONNX Runtime) or ``s8s8`` (int8 around zero: TensorRT). granularity: what has a scale of its own
    in weights: ``channel``, ``tensor`` or ``block`` (of products; convolutions then have channels).
    metadata: entries for the file. Raises Unavailable for a precision that a stage or ONNX does not
    have, and KernelError for a stage or range that there is not.
    """
    if form not in FORMS:
        raise KernelError(f"int8 form {form!r} is not known: use {', '.join(FORMS)}")
    if granularity not in (CHANNEL, TENSOR, BLOCK):
        raise KernelError(
            f"granularity {granularity!r} is not known: use {CHANNEL}, {TENSOR}, {BLOCK}"
        )
    copy = copy_of(model)
    name_nodes(copy)
    types = types_of(stages, precisions, _read_as_floats(copy, stages))
    if set(types.values()) - {FP32}:
        copy = _in_newer_opset(copy, set(types.values()), granularity)
        fold(copy)
        _check_nodes(copy, stages)
        _Applying(copy, stages, types, ranges, FORMS[form], granularity).apply()
    for key, text in (metadata or {}).items():
        copy.metadata_props.add(key=key, value=text)
    return copy


def ready(model: ModelProto) -> Any:
    """The network in an opset that has INT8: ``applied`` then need not bring it there each time.

    model: each of its nodes has a name of its own. It stays as it is where onnx cannot; else that
    takes about a second of a network of 100 MB.
    """
    try:
        return raised(model, INT8_OPSET, INT8_IR_VERSION, INT8)
    except Unavailable:
        return model


def encoded(model: ModelProto) -> dict[str, str]:
    """The name of the codes of each activation that has some, in a network of ``applied``."""
    for entry in model.metadata_props:
        if entry.key == CODES_OF:
            return dict(json.loads(entry.value))
    return {}


def _read_as_floats(model: ModelProto, stages: Sequence[Stage]) -> set[str]:
    """Names of what others than stages read: results of the network, and what makes no floats."""
    nodes = {name for stage in stages for name in stage.nodes}
    names = {value.name for value in model.graph.output} | names_read_inside(model.graph.node)
    for node in model.graph.node:
        if node.name not in nodes:
            names.update(node.input)
    return names


def _in_newer_opset(model: ModelProto, types: set[str], granularity: str) -> Any:
    """The model in an opset that has all these types. Raises Unavailable where onnx has none."""
    needs = [(INT8_OPSET, INT8_IR_VERSION, INT8)]
    if "bf16" in types:
        needs.append((BF16_OPSET, BF16_IR_VERSION, "bf16"))
    if FP8 in types:
        needs.append((FP8_OPSET, FP8_IR_VERSION, FP8))
    if INT8 in types and granularity == BLOCK:
        needs.append((BLOCK_OPSET, BLOCK_IR_VERSION, f"{INT8} in blocks"))
    opset, ir_version, what = max(needs)
    newer = raised(model, opset, ir_version, what)
    versions = [entry.version for entry in newer.opset_import if entry.domain in ONNX_DOMAINS]
    if max(versions, default=1) < opset:
        raise Unavailable(f"no {what}: it needs opset {opset}, which this onnx does not have")
    newer.ir_version = max(newer.ir_version, ir_version)
    return newer


def _check_nodes(model: ModelProto, stages: Sequence[Stage]) -> None:
    """Raise KernelError for a stage whose nodes are not in the model."""
    names = {node.name for node in model.graph.node}
    for stage in stages:
        if not names.issuperset(stage.nodes):
            raise KernelError(f"stage {stage.name} has nodes that this network has not")


class _Applying:
    """One rewriting of a model, in place."""

    def __init__(
        self,
        model: Any,
        stages: Sequence[Stage],
        types: Mapping[str, str],
        ranges: Mapping[str, Range],
        form: str,
        granularity: str,
    ) -> None:
        self.model = model
        self.graph = model.graph
        self.types = types
        self.form = form
        self.granularity = granularity
        self.stored = {
            tensor.name: tensor for tensor in self.graph.initializer if tensor.data_type == FLOAT
        }
        """FP32 initializers of the network, by name."""
        self.opset = max(
            entry.version for entry in model.opset_import if entry.domain in ONNX_DOMAINS
        )
        self.stage_of = {name: stage for stage in stages for name in stage.nodes}
        self.makers = {name: stage for stage in stages for name in stage.results}
        self.nodes_by_name = {node.name: node for node in self.graph.node}
        bounded = {name for stage in stages if self._ends_at_zero(stage) for name in stage.results}
        self.scales = scales_of(stages, types, ranges, bounded, form)
        """Of the activations that have integer codes, by name."""
        self.fp8_scales = fp8_scales_of(stages, types, ranges)
        """Of the activations that stages in FP8 read, by name."""
        self.taken = {name for node in self.graph.node for name in (*node.input, *node.output)}
        self.taken |= {value.name for value in (*self.graph.input, *self.graph.output)}
        self.taken |= {tensor.name for tensor in self.graph.initializer}
        """Names of tensors that there are."""
        self.names: dict[tuple[str, str], str] = {}
        """The tensor that holds an activation in a form, by both."""
        self.ready: set[tuple[str, str]] = set()
        """Those that a node of the new network leaves already."""
        self.written: dict[Any, str] = {}
        """Names of stored tensors, and of decoded ones, by what they were made of."""
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        """Those that are new."""

    def _ends_at_zero(self, stage: Stage) -> bool:
        """True if a Relu, or a Clip from zero, ends the stage or is it."""
        return len(stage.nodes) > 1 or stage.op == "Relu"

    def _passed_weights(self, node: NodeProto) -> list[str]:
        """Stored floats that are among what a node passes on: parts of a Concat."""
        return [name for name in node.input if name in self.stored and node.op_type == "Concat"]

    def _values(self, name: str) -> np.ndarray:
        import onnx

        return np.asarray(onnx.numpy_helper.to_array(self.stored[name]))

    def apply(self) -> None:
        """Rewrite the model."""
        for proto in self.graph.node:
            self._add(copy_of(proto))
        for value in self.graph.output:
            self._form(value.name, FP32)
        self.graph.ClearField("node")
        self.graph.node.extend(self.nodes)
        self._keep_what_is_read()
        codes = {name: tensor for (name, what), tensor in self.names.items() if what == CODES}
        if codes:
            self.model.metadata_props.add(key=CODES_OF, value=json.dumps(codes))

    def _keep_what_is_read(self) -> None:
        """Drop initializers that nothing reads any more, and what was declared of tensors gone."""
        read = {name for node in self.nodes for name in node.input}
        read |= names_read_inside(self.nodes) | {value.name for value in self.graph.output}
        is_gone = set()
        # one by one, since a copy of all would take as much memory as the network
        for place in reversed(range(len(self.graph.initializer))):
            name = self.graph.initializer[place].name
            if name not in read:
                is_gone.add(name)
                del self.graph.initializer[place]
        self.graph.initializer.extend(tensor for tensor in self.initializers if tensor.name in read)
        keep_only(
            self.graph, "input", [value for value in self.graph.input if value.name not in is_gone]
        )
        left = {name for node in self.nodes for name in node.output}
        keep_only(
            self.graph,
            "value_info",
            [value for value in self.graph.value_info if value.name in left],
        )

    # nodes of the network

    def _add(self, node: Any) -> None:
        """Add a node, with what it reads in the form that it takes."""
        stage = self.stage_of.get(node.name)
        dtype = FP32 if stage is None else self.types[stage.name]
        if stage is None or dtype == FP32:
            for name in (*node.input, *sorted(names_read_inside([node]))):
                self._form(name, FP32)
        elif node.name == stage.name:
            self._read(node, stage, dtype)
        elif dtype in NARROW:
            self._read_narrow(node, dtype, stage)
        if stage is not None:
            self._write(node, stage, dtype)
        self.nodes.append(node)

    def _read(self, node: Any, stage: Stage, dtype: str) -> None:
        """Let the main node of a stage read all in the forms of its type, in place."""
        if dtype in NARROW:
            self._read_narrow(node, dtype, stage)
            return
        names = list(node.input)
        passed = self._passed_weights(node)
        for place, name in enumerate(names):
            if name in stage.reads:
                node.input[place] = self._form(name, DECODED if dtype == INT8 else dtype)
            elif dtype == CODES and name in passed:
                node.input[place] = self._coded_weight(name, self.scales[stage.writes])
            elif name not in self.stored:
                continue
            elif dtype == FP8 and place <= WEIGHT:
                node.input[place] = self._fp8_weight(node, name)
            elif dtype == INT8 and self._is_operand(node, place):
                node.input[place] = self._operand(name)
        if dtype == INT8 and node.op_type in WEIGHTED and names[WEIGHT] in self.stored:
            self._read_weights(node, names, stage)

    def _is_operand(self, node: Any, place: int) -> bool:
        """True for a stored input that is encoded like an activation."""
        if node.op_type == "MatMul":
            return place == 0
        return node.op_type in ("Add", "Mul")

    def _write(self, node: Any, stage: Stage, dtype: str) -> None:
        """Name what a node of a stage leaves by the form in which it leaves it, in place."""
        native = _native(dtype)
        for place, name in enumerate(node.output):
            if name in stage.results:
                node.output[place] = self._name(name, native)
                self.ready.add((name, native))
            elif name and dtype in NARROW:
                node.output[place] = self._name(name, dtype)

    def _read_narrow(self, node: Any, dtype: str, stage: Stage) -> None:
        """Let a node read its floats in FP16 or BF16, in place.

        These are all inputs of the same type variable as an activation: Resize keeps its scales in
        FP32.
        """
        import onnx

        schema = onnx.defs.get_schema(node.op_type, self.opset, node.domain)
        inner = {
            name
            for part in stage.nodes
            for name in self.nodes_by_name[part].output
            if name not in stage.results
        }
        variables = set()
        slots = []
        for place, name in enumerate(node.input):
            slot = schema.inputs[min(place, len(schema.inputs) - 1)]
            slots.append(slot.type_str)
            if name in stage.reads or name in inner:
                variables.add(slot.type_str)
        for place, name in enumerate(node.input):
            if not name or slots[place] not in variables:
                continue
            if name in inner:
                node.input[place] = self._name(name, dtype)
            elif name in self.stored:
                node.input[place] = self._narrow_weight(name, dtype)
            else:
                node.input[place] = self._form(name, dtype)

    # forms of activations

    def _form(self, name: str, form: str) -> str:
        """The tensor that holds an activation in a form; what makes it is added if needed.

        form: fp32 (what readers in FP32 get), fp16, bf16, codes, decoded, or fp8 (through which
        the floats went).
        """
        maker = self.makers.get(name)
        native = FP32 if maker is None else _native(self.types[maker.name])
        is_encoded = native in (FLOATS, CODES)
        if form == DECODED and is_encoded:
            form = FP32  # they are the same
        if form == native:
            return self._name(name, form)
        tensor = self._name(name, form)
        if (name, form) in self.ready:
            return tensor
        self.ready.add((name, form))
        if form == CODES:
            floats = self._form(name, FLOATS if native == FLOATS else FP32)
            self._encode(floats, tensor, self._scale_and_zero(name))
        elif form == DECODED or (form == FP32 and is_encoded):
            self._decode(self._form(name, CODES), tensor, self._scale_and_zero(name))
        elif form == FP8:
            floats = self._form(name, FP32)
            scale, zero = self._fp8_scale_and_zero(name)
            codes = self._fresh(f"{name}_fp8_codes")
            self._encode(floats, codes, (scale, zero))
            self._decode(codes, tensor, (scale, zero))
        else:
            source = native if native in NARROW else FP32
            self._cast(self._form(name, source), tensor, form)
        return tensor

    def _name(self, name: str, form: str) -> str:
        """The name of the tensor that holds an activation in a form: its own for FP32."""
        if form == FP32:
            return name
        if (name, form) not in self.names:
            self.names[name, form] = self._fresh(f"{name}_{form}")
        return self.names[name, form]

    def _fresh(self, name: str) -> str:
        """The name, or one like it that no tensor has."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def _scale_and_zero(self, name: str) -> tuple[str, str]:
        """Names of the stored scale and zero point of an activation."""
        if ("scale", name) not in self.written:
            scale = self.scales[name]
            self.written["scale", name] = self._store(f"{name}_scale", scale.scale)
            self.written["zero", name] = self._store(f"{name}_zero", self._zero(scale))
        return self.written["scale", name], self.written["zero", name]

    def _fp8_scale_and_zero(self, name: str) -> tuple[str, str]:
        """Names of the stored scale and zero of an activation in FP8."""
        scale = self._store(f"{name}_fp8_scale", self.fp8_scales[name].scale)
        return scale, self._store(f"{name}_fp8_zero", as_fp8(np.float32(0)))

    def _encode(self, floats: str, codes: str, scale_and_zero: tuple[str, str]) -> None:
        self._link("QuantizeLinear", [floats, *scale_and_zero], codes)

    def _decode(
        self, codes: str, floats: str, scale_and_zero: tuple[str, ...], **attributes: Any
    ) -> None:
        self._link("DequantizeLinear", [codes, *scale_and_zero], floats, **attributes)

    def _cast(self, source: str, result: str, dtype: str) -> None:
        self._link("Cast", [source], result, to=_type_number(dtype))

    def _link(self, op: str, inputs: Sequence[str], result: str, **attributes: Any) -> None:
        """Add a node between two forms."""
        import onnx

        name = f"{result}_{op}"
        while name in self.nodes_by_name:
            name += "_"
        node = onnx.helper.make_node(op, inputs, [result], name, **attributes)
        self.nodes_by_name[name] = node
        self.nodes.append(node)

    # stored numbers

    def _read_weights(self, node: Any, names: Sequence[str], stage: Stage) -> None:
        """Let a convolution or product in INT8 read its stored weights and bias, in place.

        names: what it read before. A bias is int32 where weights have a scale for a channel or for
        all; it stays float for TensorRT.
        """
        weight = names[WEIGHT]
        values = self._values(weight)
        part = scaled_part(node.op_type, values.ndim, _attributes(node), self.granularity)
        bias = self._integer_bias(node, names, values, part)
        if bias is None:
            numbers, scales = quantized_weights(values, *part)
            node.input[WEIGHT] = self._decoded_stored(weight, numbers, scales, part)
            return
        input_scale = self.scales[stage.reads[0]].scale
        numbers, scales, bias_numbers, bias_scales = with_bias(values, part, bias, input_scale)
        node.input[WEIGHT] = self._decoded_stored(weight, numbers, scales, part)
        node.input[BIAS] = self._decoded_stored(
            names[BIAS], bias_numbers, bias_scales, (part[0], 0)
        )

    def _integer_bias(
        self, node: Any, names: Sequence[str], values: np.ndarray, part: tuple[str, int]
    ) -> np.ndarray | None:
        """The bias of a node if it can be added in the accumulator, None else."""
        granularity, axis = part
        is_there = len(names) > BIAS and names[BIAS] in self.stored
        if not is_there or self.form != U8 or granularity == BLOCK:
            return None
        attributes = _attributes(node)
        is_scaled = attributes.get("alpha", 1.0) != 1 or attributes.get("beta", 1.0) != 1
        if node.op_type not in ("Conv", "Gemm") or is_scaled:
            return None
        bias = self._values(names[BIAS])
        if bias.ndim != 1 or (granularity == CHANNEL and bias.size != values.shape[axis]):
            return None
        return bias

    def _operand(self, name: str) -> str:
        """A stored operand, of an Add or on the left of a product, like an activation."""
        values = self._values(name)
        key = ("operand", name)
        if key not in self.written:
            scale = Scale(*scale_of(float(values.min()), float(values.max()), self.form))
            codes = self._store(f"{name}_codes", codes_of(values, scale, self.form))
            scale_name = self._store(f"{name}_scale", scale.scale)
            zero = self._store(f"{name}_zero", self._zero(scale))
            self.written[key] = self._fresh(f"{name}_decoded")
            self._link("DequantizeLinear", [codes, scale_name, zero], self.written[key])
        return self.written[key]

    def _coded_weight(self, name: str, scale: Scale) -> str:
        """The codes of a stored tensor that is passed on beside codes of this scale."""
        key = ("codes", name, scale)
        if key not in self.written:
            codes = codes_of(self._values(name), scale, self.form)
            self.written[key] = self._store(f"{name}_codes", codes)
        return self.written[key]

    def _fp8_weight(self, node: Any, name: str) -> str:
        """Stored weights in FP8, decoded; a scale for each channel where blocks are asked for."""
        values = self._values(name)
        granularity = TENSOR if self.granularity == TENSOR else CHANNEL
        part = scaled_part(node.op_type, values.ndim, _attributes(node), granularity)
        numbers, scales = fp8_weights(values, part)
        return self._decoded_stored(name, numbers, scales, part)

    def _narrow_weight(self, name: str, dtype: str) -> str:
        """A stored tensor in FP16 or BF16."""
        import onnx

        key = (dtype, name)
        if key not in self.written:
            values = self._values(name)
            self.written[key] = self._fresh(f"{name}_{dtype}")
            self.initializers.append(
                onnx.TensorProto(
                    name=self.written[key],
                    data_type=_type_number(dtype),
                    dims=values.shape,
                    raw_data=narrowed(values, dtype),
                )
            )
        return self.written[key]

    def _decoded_stored(
        self, name: str, numbers: np.ndarray, scales: np.ndarray, part: tuple[str, int]
    ) -> str:
        """Store numbers around zero and decode them, once; returns the name of the floats.

        Operations that share weights share what is made of them, where the scales are the same.
        """
        granularity, axis = part
        key = (name, part, str(numbers.dtype), scales.tobytes())
        if key in self.written:
            return self.written[key]
        source = self._store(f"{name}_codes", numbers)
        scale = self._store(f"{name}_scale", scales)
        zero = self._store(f"{name}_zero", np.zeros(scales.shape, numbers.dtype))
        attributes = {} if granularity == TENSOR else {"axis": axis}
        if granularity == BLOCK:
            attributes["block_size"] = BLOCK_SIZE
        self.written[key] = self._fresh(f"{name}_decoded")
        self._link("DequantizeLinear", [source, scale, zero], self.written[key], **attributes)
        return self.written[key]

    def _zero(self, scale: Scale) -> Any:
        """A zero point in the type of the activations' codes."""
        kind = np.uint8 if self.form == U8 else np.int8
        return kind(scale.zero_point)

    def _store(self, name: str, values: Any) -> str:
        """Add an initializer under a name like this; returns it."""
        import onnx

        fresh = self._fresh(name)
        self.initializers.append(onnx.numpy_helper.from_array(np.asarray(values), fresh))
        return fresh


def _native(dtype: str) -> str:
    """The form in which a stage that runs so leaves its results."""
    if dtype == INT8:
        return FLOATS
    return FP32 if dtype == FP8 else dtype


def _attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node as Python values."""
    import onnx

    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


def _type_number(dtype: str) -> int:
    """The number of a float type in TensorProto."""
    import onnx

    name = NARROW.get(dtype, "float")
    return int(onnx.TensorProto.DataType.Value(name.upper()))
