"""The facts a run leaves behind, and their files: all that analysis may know about measuring.

Standard library only, so that a run copied from another machine can be read anywhere. Raw facts are stored;
rates are properties derived from them, so a stored row can never disagree with itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

SCHEMA_VERSION = 1
OK, SKIPPED, FAILED = "ok", "skipped", "failed"


class RidgelineError(Exception):
    """Bad input or an unusable machine: one line that names the thing, the value and the way out (exit 2)."""


@dataclass(frozen=True)
class Device:
    """What one CUDA GPU, Jetson or CPU is. Facts only; ``None`` is unknown.

    kind: ``cuda`` or ``cpu``. arch: compute capability (``9.0``) or CPU core (``zen4``), empty if unknown.
    units: streaming multiprocessors, or the physical cores this process may use. clock_hz: rated maximum
    clock of those units. memory_transfers: transfers per memory clock and pin (2 for DDR).
    last_cache_bytes: the cache nearest to memory. features: instruction sets (``avx512f``) or traits
    (``integrated``). facts: everything else, JSON values only.
    """

    kind: str
    index: int
    name: str
    arch: str
    units: int
    clock_hz: float | None = None
    memory_clock_hz: float | None = None
    memory_bus_bits: int | None = None
    memory_transfers: int | None = None
    last_cache_bytes: int | None = None
    memory_bytes: int | None = None
    memory_free_bytes: int | None = None
    features: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """Folder name of this device's runs: lower case, words joined by ``-``."""
        words = "".join(c if c.isalnum() else " " for c in self.name.lower()).split()
        return "-".join(words) or self.kind

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Device:
        """Rebuild a device from ``run.json``; unknown keys of newer versions are ignored."""
        known = {f.name for f in fields(cls)}
        kept: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in known}
        return cls(**kept)


@dataclass(frozen=True)
class Measurement:
    """One timed, skipped or failed case: a row of ``measurements.csv`` (``results/README.md`` has the units).

    flops and bytes are the work of one repetition, and so are the seconds. ``reason`` says why a row was
    skipped or failed, or is a remark on one that is ok.
    """

    schema_version: int
    device: str
    started: str
    probe: str
    kernel: str
    backend: str
    dtype: str
    ceiling: str
    params: str
    status: str
    reason: str = ""
    flops: float | None = None
    bytes: float | None = None
    seconds_median: float | None = None
    seconds_best: float | None = None
    seconds_low: float | None = None
    seconds_high: float | None = None
    samples: int = 0
    dropped: int = 0
    clock_hz: float | None = None
    instruction: str = ""

    @property
    def work(self) -> float | None:
        """Bytes for a bandwidth or transfer ceiling, operations for a compute ceiling."""
        return self.flops if self.ceiling.startswith("compute") else self.bytes

    @property
    def rate(self) -> float | None:
        """Work over the median time, in B/s, FLOP/s or OP/s; None unless the row is ok."""
        if self.status != OK or not self.work or not self.seconds_median:
            return None
        return self.work / self.seconds_median

    @property
    def spread(self) -> float | None:
        """Half-width of the median's 95 % interval over the median; None if there is no interval."""
        if self.seconds_low is None or self.seconds_high is None or not self.seconds_median:
            return None
        return (self.seconds_high - self.seconds_low) / 2 / self.seconds_median
