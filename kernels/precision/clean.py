"""A network as it deploys: constants folded, normalisations merged into the layers before them.

A runtime does the same before it runs a network, so that the layers that are timed, and given a
precision, are those that will run.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Unavailable, one_line
from kernels.onnx.protos import copy_of, name_nodes
from kernels.runtime.door import onnxruntime

if TYPE_CHECKING:
    from onnx import ModelProto

INSTALL = "onnxslim is not installed: pip install -e '.[plan]'"
LARGEST_MODEL = 2**31 - 1
"""Bytes of the largest protobuf message, in which a network is handed over."""


def cleaned(model: ModelProto) -> Any:
    """A copy of the network with constants folded and layers fused by onnxslim.

    Every node has a name of its own. Raises Unavailable where onnxslim is missing, the network is
    too large, or nothing can clean it.
    """
    # onnxslim imports onnxruntime, which the door keeps from the network
    with contextlib.suppress(ImportError):
        onnxruntime()
    try:
        import onnxslim
    except ImportError as missing:
        raise Unavailable(INSTALL) from missing
    size = model.ByteSize()
    if size > LARGEST_MODEL:
        raise Unavailable(f"it has {size / 1e9:.2f} GB, and a plan takes up to 2.15 GB")
    source = copy_of(model)
    with _quiet():
        try:
            clean = onnxslim.slim(source)
        except Exception as problem:  # whatever its passes raise
            clean = _folded(model, problem)
    name_nodes(clean)
    _multiply(clean)
    return clean


def _multiply(model: ModelProto) -> None:
    """Make each division by a stored number a product with its reciprocal, in place.

    Runtimes have integer kernels for Mul, and none for Div.
    """
    import onnx

    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        divisor = stored.get(node.input[1]) if node.op_type == "Div" else None
        if divisor is None or divisor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(divisor)
        if not np.isfinite(values).all() or not values.all():
            continue
        name = f"{node.output[0]}_reciprocal"
        node.op_type = "Mul"
        node.input[1] = name
        model.graph.initializer.append(onnx.numpy_helper.from_array(1 / values, name))


def _folded(model: ModelProto, problem: Exception) -> Any:
    """The network as ONNX Runtime folds it, where onnxslim cannot. Raises Unavailable."""
    import onnx

    from kernels.runtime.static import fold

    with tempfile.TemporaryDirectory(prefix="ridgeline-") as folder:
        path = Path(folder) / "folded.onnx"
        try:
            fold(model, path)
            return onnx.load(str(path))
        except Exception as second:  # the runtime's own types
            raise Unavailable(
                f"nothing can clean it: onnxslim: {one_line(problem)}; onnxruntime: "
                f"{one_line(second)}"
            ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what onnxslim prints and logs."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
