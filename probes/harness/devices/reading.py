"""Read files of /proc and /sys, any of which may be missing, empty, or hold something else."""

from __future__ import annotations

import contextlib
from pathlib import Path

LARGEST = 1 << 64
"""Integers from this on are none that a kernel writes."""
LONGEST_RANGE = 1 << 16  # CPUs: a longer range is none of CPUs, and would fill the memory


def read(path: Path) -> str:
    """The text of a file without space around it; empty if the file is missing or forbidden.

    It is read without a buffer: where a sensor is switched off, its kernel says "try again"
    (EAGAIN), which Python's own text files make a TypeError of.
    """
    try:
        with path.open("rb", buffering=0) as file:
            content = file.read()
    except (OSError, ValueError):  # ValueError: a path with a zero byte
        return ""
    if content is None:
        return ""
    return content.decode("utf-8", errors="replace").strip().strip("\0").strip()


def whole(text: str, base: int = 10) -> int | None:
    """The integer that a text spells, or None. With base 0 the text may be ``0x41``, too."""
    try:
        return int(text, base)
    except ValueError:
        return None


def number(path: Path) -> int | None:
    """The integer in a file, or None; one that no kernel can write is none."""
    value = whole(read(path))
    return value if value is not None and abs(value) < LARGEST else None


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
    ranges: list[tuple[int, int]] = []
    for cpu in sorted(cpus):
        first = cpu
        if ranges and cpu == ranges[-1][1] + 1:
            first, _ = ranges.pop()
        ranges.append((first, cpu))
    parts = [f"{first}-{last}" if last > first else f"{first}" for first, last in ranges]
    return ",".join(parts)
