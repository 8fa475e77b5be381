"""Make every shape of an ONNX model a number: load, bind dynamic dimensions, infer the rest.

Exporters compute shapes at run time (Shape, Gather, Concat, Reshape), where plain shape inference
gives up; once the input shapes are numbers that arithmetic is constant, so it is folded between two
rounds of inference.
"""

from __future__ import annotations

import stat
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import one_line
from kernels.onnx.branches import IF, inline
from kernels.onnx.fold import SMALL, constants, dimensions, elements, fold, keep
from kernels.onnx.standins import extend, set_dims

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

Shapes = Mapping[str, Sequence[int]]
MAKERS = frozenset(
    ("ConstantOfShape", "Expand", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample")
)
HIDDEN = "ridgeline.hidden"
KINDS: Mapping[Callable[[int], bool], str] = {
    stat.S_ISDIR: "directory",
    stat.S_ISFIFO: "pipe",
    stat.S_ISCHR: "device",
    stat.S_ISBLK: "device",
    stat.S_ISSOCK: "socket",
}
LONGEST_FOLLOWED = 1 << 18
"""Elements of a vector that inference may follow one by one: more take it a second a node, and
their memory.
"""
LARGEST_FILE = 2**31 - 1
"""Bytes of a protobuf message."""


class OnnxError(Exception):
    """A model cannot be read: one line that names the file or tensor, what is wrong, and the way
    out.
    """


def load(path: Path) -> Any:
    """The ModelProto of a file, small external tensors included, large ones left on disk: only
    their shape counts.
    """
    try:
        import onnx
    except ImportError as missing:
        raise OnnxError(
            f"{path.name}: reading a network needs onnx: pip install -e '.[layers]'"
        ) from missing
    try:
        _check_file(path)
        model = onnx.load(str(path), load_external_data=False)
    except OnnxError:
        raise
    except OSError as problem:
        raise OnnxError(f"{path}: cannot be read: {problem.strerror or problem}") from problem
    except Exception as problem:  # protobuf raises its own types, by version
        raise OnnxError(f"{path}: not an ONNX model: {line(problem)}") from problem
    if not model.graph.node:
        raise OnnxError(f"{path}: not an ONNX model: it has no nodes")
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL and elements(tensor.dims) <= SMALL:
            fetch(tensor, path)
    return model


def _check_file(path: Path) -> None:
    """Raises OnnxError for what is no plain file, which might never end, or is larger than any
    model; and OSError.
    """
    found = path.stat()
    kind = next((name for test, name in KINDS.items() if test(found.st_mode)), "")
    if kind:
        raise OnnxError(f"{path}: is a {kind}: give the file of a network")
    if found.st_size > LARGEST_FILE:
        size = f"{found.st_size / 1e9:.2f} GB"
        raise OnnxError(f"{path}: not an ONNX model: it has {size}, and one holds up to 2.15 GB")


def free_inputs(model: ModelProto) -> list[Any]:
    """Graph inputs that a caller feeds: those with no initializer of their name (IR 3 lists weights
    as inputs).
    """
    given = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in given]


def bind(model: ModelProto, shapes: Shapes | None = None, batch: int | None = None) -> None:
    """Give every input of ``model``, in place, a shape of numbers.

    shapes: ``{input: dimensions}``, which may also name an inner tensor whose shape inference
    cannot find. batch: the first dimension of the inputs not in ``shapes`` where it is 1 or open;
    without it an open one is 1. A symbol bound once is bound everywhere. OnnxError names an input
    that stays open and how to give its shape.
    """
    shapes, symbols = (
        {name: tuple(shape) for name, shape in (shapes or {}).items()},
        dict[str, int](),
    )
    _check_names(model, shapes)
    free = free_inputs(model)
    before = {value.name: dimensions(value) for value in free}
    for value in free:
        _agree(symbols, _bind_given(value, shapes), value.name)
    for value in free:
        if value.name not in shapes:
            symbols.update(_bind_batch(value, symbols, batch))
    for value in [*model.graph.input, *model.graph.value_info, *model.graph.output]:
        _bind_symbols(value, symbols)
    for value in [*model.graph.value_info, *model.graph.output]:
        _open_unknown(value)
    for value in free:
        _check_closed(value, shapes)
    if any(_resized(before[value.name], dimensions(value)) for value in free):
        _forget(model)
    _add_inner(model, {name: shape for name, shape in shapes.items() if name not in before})


