"""Reading files of /proc and /sys: any of them may be missing, empty, or hold what its name does
not promise.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

LONGEST_RANGE = 1 << 16  # CPUs: a longer range is no list of CPUs, and would fill the memory


def read(path: Path) -> str:
    """The stripped text of a file; empty if it is not there or not ours to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip().strip("\0")
    except OSError:
        return ""


def whole(text: str, base: int = 10) -> int | None:
    """The integer that a text is, or None; base 0 takes ``0x41`` too."""
    try:
        return int(text, base)
    except ValueError:
        return None


def number(path: Path) -> int | None:
    """The integer in a file, or None."""
    return whole(read(path))


def cpu_list(text: str) -> list[int]:
    """``0-3,8`` as [0, 1, 2, 3, 8]. A part that is no range of CPUs is left out."""
    cpus: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        with contextlib.suppress(ValueError):
            span = range(int(first), int(last or first) + 1)
            if 0 < len(span) <= LONGEST_RANGE:
                cpus.extend(span)
    return cpus


def list_text(cpus: list[int]) -> str:
    """[0, 1, 2, 3, 8] as ``0-3,8``."""
    spans: list[list[int]] = []
    for cpu in sorted(cpus):
        if spans and cpu == spans[-1][1] + 1:
            spans[-1][1] = cpu
        else:
            spans.append([cpu, cpu])
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in spans)
