"""Ctrl-C, so that none is lost.

One that comes while C calls back into Python, as the compiler behind Numba does, ends in that
callback: Python prints it as ignored, and the run goes on. So each is remembered until someone has
acted on it.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# A list, since what a handler does to it is done at once: a lock could be held at that moment.
_unanswered: list[int] = []


@contextmanager
def raised() -> Iterator[None]:
    """Within it Ctrl-C raises KeyboardInterrupt, if it would end the program at once."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def remembered() -> Iterator[None]:
    """Within it Ctrl-C raises KeyboardInterrupt, and so does ``check`` until it is ``answered``.

    Where it is ignored, as in a job in the background, it stays so.
    """
    usual = signal.default_int_handler
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not usual:
        yield
        return
    hook = sys.unraisablehook

    def quiet_hook(lost: Any) -> None:
        """Print what was raised in a callback from C, unless it is an interrupt."""
        if lost.exc_type is not KeyboardInterrupt:
            hook(lost)

    sys.unraisablehook = quiet_hook
    signal.signal(signal.SIGINT, _remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        sys.unraisablehook = hook
        answered()


def _remember(number: int, frame: Any) -> None:
    _unanswered.append(number)
    raise KeyboardInterrupt


def check() -> None:
    """Raise KeyboardInterrupt if one came that no one has answered."""
    if _unanswered:
        raise KeyboardInterrupt


def answered() -> None:
    """The interrupts so far were acted on."""
    _unanswered.clear()