def settle(model: ModelProto) -> Any:
    """Infer and fold in turn until nothing more becomes known; a new model, its large weights' data
    left out.

    What the file declares counts only where inference finds nothing: an exporter may be wrong, and
    runtimes go by what they infer.
    """
    small = slim(model)
    inner, outer = (
        {value.name: _copy(value) for value in row}
        for row in (small.graph.value_info, small.graph.output)
    )
    small.graph.ClearField("value_info")
    for value in small.graph.output:
        value.type.tensor_type.ClearField("shape")
    small = _settled(small)
    for declared in (
        inner,
        outer,
    ):  # of the outputs, what follows from the others is no longer believed
        while _declare(small, declared):
            small = _settled(small)
    return small


def _copy(value: ValueInfoProto) -> Any:
    return type(value).FromString(value.SerializeToString())


def shapes_for(model: ModelProto, values: Mapping[str, float]) -> list[Any]:
    """ValueInfoProtos of what is known where inputs of ``model``, whose shapes are bound, have
    these values.

    An input that says how large something is makes it known; so would not even the runtime know
    before it runs.
    """
    return [value for value in _results(_settled_for(model, values)) if is_sized(value)]


def take_branches(model: ModelProto, values: Mapping[str, float]) -> None:
    """Put in the place of an If, in place, the branch that it takes where inputs have these values:
    a network with a branch for each rate of sampling is that of the rate it is fed."""
    while any(node.op_type == IF for node in model.graph.node):
        if not inline(model, constants(_settled_for(model, values))):
            return


def _settled_for(model: ModelProto, values: Mapping[str, float]) -> Any:
    """What ``settle`` makes of the model where these inputs are constants."""
    import onnx

    fixed = slim(model)
    inputs = {value.name: value for value in fixed.graph.input}
    for name, value in values.items():
        dims = dimensions(inputs[name])
        if (
            all(isinstance(dim, int) for dim in dims)
            and elements([int(dim) for dim in dims]) <= SMALL
        ):
            dtype = onnx.helper.tensor_dtype_to_np_dtype(inputs[name].type.tensor_type.elem_type)
            array = np.full([int(dim) for dim in dims], value).astype(dtype)
            fixed.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    stored = {tensor.name for tensor in fixed.graph.initializer}
    keep(fixed.graph, "input", [value for name, value in inputs.items() if name not in stored])
    return settle(fixed)


def take_shapes(model: ModelProto, known: Sequence[Any]) -> None:
    """Declare in ``model``, in place, these shapes of tensors of which it declares none."""
    declared = {value.name: value for value in _results(model)}
    for value in known:
        if value.name not in declared:
            model.graph.value_info.append(value)
        elif not is_sized(declared[value.name]):
            declared[value.name].CopyFrom(value)


def _settled(small: Any) -> Any:
    """Infer and fold in turn; where that leaves shapes open, let inference follow values that are
    known in part.
    """
    while True:
        small = _inferred(small)
        while fold(small) + extend(small):
            small = _inferred(small)
        if not _open(small):
            return small
        followed = _inferred(small, values=True)
        if _open(followed) == _open(small):
            return small
        small = followed


def _inferred(model: ModelProto, values: bool = False) -> Any:
    """A new model with the shapes that ONNX infers; values: also from what integers flow between
    its nodes.
    """
    import onnx.shape_inference

    domains = _hide_costly(model) if values else {}
    try:
        found = onnx.shape_inference.infer_shapes(model, data_prop=values)
    except Exception as problem:
        raise OnnxError(f"{model.graph.name}: shapes do not fit: {line(problem)}") from problem
    finally:
        _show_costly(model, domains)
    _show_costly(found, domains)
    return found


def _hide_costly(model: ModelProto) -> dict[int, str]:
    """Put nodes that make many integers of a few, and those on long vectors, in place, into a
    domain that inference does not know: it would follow each element, whatever memory and time that
    takes. Returns their own domains, by place."""
    vectors = long_vectors(model)
    domains = {
        place: node.domain
        for place, node in enumerate(model.graph.node)
        if node.op_type in MAKERS or not vectors.isdisjoint((*node.input, *node.output))
    }
    for place in domains:
        model.graph.node[place].domain = HIDDEN
    if domains:
        model.opset_import.add(domain=HIDDEN, version=1)
    return domains


def _show_costly(model: ModelProto, domains: Mapping[int, str]) -> None:
    for place, domain in domains.items():
        model.graph.node[place].domain = domain
    if domains:
        keep(
            model, "opset_import", [entry for entry in model.opset_import if entry.domain != HIDDEN]
        )


def long_vectors(model: ModelProto) -> set[str]:
    """Names of vectors that are longer than any whose elements say how large something is."""
    values = [*model.graph.input, *_results(model)]
    return {value.name for value in values if is_sized(value) and _length(value) > LONGEST_FOLLOWED}


def _length(value: ValueInfoProto) -> int:
    """Of a vector; of anything else none."""
    dims = value.type.tensor_type.shape.dim
    return int(dims[0].dim_value) if len(dims) == 1 else 0


