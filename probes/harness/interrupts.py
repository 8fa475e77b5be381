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

_came: list[
    int
] = []  # of a list, what a handler does to it is done at once: a lock could be held at that moment


@contextmanager
def raised() -> Iterator[None]:
    """Within it Ctrl-C raises KeyboardInterrupt where it ends the program at once before and
    after.
    """
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
    """Within it Ctrl-C raises KeyboardInterrupt as ever, and ``check`` does so again until it is
    ``answered``.

    Where it is ignored, as in a job in the background, it stays so.
    """
    usual = signal.default_int_handler
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not usual
    ):
        yield
        return
    hook = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if lost.exc_type is KeyboardInterrupt else hook(lost)
    signal.signal(signal.SIGINT, _remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        sys.unraisablehook = hook
        answered()


def _remember(number: int, frame: Any) -> None:
    _came.append(number)
    raise KeyboardInterrupt


def check() -> None:
    """Raise KeyboardInterrupt if one came that no one has answered."""
    if _came:
        raise KeyboardInterrupt


def answered() -> None:
    """The interrupts so far were acted on."""
    _came.clear()
