"""What a pinned thread writes down around a kernel: where each fact stands in its row of int64
numbers.
"""

from __future__ import annotations

WALL_START, WALL_END, CPU_START, CPU_END, PROBE_BEFORE, PROBE_AFTER, STATUS = range(7)
FIELDS = 7
"""Nanoseconds of the monotonic clock and of the thread's processor; two clock probes; whether it
went well.
"""
PROBE_TRIPS = 3000
ADDS_PER_TRIP = 64  # dependent one-cycle additions: a trip takes 64 cycles of the core's clock
PROBE_CYCLES = PROBE_TRIPS * ADDS_PER_TRIP
