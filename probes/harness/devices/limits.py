"""How much of the machine this process may use: a quota of its processors, and memory. Containers
lie elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from probes.harness.devices import groups
from probes.harness.devices.reading import cpu_list, number, read, whole

__all__ = ["cpu_list", "memory", "number", "quota_cores", "read"]

UNLIMITED = 1 << 60  # version 1 writes the largest number of pages, about 2**63 bytes, for no limit
PERIOD_US = 100_000  # of a quota whose period is not told: the kernel's default


def quota_cores(root: Path) -> float | None:
    """Processors' worth of time the tightest control group allows; None without a limit."""
    return min(_quotas(root), default=None)


def _quotas(root: Path) -> Iterator[float]:
    """Quota over period of every group that has one, in processors."""
    for folder in groups.folders(root, "cpu"):
        text, _, spell = read(folder / "cpu.max").partition(" ")
        quota, period = whole(text), whole(spell)
        if quota is None:
            quota, period = (
                number(folder / "cpu.cfs_quota_us"),
                number(folder / "cpu.cfs_period_us"),
            )
        if period is None:
            period = PERIOD_US
        if quota is not None and quota > 0 and period > 0:
            yield quota / period


def memory(root: Path) -> tuple[int | None, int | None]:
    """(total, free) bytes: the machine's, or what the tightest control group leaves."""
    whole_machine = _meminfo(root)
    totals = [whole_machine["MemTotal"]] if "MemTotal" in whole_machine else []
    frees = [whole_machine["MemAvailable"]] if "MemAvailable" in whole_machine else []
    for folder in groups.folders(root, "memory"):
        limit = _first(folder, "memory.max", "memory.limit_in_bytes")
        used = _first(folder, "memory.current", "memory.usage_in_bytes")
        if limit is not None and used is not None and limit < UNLIMITED:
            totals.append(limit)
            frees.append(min(limit, max(0, limit - used + _reclaimable(folder))))
    return min(totals, default=None), min(frees, default=None)


def _meminfo(root: Path) -> dict[str, int]:
    """Bytes by name; a line that holds no number of kB is left out."""
    found = {}
    for line in read(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        kib = whole(value.removesuffix("kB").strip())
        if kib is not None:
            found[name.strip()] = kib * 1024
    return found


def _reclaimable(folder: Path) -> int:
    """Bytes of file cache that the group's usage counts and the kernel gives back on demand, as
    MemAvailable does.
    """
    lines = dict(
        line.split() for line in read(folder / "memory.stat").splitlines() if len(line.split()) == 2
    )
    return whole(lines.get("total_inactive_file") or lines.get("inactive_file") or "") or 0


def _first(folder: Path, *names: str) -> int | None:
    """The number in the first of these files that holds one."""
    return next((value for name in names if (value := number(folder / name)) is not None), None)
