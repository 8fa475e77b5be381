"""Standard output that takes no more: its disk is full, or its reader left."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from probes.harness.files import reason


class Unheard(Exception):
    """What was printed went nowhere: why, in one line."""


@contextmanager
def heard() -> Iterator[None]:
    """What is printed within it has left the program at its end. Raises Unheard."""
    try:
        try:
            yield
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except OSError as error:
        _drop()
        raise Unheard(f"cannot write to standard output: {reason(error)}") from None


def _drop() -> None:
    """Else the interpreter tries to print what is left at its very end, and complains in several lines."""
    with suppress(OSError, ValueError):  # what stands in for standard output may have no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