def _open(model: ModelProto) -> int:
    """How many results of nodes have no known shape."""
    sized = {value.name for value in _results(model) if is_sized(value)}
    return sum(1 for node in model.graph.node for name in node.output if name and name not in sized)


def _results(model: ModelProto) -> list[Any]:
    """What the file says of tensors that nodes compute, as ValueInfoProtos."""
    return [*model.graph.value_info, *model.graph.output]


def _declare(small: Any, declared: dict[str, Any]) -> int:
    """Take from ``declared``, once each, what is known of tensors whose shape is open, into
    ``small``; how many.
    """
    stored = {tensor.name for tensor in small.graph.initializer}
    known = {value.name: value for value in _results(small)}
    taken = 0
    for name in [name for name in declared if name not in stored and not is_sized(known.get(name))]:
        value = declared.pop(name)
        if name not in known:
            small.graph.value_info.append(value)
        elif not _ranked(known[name]):
            known[name].CopyFrom(value)
        else:
            _fill_open(known[name], value)
        taken += 1
    return taken


def _ranked(value: ValueInfoProto) -> bool:
    return bool(value.type.tensor_type.HasField("shape"))


def _fill_open(value: ValueInfoProto, declared: Any) -> None:
    """Numbers for the open dimensions of ``value``, in place, from a declaration of as many
    dimensions.
    """
    dims, others = value.type.tensor_type.shape.dim, declared.type.tensor_type.shape.dim
    for dim, other in zip(dims, others, strict=False) if len(dims) == len(others) else ():
        if not dim.HasField("dim_value") and other.HasField("dim_value"):
            dim.dim_value = other.dim_value


def contradicted(model: ModelProto, settled: Any) -> dict[str, tuple[str, str]]:
    """Outputs that the file declares otherwise than they are: name -> (shape declared, shape
    found).
    """
    found = {value.name: value for value in settled.graph.output if is_sized(value)}
    wrong = {}
    for value in model.graph.output:
        old = dimensions(value) if _ranked(value) else None
        new = dimensions(found[value.name]) if value.name in found else None
        if old is None or new is None:
            continue
        differ = [a != b for a, b in zip(old, new, strict=False) if isinstance(a, int)]
        if len(old) != len(new) or any(differ):
            wrong[value.name] = (text(old) or "a scalar", text(new) or "a scalar")
    return wrong


def name_nodes(model: ModelProto) -> None:
    """Give every node, in place, a name that is its own: exporters write none, or, in what is
    repeated, one twice.

    A layer is found by its name, and ONNX Runtime refuses a model of two nodes with one.
    """
    given, taken = {node.name for node in model.graph.node}, set[str]()
    for place, node in enumerate(model.graph.node):
        base = node.name or f"{node.op_type}_{place}"
        guesses = chain((base,), (f"{base}_{n}" for n in count(2)))
        node.name = next(
            g for g in guesses if g not in taken and (g == node.name or g not in given)
        )
        taken.add(node.name)


def slim(model: ModelProto) -> Any:
    """A copy with functions inlined and the data of large initializers dropped (protobuf ends at 2
    GB).
    """
    import onnx
    import onnx.inliner  # type: ignore[import-not-found, unused-ignore]

    copy = onnx.ModelProto()
    for field, value in model.ListFields():
        if field.name == "graph":
            _copy_graph(value, copy.graph)
        else:
            _copy_field(copy, field, value)
    return onnx.inliner.inline_local_functions(copy) if copy.functions else copy


def is_sized(value: ValueInfoProto | None) -> bool:
    """True for a ValueInfoProto of a tensor of known type whose every dimension is a number."""
    if value is None:
        return False
    kind = value.type.tensor_type
    return (
        bool(kind.elem_type)
        and kind.HasField("shape")
        and all(dim.HasField("dim_value") for dim in kind.shape.dim)
    )


def line(problem: BaseException) -> str:
    """What an error says, or is where it says nothing."""
    return one_line(problem) or type(problem).__name__


def text(dims: Sequence[int | str]) -> str:
    """``1x3x224x224``, as ``--shape`` takes it."""
    return "x".join(str(dim) or "?" for dim in dims)


def fetch(tensor: TensorProto, path: Path) -> None:
    """Read the data of an external tensor of the model at ``path`` into it, in place, where they
    are at hand.
    """
    import onnx
    from onnx.external_data_helper import load_external_data_for_tensor

    with suppress(OSError, ValueError, onnx.checker.ValidationError), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of keys that onnx does not know; on an error only its value stays unknown
        load_external_data_for_tensor(tensor, str(path.parent))
        tensor.data_location = onnx.TensorProto.DEFAULT
        tensor.ClearField("external_data")


