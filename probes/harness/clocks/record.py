"""Where each fact stands in what a pinned thread records of a kernel: a row of int64 numbers."""

from __future__ import annotations

WALL_START, WALL_END, CPU_START, CPU_END, PROBE_BEFORE, PROBE_AFTER, STATUS = range(7)
FIELDS = 7
"""Nanoseconds of the monotonic clock and of the thread's processor time, at start and end;
nanoseconds of the clock probes before and after; and 0 if all threads met, or else 1.
"""
PROBE_TRIPS = 3000
"""Trips of the loop of a clock probe."""
ADDS_PER_TRIP = 64
"""Dependent one-cycle additions: a trip takes 64 cycles of the core's clock."""
PROBE_CYCLES = PROBE_TRIPS * ADDS_PER_TRIP
"""Cycles that a clock probe takes."""
