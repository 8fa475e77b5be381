"""Made-up machines and networks: round numbers whose predictions are known."""

from __future__ import annotations

from dataclasses import replace

from analysis.elsewhere.machine import MEASURED, THEORY, Machine, roofs_of_theory
from analysis.elsewhere.work import MATMUL, WHOLE_NETWORK, LayerWork, NetworkWork
from analysis.model.roofline import Roof, Roofline
from analysis.theory.peaks import Peak
from kernels.device import Device

GIGA = 1e9


def machine(name: str, flops: float, bandwidth: float, share: float = 0.8) -> Machine:
    """A measured machine of this FP32 and memory theory, whose roofs reach ``share`` of it."""
    peaks = {
        "compute/fp32": Peak(flops, "FLOP/s", "made up", "a test", 1.0, flops),
        "bandwidth/dram": Peak(bandwidth, "B/s", "made up", "a test", None, bandwidth),
    }
    roofs = Roofline(
        compute=(Roof("compute/fp32", share * flops, flops, "FLOP/s"),),
        bandwidth=(Roof("bandwidth/dram", share * bandwidth, bandwidth, "B/s"),),
    )
    device = Device("cuda", 0, name, "9.0", 100, last_cache_bytes=1000)
    return Machine(name, device, roofs, MEASURED, peaks, peaks, 1e9, 1, "2026-01-31")


def by_theory(name: str, flops: float, bandwidth: float) -> Machine:
    """A machine of which only theory is known."""
    known = machine(name, flops, bandwidth)
    return replace(known, roofs=roofs_of_theory(known.peaks), basis=THEORY)


def layer(flops: float, moved: float, seconds: float, **facts: object) -> LayerWork:
    """A product of matrices in FP32."""
    work = LayerWork(
        network="net",
        provider="cuda",
        precision="fp32",
        op="MatMul",
        family=MATMUL,
        dtype="fp32",
        flops=flops,
        bytes=moved,
        seconds=seconds,
    )
    return replace(work, **facts)  # type: ignore[arg-type]


def network(*layers: LayerWork, seconds: float | None = None, moved: float = 0.0) -> NetworkWork:
    """A network of these layers. seconds, moved: of the whole in one go, if it was timed so."""
    whole = None
    if seconds is not None:
        whole = layer(
            sum(work.flops or 0.0 for work in layers),
            moved,
            seconds,
            op=WHOLE_NETWORK,
            family=WHOLE_NETWORK,
        )
    return NetworkWork("net", "cuda", "fp32", layers, whole)
