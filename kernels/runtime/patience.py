"""Limits for runs of the runtime that may never end: a time, and Ctrl-C.

The runtime can end a run between two operations, and a Loop between two of its turns. It cannot end
one operation that takes forever: then the whole process has to end, if it is one that can be
spared. While the runtime runs, Python cannot act on a signal. So another thread waits for the byte
that the signal's handler in C writes, or for the time, and tells the runtime.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kernels.base import Unavailable

SECONDS = 30.0
"""Seconds that one run of a layer may take (``--layer-seconds``)."""
GRACE = 2.0
"""Seconds within which a run must end after it is told to."""
ENDED = b"\xff"
"""The byte that is written when a run has ended: no signal has this number."""
MOST_BYTES = 64
"""Bytes that are read at once; one is usual."""


class TooLong(Unavailable):
    """A run took longer than it may."""


_leave: list[Callable[[TooLong], None]] = []
"""The function that ends this process if a run does not end; none if it cannot be spared."""


def can_be_spared(leave: Callable[[TooLong], None]) -> None:
    """Allow this process to be ended if a run does not end.

    ``leave`` ends it, is called with the reason, and never returns.
    """
    _leave[:] = [leave]


@contextmanager
def limited(options: Any, seconds: float = SECONDS) -> Iterator[None]:
    """End the run in this block, which has these RunOptions, after ``seconds`` or at Ctrl-C.

    Only the main thread hears Ctrl-C. Raises TooLong if the run took longer.
    """
    reading_end, writing_end = os.pipe()
    os.set_blocking(writing_end, False)  # set_wakeup_fd takes no other
    hears_signals = threading.current_thread() is threading.main_thread()
    if hears_signals:
        # each signal writes its number into the pipe; the one before is put back at the end
        previous_fd = signal.set_wakeup_fd(writing_end, warn_on_full_buffer=False)
    watch = _Watch(reading_end, options, seconds)
    watch.start()
    try:
        yield
    except Exception:
        if watch.late:
            raise _too_long(seconds) from None
        raise
    finally:
        if hears_signals:
            signal.set_wakeup_fd(previous_fd)
        os.write(writing_end, ENDED)
        watch.join()
        os.close(reading_end)
        os.close(writing_end)


def _too_long(seconds: float) -> TooLong:
    return TooLong(f"one run of it takes longer than {seconds:g} s (--layer-seconds)")


class _Watch(threading.Thread):
    """Waits for the end of a run, a signal, or the time; the last two make it end the run."""

    def __init__(self, reading_end: int, options: Any, seconds: float) -> None:
        super().__init__(daemon=True)
        self._reading_end = reading_end
        self._options = options
        self._seconds = seconds
        self.late = False
        """True if the time was up before the run ended."""

    def run(self) -> None:
        poller = select.poll()
        poller.register(self._reading_end, select.POLLIN)
        ready = poller.poll(1000 * self._seconds)
        if ready and ENDED in self._read():
            return
        self.late = not ready
        self._options.terminate = True
        if self.late and _leave and not poller.poll(1000 * GRACE):
            _leave[0](_too_long(self._seconds))
        # the pipe stays open until the run has ended: signals may still write into it
        while ENDED not in self._read():
            pass

    def _read(self) -> bytes:
        """The bytes that signals and the end of the run wrote; waits for the first of them."""
        return os.read(self._reading_end, MOST_BYTES)
