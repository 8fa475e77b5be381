"""Needs that several lessons share."""

from __future__ import annotations

from probes.records.need import Need

LEAST_RUN = Need("layers", tags=("overhead/*",))
"""The least run of the runtime that times layers."""
MEMORY = (
    Need("bandwidth", tags=("bandwidth/dram/*",)),
    Need("cache", tags=("sweep/bandwidth/working-set/*", "bandwidth/shared/*")),
)
"""The roofs of memory."""
FP32 = Need("compute", tags=("compute/fp32",))
"""The roof of FP32 on vector units."""
FP16 = Need("tensor_core", tags=("compute/fp16/*-fp32",))
"""The roof of FP16 on matrix units."""
ROOFS = (*MEMORY, FP32, FP16, LEAST_RUN)
"""What places layers in FP32 and FP16."""


def layers(sweep: str, *series: str, dtypes: tuple[str, ...] = ("fp32",), **how: object) -> Need:
    """Layers of a family; series: its curves, or all."""
    return Need("layers", sweep=sweep, series=series, dtypes=dtypes, **how)  # type: ignore[arg-type]