def _copy_graph(graph: GraphProto, copy: Any) -> None:
    import onnx

    for field, value in graph.ListFields():
        if field.name == "initializer":
            for tensor in value:
                header = onnx.TensorProto(
                    name=tensor.name, data_type=tensor.data_type, dims=tensor.dims
                )
                copy.initializer.append(tensor if elements(tensor.dims) <= SMALL else header)
        elif (
            field.name == "sparse_initializer"
        ):  # what runs it makes it dense; shape inference knows none
            for sparse in value:
                kind, name = sparse.values.data_type, sparse.values.name
                copy.initializer.append(
                    onnx.TensorProto(name=name, data_type=kind, dims=sparse.dims)
                )
        else:
            _copy_field(copy, field, value)


def _copy_field(target: Any, field: Any, value: Any) -> None:
    if hasattr(value, "extend"):
        getattr(target, field.name).extend(value)
    elif field.message_type is not None:
        getattr(target, field.name).CopyFrom(value)
    else:
        setattr(target, field.name, value)


def _check_names(model: ModelProto, shapes: Shapes) -> None:
    names = {v.name for v in model.graph.input} | {
        name for node in model.graph.node for name in node.output
    }
    for name in shapes:
        if name not in names:
            inputs = ", ".join(value.name for value in free_inputs(model))
            raise OnnxError(
                f"{name}: no tensor of that name in {model.graph.name}; its inputs are {inputs}"
            )


def _bind_given(value: ValueInfoProto, shapes: Shapes) -> dict[str, int]:
    """Set what the caller gave; the symbols that got a number."""
    if value.name not in shapes:
        return {}
    old, new = dimensions(value), shapes[value.name]
    if value.type.tensor_type.HasField("shape") and len(new) != len(old):
        raise OnnxError(
            f"{value.name}: shape {text(new)} has {len(new)} dimensions, the model's has {len(old)}"
        )
    set_dims(value, new)
    return {a: b for a, b in zip(old, new, strict=False) if isinstance(a, str) and a}


def _agree(symbols: dict[str, int], found: Mapping[str, int], name: str) -> None:
    """Add the symbols found; a symbol is one number everywhere."""
    for symbol, number in found.items():
        if symbols.setdefault(symbol, number) != number:
            others = f"{symbols[symbol]} in another input"
            raise OnnxError(f"{name}: {symbol} is {number} there, and {others}: give one number")


def _bind_batch(
    value: ValueInfoProto, symbols: Mapping[str, int], batch: int | None
) -> dict[str, int]:
    old = dimensions(value)
    first = old[0] if old else 0
    if first in symbols or not (isinstance(first, str) or (first == 1 and batch is not None)):
        return {}
    value.type.tensor_type.shape.dim[0].dim_value = batch or 1
    return {first: batch or 1} if isinstance(first, str) and first else {}


def _bind_symbols(value: ValueInfoProto, symbols: Mapping[str, int]) -> None:
    for dim in value.type.tensor_type.shape.dim if value.type.HasField("tensor_type") else ():
        if dim.dim_param in symbols:
            dim.dim_value = symbols[dim.dim_param]


def _open_unknown(value: ValueInfoProto) -> None:
    """Old exporters write 0 or -1 for a dimension they do not know: inference finds it, also a true
    0, again.
    """
    for dim in value.type.tensor_type.shape.dim if value.type.HasField("tensor_type") else ():
        if dim.dim_value <= 0 and not dim.dim_param:
            dim.ClearField("dim_value")


def _check_closed(value: ValueInfoProto, shapes: Shapes) -> None:
    if value.name in shapes or not value.type.HasField("tensor_type"):
        return
    dims = dimensions(value)
    if not value.type.tensor_type.HasField("shape"):
        raise OnnxError(
            f"input {value.name} has no shape: give it, such as --shape {value.name}=1x3x224x224"
        )
    if any(isinstance(dim, str) for dim in dims):
        example = text(
            [dim if isinstance(dim, int) else 224 if len(dims) == 4 else 128 for dim in dims]
        )
        raise OnnxError(
            f"input {value.name} has dynamic shape {text(dims)}: give it, such as --shape "
            f"{value.name}={example}"
        )


def _resized(old: Sequence[int | str], new: Sequence[int | str]) -> bool:
    """Whether a dimension that was a number changed: the shapes stored in the file are then those
    of the old input.
    """
    return any(isinstance(a, int) and a != b for a, b in zip(old, new, strict=False))


def _forget(model: ModelProto) -> None:
    model.graph.ClearField("value_info")
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")


def _add_inner(model: ModelProto, shapes: Shapes) -> None:
    import onnx

    known = {value.name: value for value in [*model.graph.value_info, *model.graph.output]}
    for name, shape in shapes.items():
        if name in known:
            set_dims(known[name], shape)
        else:  # of unknown type: most are float
            model.graph.value_info.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            )
