"""Arrays as the runtime's values and back, on the host or on a GPU.

That works for every type of whole bytes. Types that NumPy lacks (BF16, FP8) are those of
``ml_dtypes``, as onnx names them.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from kernels.base import Unavailable
from kernels.cuda.memory import Stream
from kernels.runtime.door import onnxruntime

HOST, GPU = "cpu", "cuda"
STRING, BFLOAT16 = 8, 16
"""TensorProto.STRING and BFLOAT16."""
WHOLE_NUMBERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
NATIVE: Mapping[str, np.dtype[Any]] = {
    **{name: np.dtype(name) for name in ("bool", "float16", *WHOLE_NUMBERS)},
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
}
"""Types that NumPy has, by the runtime's names."""


def numpy_type(kind: int) -> np.dtype[Any]:
    """NumPy's type for a type of TensorProto.

    Raises Unavailable for one of less than a byte, and for one that is undefined.
    """
    import onnx

    name = onnx.TensorProto.DataType.Name(kind).lower()
    if kind == BFLOAT16:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
        # onnx before 1.18 says float32: the bits are handed over then.
        return dtype if dtype.itemsize == 2 else np.dtype(np.uint16)
    if kind == onnx.TensorProto.UNDEFINED or name.endswith(("int4", "int2", "e2m1")):
        raise Unavailable(f"onnxruntime for Python hands over no tensor of type {name}")
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind))


def empty(shape: Iterable[int], kind: int, place: str = HOST) -> Any:
    """A value of this shape and TensorProto type.

    Raises Unavailable if the runtime has no values of that type.
    """
    dtype = numpy_type(kind)
    is_numpys = dtype.isbuiltin == 1 and kind != BFLOAT16
    element: Any = dtype if is_numpys else kind
    try:
        return onnxruntime().OrtValue.ortvalue_from_shape_and_type(list(shape), element, place, 0)
    except (RuntimeError, TypeError, ValueError) as error:
        raise Unavailable(
            f"onnxruntime makes no tensor of type {dtype}: {' '.join(str(error).split())}"
        ) from None


def filled(array: np.ndarray, kind: int, queue: Stream | None = None) -> Any:
    """The array as a value on the host, or on the GPU of this stream."""
    value = empty(array.shape, kind, HOST if queue is None else GPU)
    source = np.ascontiguousarray(array)
    if queue is None:
        _memory(value, source.nbytes)[...] = source.reshape(-1).view(np.uint8)
        return value
    from cupy.cuda import runtime

    runtime.memcpyAsync(value.data_ptr(), source.ctypes.data, source.nbytes, 1, queue.ptr)
    queue.synchronize()
    return value


def array_of(value: Any, queue: Stream | None = None) -> np.ndarray:
    """The array of a value that is a tensor of numbers, without conversion.

    Raises Unavailable for a type that cannot be handed over.
    """
    try:
        name = str(value.data_type()).removeprefix("tensor(").rstrip(")")
    except RuntimeError as error:  # a type that the runtime's Python has no name for
        raise Unavailable(f"its result cannot be read: {' '.join(str(error).split())}") from None
    out = np.empty(int(np.prod(value.shape(), dtype=np.int64)), _named(name))
    if queue is None:
        out.view(np.uint8)[...] = _memory(value, out.nbytes)
    else:
        from cupy.cuda import runtime

        runtime.memcpyAsync(out.ctypes.data, value.data_ptr(), out.nbytes, 2, queue.ptr)
        queue.synchronize()
    return out.reshape(value.shape())


def _named(name: str) -> np.dtype[Any]:
    """NumPy's type for a name of the runtime: ``float16``, ``bfloat16``, ``float8e4m3fn``."""
    import onnx

    if name in NATIVE:
        return NATIVE[name]
    return numpy_type(int(onnx.TensorProto.DataType.Value(name.upper())))


def is_native(kind: str) -> bool:
    """True for a type, as the runtime names it, that NumPy has or that is no tensor."""
    if not kind.startswith("tensor("):
        return True
    element = kind[len("tensor(") : -1]
    return element in NATIVE or element == "string"


def _memory(value: Any, size: int) -> np.ndarray:
    """The bytes of a value on the host; writing to them writes to the value."""
    block = ctypes.c_uint8 * max(1, size)
    return np.ctypeslib.as_array(block.from_address(value.data_ptr()))[:size]


def flat(answers: Iterable[Any]) -> np.ndarray:
    """All outputs in one vector: of FP32 if none is wider than that, else of FP64.

    Sequences and maps are their items in order; the checksum of a text stands for it.
    """
    parts = [part.ravel() for part in _parts(list(answers))]
    if not parts:
        return np.zeros(0, np.float32)
    fits = all(np.can_cast(part.dtype, np.float32) for part in parts)
    dtype = np.float32 if fits else np.float64
    return np.concatenate([part.astype(dtype, copy=False) for part in parts])


def _parts(answer: Any) -> list[np.ndarray]:
    """The arrays of numbers in an answer of the runtime, or of ONNX's definitions."""
    if answer is None:
        return []
    if isinstance(answer, Mapping):
        return _parts(list(answer.items()))
    if isinstance(answer, (list, tuple)):
        parts = []
        for item in answer:
            parts += _parts(item)
        return parts
    array = np.asarray(answer)
    if array.dtype.kind in "OSU":
        texts = [str(text).encode("utf-8", "surrogatepass") for text in array.ravel()]
        return [np.array([zlib.crc32(text) for text in texts], np.float64)]
    if array.dtype.isbuiltin != 1:
        return [array.astype(np.float32)]
    if array.dtype.kind == "c":
        return [array.real, array.imag]
    return [array]
