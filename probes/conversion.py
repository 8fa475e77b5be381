"""What does it cost to change the type of a tensor between two layers?

QuantizeLinear, DequantizeLinear and the casts between FP32 and FP16, each alone, over the elements
of the tensor: what a border between layers of different precision costs where nothing fuses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from kernels.base import no_work
from kernels.device import Device
from kernels.layers import precision
from kernels.runtime import session
from kernels.runtime.kernel import TimedLayer
from probes.harness.case import Case, run_alone
from probes.records.tag import ELEMENTS, OVERHEAD, Sweep

DEFAULT = FULL = False
SIZES = (1 << 10, 1 << 13, 1 << 16, 1 << 19, 1 << 22)
"""Elements: from a vector of features to a large image of 64 channels."""
UNSIGNED = ("cpu",)
"""Providers whose integer kernels take unsigned activations: see kernels.precision.quantize."""


@dataclass(frozen=True)
class Conversion:
    """A change of type."""

    op: str
    """The ONNX operation that does it."""
    dtype: str
    """The narrower of its two types."""
    kinds: tuple[str, ...]
    """Kinds of device that it is asked of."""
    source: str = ""
    """NumPy's name of the type that a Cast reads."""
    to: int = 0
    """The type that a Cast makes, as TensorProto numbers it; 0 for what is no Cast."""


EVERYWHERE = ("cpu", "cuda")
CONVERSIONS: Mapping[str, Conversion] = {
    "quantize": Conversion("QuantizeLinear", "int8", EVERYWHERE),
    "dequantize": Conversion("DequantizeLinear", "int8", EVERYWHERE),
    # x86 has no FP16 kernels in ONNX Runtime
    "fp32-to-fp16": Conversion("Cast", "fp16", ("cuda",), "float32", precision.FLOAT16),
    "fp16-to-fp32": Conversion("Cast", "fp16", ("cuda",), "float16", precision.FLOAT),
}
"""Every change of type, by the name of its curve."""


def cases(device: Device) -> Iterator[Case]:
    """Every conversion at every size, on each provider."""
    for backend in session.providers(device):
        skip = session.missing(backend)
        for series, conversion in CONVERSIONS.items():
            if device.kind not in conversion.kinds:
                continue
            for elements in SIZES:
                yield _case(series, conversion, elements, backend, skip)


def _case(series: str, conversion: Conversion, elements: int, backend: str, skip: str) -> Case:
    """The case of one conversion of so many elements."""
    timed = TimedLayer(
        conversion.op, partial(model, conversion, elements, backend), conversion.dtype
    )
    tag = Sweep(OVERHEAD, ELEMENTS, series)
    params = {"elements": elements}
    kernel = replace(timed.kernel(backend), work=no_work)
    return Case(kernel, conversion.dtype, backend, tag, params, skip, x=float(elements))


def model(conversion: Conversion, elements: int, backend: str) -> Any:
    """A ModelProto of the conversion alone, of a vector of so many elements."""
    if conversion.to:
        return precision.cast((elements,), conversion.source, conversion.to)
    integers = "uint8" if backend in UNSIGNED else "int8"
    return precision.conversion(conversion.op, (elements,), integers=integers)


if __name__ == "__main__":
    run_alone(__file__)
