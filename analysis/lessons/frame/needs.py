"""Needs that several lessons share."""

from __future__ import annotations

from probes.records.need import Need

LEAST_RUN = Need("layers", tags=("overhead/*",))
"""The least run of the runtime that times layers."""
MEMORY = (
    Need("bandwidth", tags=("bandwidth/dram/read", "bandwidth/dram/triad")),
    Need("cache", tags=("sweep/bandwidth/working-set/read*", "bandwidth/shared/*")),
)
"""The roofs of memory."""
FP32 = Need("compute", tags=("compute/fp32",))
"""The roof of FP32 on vector units."""
FP16 = Need("tensor_core", tags=("compute/fp16/*mma-fp32",))
"""The roof of FP16 on matrix units."""
ROOFS = (*MEMORY, FP32, FP16, LEAST_RUN)
"""What places layers in FP32 and FP16."""


FLOAT = {"cpu": "fp32", "cuda": "fp16"}
"""The type in which networks of floats are deployed, by kind of device."""


def layers(
    sweep: str,
    *series: str,
    dtypes: tuple[str, ...] = ("fp32",),
    places: tuple[float, ...] = (),
    kinds: tuple[str, ...] = ("cpu", "cuda"),
) -> Need:
    """Layers of a family; series: its curves, or all; places: of its axis, or all."""
    return Need("layers", sweep=sweep, series=series, dtypes=dtypes, places=places, kinds=kinds)


def by_kind(sweep: str, *series: str, places: tuple[float, ...] = ()) -> dict[str, Need]:
    """Layers in the type that is deployed, by kind of device."""
    return {
        kind: layers(sweep, *series, dtypes=(dtype,), places=places, kinds=(kind,))
        for kind, dtype in FLOAT.items()
    }
