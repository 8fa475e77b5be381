"""Load ONNX files, with or without the data of their weights."""

from __future__ import annotations

import stat
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels.base import one_line
from kernels.onnx.protos import elements

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

SPECIAL_FILES: Mapping[Callable[[int], bool], str] = {
    stat.S_ISDIR: "directory",
    stat.S_ISFIFO: "pipe",
    stat.S_ISCHR: "device",
    stat.S_ISBLK: "device",
    stat.S_ISSOCK: "socket",
}
"""What is no plain file, by the test of its mode: reading it might never end."""
LARGEST_FILE = 2**31 - 1
"""Bytes of the largest protobuf message."""
LARGEST_VALUE = 1024
"""Elements of the largest constant whose value counts: shapes, axes, scales. Larger ones are
weights, of which only the shape matters."""


class OnnxError(Exception):
    """A model cannot be read: one line with the file or tensor, what is wrong, and the way out."""


def load(path: Path) -> Any:
    """The ModelProto of a file. Of its external tensors only the small ones are read.

    Raises OnnxError for what cannot be read or is no model.
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
        raise OnnxError(f"{path}: not an ONNX model: {error_text(problem)}") from problem
    if not model.graph.node:
        raise OnnxError(f"{path}: not an ONNX model: it has no nodes")
    for tensor in model.graph.initializer:
        is_external = tensor.data_location == onnx.TensorProto.EXTERNAL
        if is_external and elements(tensor.dims) <= LARGEST_VALUE:
            read_external(tensor, path)
    return model


def _check_file(path: Path) -> None:
    """Raise OnnxError for a special file and one larger than any model; OSError for no file."""
    status = path.stat()
    for is_special, kind in SPECIAL_FILES.items():
        if is_special(status.st_mode):
            raise OnnxError(f"{path}: is a {kind}: give the file of a network")
    if status.st_size > LARGEST_FILE:
        size = f"{status.st_size / 1e9:.2f} GB"
        raise OnnxError(f"{path}: not an ONNX model: it has {size}, and one holds up to 2.15 GB")


def error_text(problem: BaseException) -> str:
    """What an error says, in one line; its type where it says nothing."""
    return one_line(problem) or type(problem).__name__


def read_external(tensor: TensorProto, path: Path) -> None:
    """Read the data of an external tensor of the model at ``path`` into it, in place.

    Leaves it as it is where the data are not at hand.
    """
    import onnx
    from onnx.external_data_helper import load_external_data_for_tensor

    unreadable = (OSError, ValueError, onnx.checker.ValidationError)
    with suppress(*unreadable), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of keys that onnx does not know
        load_external_data_for_tensor(tensor, str(path.parent))
        tensor.data_location = onnx.TensorProto.DEFAULT
        tensor.ClearField("external_data")


def without_weights(model: ModelProto) -> Any:
    """A copy without the data of large weights, and with functions inlined.

    A message with all weights could be larger than protobuf allows.
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


def _copy_graph(graph: GraphProto, copy: Any) -> None:
    import onnx

    for field, value in graph.ListFields():
        if field.name == "initializer":
            for tensor in value:
                if elements(tensor.dims) <= LARGEST_VALUE:
                    copy.initializer.append(tensor)
                    continue
                header = onnx.TensorProto(
                    name=tensor.name, data_type=tensor.data_type, dims=tensor.dims
                )
                copy.initializer.append(header)
        elif field.name == "sparse_initializer":
            # A runtime makes them dense, and shape inference does not know them.
            for sparse in value:
                header = onnx.TensorProto(
                    name=sparse.values.name, data_type=sparse.values.data_type, dims=sparse.dims
                )
                copy.initializer.append(header)
        else:
            _copy_field(copy, field, value)


def _copy_field(target: Any, field: Any, value: Any) -> None:
    """Set a field of ``target`` to a value that ``ListFields`` gave for it."""
    is_repeated = hasattr(value, "extend")
    if is_repeated:
        getattr(target, field.name).extend(value)
    elif field.message_type is not None:
        getattr(target, field.name).CopyFrom(value)
    else:
        setattr(target, field.name, value)
