"""Whether a process has ended."""

from __future__ import annotations

import time


def is_gone(process: int) -> bool:
    """True if a process ends within ten seconds; one that waits to be reaped has ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{process}/stat") as file:
                state = file.read().rpartition(")")[2].split()[0]
            if state == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False
