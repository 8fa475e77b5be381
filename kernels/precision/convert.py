"""Convert a model to another precision: models are written in FP32, and timed in others too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kernels.base import KernelError
from kernels.precision.narrow import NARROW, narrow
from kernels.precision.quantize import FORMS, quantize

if TYPE_CHECKING:
    from onnx import ModelProto

AS_WRITTEN = ("fp32", "tf32")
"""Types for which a model stays as it is: TF32 is how a runtime multiplies FP32 numbers."""


def convert(model: ModelProto, dtype: str, per_channel: bool = False, form: str = "u8s8") -> Any:
    """Return the FP32 ModelProto ``model`` in ``dtype``: fp16, bf16, int8, fp32 or tf32.

    Inputs and outputs of the graph are of that type too. per_channel: INT8 weights have a scale for
    each output channel. form: how INT8 is written, a key of ``quantize.FORMS``. Raises Unavailable
    for an operation that has no such type, and KernelError for another type or form.
    """
    if form not in FORMS:
        raise KernelError(f"int8 form {form!r} is not known: use {', '.join(FORMS)}")
    if dtype in AS_WRITTEN:
        return model
    if dtype in NARROW:
        return narrow(model, dtype)
    if dtype != "int8":
        dtypes = (*AS_WRITTEN, *NARROW, "int8")
        raise KernelError(f"no model in {dtype}: use {', '.join(dtypes)}")
    return quantize(model, per_channel, form)
