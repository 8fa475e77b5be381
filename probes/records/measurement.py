"""The facts a run leaves behind, and their files: all that analysis may know about measuring.

Standard library only, so that a run copied from another machine can be read anywhere. Raw facts are stored;
rates are properties derived from them, so a stored row can never disagree with itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

SCHEMA_VERSION = 1
OK, SKIPPED, FAILED = "ok", "skipped", "failed"
SWEEP, LAYER = "sweep", "layer"
OF_TAG = {"compute": "flops", "layer": "flops", "bandwidth": "bytes", "transfer": "bytes"}
"""What a row's rate counts, by the first part of its tag. Anything else (``latency/l2``) is a time: less is better."""
WITHIN, BEYOND = 0.75, 2.0
"""Parts of its own size, and of the size of the cache before, between which a cache surely holds a working set."""
WIDEST = 0.20
"""Half-width of a median's interval, over the median, beyond which it says too little to be trusted."""
LONGEST_SLUG = 60
"""Letters: as many of any alphabet fit into the 255 bytes of a name."""
ONE_MEMORY = 7.0
"""Compute capability from which L1 and shared memory are one."""
FORMERLY_DISTURBED = "other load disturbed most samples; all were kept"
"""Remark by which runs without the column ``trusted`` told of a row that cannot be trusted."""
FORMERLY_WIDE = "not quiet: the median is known to ±"
"""Beginning of the remark by which they told of each interval, which the row says itself."""


class RidgelineError(Exception):
    """Bad input or an unusable machine: one line that names the thing, the value and the way out (exit 2)."""


@dataclass(frozen=True)
class Cache:
    """One level of cache as the device reports it: its name, bytes, and how many of the device's units share them."""

    level: str
    bytes: int
    units: int


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
        """Folder name of this device's runs: lower case, words joined by ``-``, as long as every file system takes."""
        words = "".join(c if c.isalnum() else " " for c in self.name.lower()).split()
        return "-".join(words)[:LONGEST_SLUG].rstrip("-") or self.kind

    @property
    def caches(self) -> tuple[Cache, ...]:
        """Data caches as reported, smallest first; empty if unknown.

        A GPU reports no L1: from Volta on it is one memory with shared memory, whose largest size stands for it. Of an
        older one it is unknown.
        """
        if self.kind == "cuda":
            one_memory = float(self.arch or 0) >= ONE_MEMORY
            shared = self.facts.get("shared_bytes_per_multiprocessor") if one_memory else None
            sizes = ("l1", shared, 1), ("l2", self.last_cache_bytes, self.units)
            return tuple(Cache(name, size, units) for name, size, units in sizes if size)
        rows = [row for row in self.facts.get("caches", ()) if row["type"] != "Instruction"]
        mine = self.facts.get("cpus") or []
        found = (Cache(f"l{r['level']}", r["size_bytes"], _sharing(r.get("shared_by", ""), mine)) for r in rows)
        return tuple(sorted(found, key=lambda cache: cache.bytes))

    def stays_in_core(self, set_bytes: float) -> bool:
        """Whether a working set of so many bytes stays in one cache of a CPU core's own, its first or its second.

        Loads from there always take as many cycles, unless someone shares the core. A set as large as its cache does
        not stay in it, since whatever else a core touches needs some lines, too; of one that is hardly larger than the
        cache before, a part stays there.
        """
        before = 0
        for cache in self.caches if self.kind == "cpu" else ():
            own = cache.units == 1 and cache.level in ("l1", "l2")
            if own and BEYOND * before <= set_bytes <= WITHIN * cache.bytes:
                return True
            before = cache.bytes
        return False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Device:
        """Rebuild a device from ``run.json``; unknown keys of newer versions are ignored."""
        known = {f.name for f in fields(cls)}
        kept: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in known}
        return cls(**kept)


def _sharing(cpus: str, mine: Sequence[int]) -> int:
    """How many of these processors a list like ``0-3,8`` names; at least 1."""
    ends = [part.split("-") for part in cpus.split(",") if part.strip()]
    return max(1, sum(any(int(e[0]) <= cpu <= int(e[-1]) for e in ends) for cpu in mine))


@dataclass(frozen=True)
class Measurement:
    """One timed, skipped or failed case: a row of ``measurements.csv`` (``results/README.md`` has the units).

    flops and bytes are the work of one repetition, and so are the seconds. ``reason`` says why a row was
    skipped or failed, or is a remark on one that is ok. ``trusted`` is false for a row that may be wrong though it is
    ok; ``doubt`` then says why, and the row draws no roof and carries no verdict.
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
    trusted: bool = True
    doubt: str = ""

    @property
    def quantity(self) -> str:
        """The first part of the tag, that of a sweep left out: ``bandwidth`` of sweep/bandwidth/working-set/read."""
        return self.ceiling.removeprefix(f"{SWEEP}/").split("/")[0]

    @property
    def work(self) -> float | None:
        """Bytes of a bandwidth or transfer row, operations of a compute or layer row, None of a time."""
        counted = OF_TAG.get(self.quantity)
        return getattr(self, counted) if counted else None

    @property
    def value(self) -> float | None:
        """What the row says: its rate, or the median seconds of a latency or an overhead; None unless it is ok."""
        return self.rate if self.quantity in OF_TAG else self.seconds_median if self.status == OK else None

    @cached_property
    def _known(self) -> dict[str, Any]:
        """``params`` as an object, read once: a run asks for its parts again and again."""
        return dict(json.loads(self.params or "{}"))

    @property
    def x(self) -> float | None:
        """Where a point of a sweep stands: its parameter ``x``."""
        place = self._known.get("x")
        return None if place is None else float(place)

    @property
    def beside(self) -> dict[str, float]:
        """Rates (FLOP/s, B/s) by tag that the machine gave at the very moments of this row's samples; mostly none."""
        return dict(self._known.get("beside") or {})

    @property
    def layer(self) -> str:
        """Name of the layer that was timed, empty for anything else."""
        return str(self._known.get("layer") or "")

    @property
    def rate(self) -> float | None:
        """Work over the median time, in B/s, FLOP/s or OP/s; None unless the row is ok."""
        if self.status != OK or not self.work or not self.seconds_median:
            return None
        return self.work / self.seconds_median

    @property
    def spread(self) -> float | None:
        """Half-width of the median's interval over the median; None if there is no interval."""
        if self.seconds_low is None or self.seconds_high is None or not self.seconds_median:
            return None
        return (self.seconds_high - self.seconds_low) / 2 / self.seconds_median


@dataclass(frozen=True)
class Moment:
    """One point of the curve of a sustained load: a row of ``sustained.csv``. seconds: since the start; None is
    unknown."""

    schema_version: int
    device: str
    started: str
    tag: str
    seconds: float
    rate: float
    clock_hz: float | None
    power_w: float | None
    temperature_c: float | None
