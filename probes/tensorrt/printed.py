"""What trtexec prints: the device it runs on, what it does now, and the time of the whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

DEVICE = re.compile(r"Selected Device: (.+)$")
CAPABILITY = re.compile(r"Compute Capability: (\d+\.\d+)")
MULTIPROCESSORS = re.compile(r"\bSMs: (\d+)")
NO_GRAPH = re.compile(r"--useCudaGraph has been ignored|CUDA graph capture .*failed", re.IGNORECASE)
"""Printed where an engine cannot be captured: it then ran launch by launch."""
MEDIAN = re.compile(r"GPU Compute Time: .*?median = ([\d.eE+-]+) ms")
STEPS: Mapping[str, re.Pattern[str]] = {
    "reading the network": re.compile(r"Start parsing network"),
    "building the engine": re.compile(r"Finish parsing network|\[TRT\].*[Bb]uild|tactic"),
    "keeping the engine": re.compile(r"Engine built in|Engine generation completed|Total Weights"),
    "loading the engine": re.compile(r"Engine loaded in|Loaded engine"),
    "timing": re.compile(r"Starting inference"),
}
"""What it does from a line on, in words."""


@dataclass(frozen=True)
class Ran:
    """The GPU that trtexec says it ran on; empty where it does not say."""

    name: str = ""
    """What the driver calls it."""
    arch: str = ""
    """Its compute capability: ``8.7``."""
    units: int | None = None
    """Its multiprocessors."""


def device_in(lines: Iterable[str]) -> Ran:
    """The GPU that these lines name."""
    text = "\n".join(lines)
    name = re.search(DEVICE.pattern, text, re.MULTILINE)
    arch = CAPABILITY.search(text)
    units = MULTIPROCESSORS.search(text)
    return Ran(
        name=name[1].strip() if name else "",
        arch=arch[1] if arch else "",
        units=int(units[1]) if units else None,
    )


def step_in(line: str) -> str:
    """What begins with this line, in words; empty if nothing does."""
    return next((step for step, pattern in STEPS.items() if pattern.search(line)), "")


def was_captured(lines: Iterable[str]) -> bool:
    """True if the CUDA graph that was asked for was not refused."""
    return not any(NO_GRAPH.search(line) for line in lines)


def median_seconds(lines: Iterable[str]) -> float | None:
    """The median of its own summary; None if there is none."""
    for line in lines:
        match = MEDIAN.search(line)
        if match:
            return float(match[1]) * 1e-3
    return None
