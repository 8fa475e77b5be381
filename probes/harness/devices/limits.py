"""How much of the machine this process may use: processors, a quota of them, and memory. Containers lie elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

UNLIMITED = 1 << 60  # version 1 writes the largest number of pages, about 2**63 bytes, for no limit


def read(path: Path) -> str:
    """The stripped text of a file of /proc or /sys; empty if it is not there or not ours to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip().strip("\0")
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """The integer in a file, or None."""
    text = read(path)
    return int(text) if text.lstrip("-").isdecimal() else None


def cpu_list(text: str) -> list[int]:
    """``0-3,8`` as [0, 1, 2, 3, 8]."""
    spans = [part.split("-") for part in text.split(",") if part.strip()]
    return [cpu for span in spans for cpu in range(int(span[0]), int(span[-1]) + 1)]


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """This process' control group and all those above it: version 2, then ``controller`` of version 1."""
    for line in read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        mount = root / "sys/fs/cgroup"
        if controllers:
            if controller not in controllers.split(","):
                continue
            mount /= controller
        folder = mount / path.lstrip("/")
        while folder != mount:
            yield folder
            folder = folder.parent
        yield mount


def quota_cores(root: Path) -> float | None:
    """Processors' worth of time the tightest control group allows; None without a limit."""
    found = []
    for folder in _groups(root, "cpu"):
        quota, _, period = read(folder / "cpu.max").partition(" ")
        old = number(folder / "cpu.cfs_quota_us")
        if quota.isdecimal() and period.isdecimal():
            found.append(int(quota) / int(period))
        elif old and old > 0:
            found.append(old / (number(folder / "cpu.cfs_period_us") or 100_000))
    return min(found, default=None)


def memory(root: Path) -> tuple[int | None, int | None]:
    """(total, free) bytes: the machine's, or what the tightest control group leaves."""
    lines = dict(line.split(":", 1) for line in read(root / "proc/meminfo").splitlines() if ":" in line)
    kib = {key: int(value.split()[0]) for key, value in lines.items()}
    totals = [kib["MemTotal"] * 1024] if "MemTotal" in kib else []
    frees = [kib["MemAvailable"] * 1024] if "MemAvailable" in kib else []
    for folder in _groups(root, "memory"):
        limit = _first(folder, "memory.max", "memory.limit_in_bytes")
        used = _first(folder, "memory.current", "memory.usage_in_bytes")
        if limit is not None and used is not None and limit < UNLIMITED:
            totals.append(limit)
            frees.append(min(limit, max(0, limit - used + _reclaimable(folder))))
    return min(totals, default=None), min(frees, default=None)


def _reclaimable(folder: Path) -> int:
    """Bytes of file cache that the group's usage counts and the kernel gives back on demand, as MemAvailable does."""
    lines = dict(line.split() for line in read(folder / "memory.stat").splitlines() if len(line.split()) == 2)
    return int(lines.get("total_inactive_file") or lines.get("inactive_file") or 0)


def _first(folder: Path, *names: str) -> int | None:
    return next((value for name in names if (value := number(folder / name)) is not None), None)
