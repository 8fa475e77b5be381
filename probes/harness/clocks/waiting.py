"""How long threads of a process stood ready with no processor to run on, as Linux counts it.

It is 0 where no such count is kept. The scheduler adds up what each thread waits in its queue (the
second number of ``schedstat``), so a wait for an event, a file or another thread is not counted:
only processors that other work had.
"""

from __future__ import annotations

from pathlib import Path

TASKS = Path("/proc/self/task")
"""Of this process: a folder for each thread."""
THREAD = Path("/proc/thread-self/schedstat")
"""Of the calling thread."""


def of_thread() -> int:
    """Nanoseconds that the calling thread has waited since it began."""
    return _waited(THREAD)


def of_process() -> int:
    """Nanoseconds that all threads of this process have waited together since they began."""
    return sum(_waited(file) for file in TASKS.glob("*/schedstat"))


def longest(process: int) -> int:
    """Nanoseconds that one thread of another process has waited: the one that waited longest."""
    files = Path(f"/proc/{process}/task").glob("*/schedstat")
    return max((_waited(file) for file in files), default=0)


def _waited(file: Path) -> int:
    """The nanoseconds that this ``schedstat`` file counts; 0 if it cannot be read."""
    try:
        return int(file.read_bytes().split()[1])
    except (OSError, IndexError, ValueError):  # no such count here, or the thread has just ended
        return 0
