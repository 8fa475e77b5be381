"""The nouns of a timeline: calls of operations, launches, kernels.

Its times are µs on one clock, from anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from probes.importers.timeline.operations import Signature

MOST_EVENTS = 6_000_000
"""Calls, launches and kernels that are kept: some 400 bytes each."""


@dataclass(slots=True)
class Call:
    """One run of an operation on the host."""

    signature: Signature
    thread: tuple[Any, Any]
    """Its process and thread."""
    start: float
    """µs."""
    end: float
    id: Any
    """What the kernels that it launches call it; None if they do not."""
    parent: Call | None = None
    """The operation that called it; None for the outermost."""
    inner: float = 0.0
    """µs that the operations it calls take."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel, copy or filling on a device."""

    name: str
    category: str
    """``kernel``, ``memcpy`` or ``memset``."""
    start: float
    """µs."""
    microseconds: float
    call: Any
    """The id of the operation that launched it; None if unknown."""
    correlation: Any
    """The id of its launch; None if unknown."""
    grid: str
    """Blocks and threads; empty if unknown."""
    bytes: float | None
    """That a copy moves; None of a kernel."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A call of CUDA's runtime."""

    call: Any
    """The id of the operation that it belongs to; None if unknown."""
    thread: tuple[Any, Any]
    start: float
    """µs."""


@dataclass
class Timeline:
    """What a tool saw of a program, of operations on the host and of kernels on the device."""

    calls: list[Call] = field(default_factory=list)
    kernels: list[Kernel] = field(default_factory=list)
    launches: dict[Any, Launch] = field(default_factory=dict)
    """By correlation id."""
    steps: list[tuple[float, float]] = field(default_factory=list)
    """Beginning and end of each step of a schedule, in µs, in order."""
    has_shapes: bool = False
    """True if shapes were recorded."""
