"""Processes that end with the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal

SIGNAL_WHEN_PARENT_ENDS = 1
"""PR_SET_PDEATHSIG of <linux/prctl.h>."""


def _library() -> ctypes.CDLL | None:
    """The C library where it has prctl, else None."""
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "prctl") else None
    except (OSError, TypeError):
        return None


_LIBRARY = _library()
"""It is loaded here: between a fork and what follows little may be done."""


def end_with(parent: int) -> None:
    """Have the kernel end this process when the thread that started it ends, however that ends.

    parent: number of that thread's process.
    """
    if _LIBRARY is not None:
        _LIBRARY.prctl(SIGNAL_WHEN_PARENT_ENDS, signal.SIGKILL)
    # a parent that ended before that call sends no signal
    if os.getppid() != parent:
        os._exit(1)
