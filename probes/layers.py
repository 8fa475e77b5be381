"""How long do the layers of a neural network take here, and what bounds each?

Families of layers, each a sweep over one of their sizes, run as small ONNX models
(``kernels.layers``); the launch overhead of the runtime that runs them stands beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from kernels import csr, gemm
from kernels.base import Work
from kernels.device import Device
from kernels.gemm import cublaslt
from kernels.layers import FAMILIES, Family, Layer, pruned
from kernels.onnx import net as layer_net
from kernels.runtime import kernel as layer_kernel
from kernels.runtime import launch as layer_launch
from kernels.runtime import session
from kernels.runtime.patience import SECONDS
from probes.harness.case import Case, Probe, question, run_alone
from probes.records.measurement import RidgelineError
from probes.records.tag import LAYER, OVERHEAD, Tag

DEFAULT = FULL = False
TF32_SINCE = 8.0
"""The first compute capability that has TF32."""
SQUARE, LIBRARY = "matmul", "cublaslt"
ZEROS, SCIPY = "zeros", "scipy"


def probe(names: Iterable[str], seconds: float = SECONDS) -> Probe:
    """The probe of these families, or of all if none is named.

    A layer of which one run takes longer than ``seconds`` is skipped.
    Raises RidgelineError for an unknown family.
    """
    chosen = list(names) or list(FAMILIES)
    if wrong := [name for name in chosen if name not in FAMILIES]:
        raise RidgelineError(
            f"no family of layers is called {wrong[0]!r}; there are: {', '.join(FAMILIES)}"
        )
    return Probe(
        "layers", question(__file__), partial(cases, names=chosen, seconds=seconds), default=False
    )


def every(layer: Layer) -> bool:
    """True: no layer of a family is left out."""
    return True


def cases(
    device: Device,
    names: Iterable[str] = tuple(FAMILIES),
    seconds: float = SECONDS,
    wanted: Callable[[Layer], bool] = every,
) -> Iterator[Case]:
    """Every layer of these families that is wanted, in each precision and on each provider."""
    for backend in session.providers(device):
        yield from overhead(backend)
        for name in names:
            for layer in filter(wanted, FAMILIES[name].layers(device.kind)):
                yield from _layer(layer, FAMILIES[name], backend, device, seconds)
    if device.kind == "cuda" and SQUARE in names:
        for layer in filter(wanted, FAMILIES[SQUARE].layers(device.kind)):
            yield from _by_library(layer, FAMILIES[SQUARE], device)
    if device.kind == "cpu" and ZEROS in names:
        for layer in filter(wanted, FAMILIES[ZEROS].layers(device.kind)):
            yield _without_zeros(layer, FAMILIES[ZEROS])


def overhead(backend: str) -> Iterator[Case]:
    """The least run: one element negated, run as layers are.

    On a GPU it is also run by a call of the runtime each time.
    """

    def least() -> object:
        net = layer_net.Net()
        return net.model(net.add("Neg", net.input(1)))

    skip = session.missing(backend)
    kernel = replace(
        layer_kernel.TimedLayer("run", least).kernel(backend), work=lambda dtype, **_: Work()
    )
    ways = {"run": ""} if backend == "cpu" else {"run": "", "call": layer_launch.PLAIN}
    for name, how in ways.items():
        yield Case(kernel, "fp32", backend, Tag(OVERHEAD, name, backend), {"how": how}, skip)


def _layer(
    layer: Layer, family: Family, backend: str, device: Device, seconds: float
) -> Iterator[Case]:
    timed = layer_kernel.TimedLayer(
        layer.op, layer.make, layer.fixed, by_node=layer.by_node, keep_model=True, seconds=seconds
    )
    missing = session.missing(backend)
    for dtype in layer.dtypes or ([layer.fixed] if layer.fixed else family.dtypes[device.kind]):
        facts = {} if missing else timed.facts(dtype, backend)
        place = {"network": "", "layer": layer.name, "sweep": layer.family, "over": family.over}
        params = {**facts, **place, "series": layer.series}
        tag = Tag(LAYER, facts.get("family", layer.family))
        skip = missing or no_type(dtype, device)
        yield Case(timed.kernel(backend), dtype, backend, tag, params, skip, x=layer.x)


def _by_library(layer: Layer, family: Family, device: Device) -> Iterator[Case]:
    """The product by the vendor's library, called directly.

    The difference is what the runtime's choice of a kernel costs.
    """
    timed, n = layer_kernel.TimedLayer(layer.op, layer.make), int(layer.x)
    for dtype in family.dtypes[device.kind]:
        skip = cublaslt.missing(device, dtype) or session.missing("cpu")
        facts = {} if skip else timed.facts(dtype, LIBRARY)
        place = {"network": "", "layer": layer.name, "sweep": layer.family, "over": family.over}
        size = {"m": n, "n": n, "k": n, "layout": "TN", "operands": "random"}
        params = {**facts, **place, **size, "series": layer.series}
        yield Case(gemm.GEMM, dtype, LIBRARY, Tag(LAYER, "matmul"), params, skip, x=layer.x)


def _without_zeros(layer: Layer, family: Family) -> Case:
    """The product of a layer with its zeros left out, by SciPy."""
    place = {"network": "", "layer": f"{layer.name}, CSR", "sweep": ZEROS, "over": family.over}
    size = {"rows": pruned.ROWS["cpu"], "width": pruned.WIDTH["cpu"], "zeros": int(layer.x)}
    facts = {
        "op": layer.op,
        "family": "matmul",
        "provider": SCIPY,
        "precision": "fp32",
        "working_set": csr.CSR.work("fp32", **size).bytes,
    }
    params = {**facts, **place, **size, "series": pruned.SPARSE}
    skip = csr.missing()
    return Case(csr.CSR, "fp32", SCIPY, Tag(LAYER, "matmul"), params, skip, x=layer.x)


def no_type(dtype: str, device: Device) -> str:
    """Why this device has no such type, if no runtime would say so; else empty."""
    if dtype != "tf32":
        return ""
    if device.kind == "cpu":
        return "no CPU multiplies in tf32"
    if float(device.arch) >= TF32_SINCE:
        return ""
    return f"compute capability {device.arch} has no tf32 (since 8.0)"


if __name__ == "__main__":
    run_alone(__file__)
