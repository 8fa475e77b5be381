"""How much of the machine this process may use: a quota of its processors, and memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from probes.harness.devices import groups
from probes.harness.devices.reading import number, read, whole

UNLIMITED = 1 << 60
"""Bytes that are no limit: version 1 writes the largest number of pages, about 2**63 bytes."""
PERIOD_US = 100_000  # the kernel's default, for a quota whose period is not told


def quota_cores(root: Path) -> float | None:
    """Cores' worth of time that the tightest control group allows; None without a limit."""
    return min(_quotas(root), default=None)


def _quotas(root: Path) -> Iterator[float]:
    """Quota over period, in cores, of every control group that has a quota."""
    for folder in groups.folders(root, "cpu"):
        quota_text, _, period_text = read(folder / "cpu.max").partition(" ")
        quota = whole(quota_text)
        period = whole(period_text)
        if quota is None:
            quota = number(folder / "cpu.cfs_quota_us")
            period = number(folder / "cpu.cfs_period_us")
        if period is None:
            period = PERIOD_US
        if quota is not None and quota > 0 and period > 0:
            yield quota / period


def memory(root: Path) -> tuple[int | None, int | None]:
    """(total, free) bytes: the machine's, or what the tightest control group leaves."""
    machine = _meminfo(root)
    totals = [machine["MemTotal"]] if "MemTotal" in machine else []
    frees = [machine["MemAvailable"]] if "MemAvailable" in machine else []
    for folder in groups.folders(root, "memory"):
        limit = _number_in(folder, "memory.max", "memory.limit_in_bytes")
        used = _number_in(folder, "memory.current", "memory.usage_in_bytes")
        if limit is not None and used is not None and limit < UNLIMITED:
            totals.append(limit)
            frees.append(min(limit, max(0, limit - used + _reclaimable(folder))))
    return min(totals, default=None), min(frees, default=None)


def machine_memory(root: Path) -> int | None:
    """Bytes of memory that the machine has, whatever a control group leaves of it."""
    return _meminfo(root).get("MemTotal")


def _meminfo(root: Path) -> dict[str, int]:
    """Bytes of each line of /proc/meminfo by its name; one without a number of kB is left out."""
    bytes_by_name = {}
    for line in read(root / "proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        kib = whole(value.removesuffix("kB").strip())
        if kib is not None:
            bytes_by_name[name.strip()] = kib * 1024
    return bytes_by_name


def _reclaimable(folder: Path) -> int:
    """Bytes of file cache that the group's usage counts, but that the kernel frees on demand.

    MemAvailable of /proc/meminfo leaves them out, too.
    """
    counts = {}
    for line in read(folder / "memory.stat").splitlines():
        words = line.split()
        if len(words) == 2:
            name, count = words
            counts[name] = count
    inactive = counts.get("total_inactive_file") or counts.get("inactive_file") or ""
    return whole(inactive) or 0


def _number_in(folder: Path, *names: str) -> int | None:
    """The number in the first of these files that holds one."""
    for name in names:
        value = number(folder / name)
        if value is not None:
            return value
    return None
