"""What is printed, and where it goes: safe on any terminal, in any encoding; told where no one
takes it any more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from probes.records.given import reason

CLOSED = 141
"""Exit code of a program whose reader left, as a shell counts it: 128 and the number of SIGPIPE."""
LONGEST = 2000  # characters of an error: a path has no more, and what it quotes is shortened
SPACES = dict.fromkeys(map(ord, "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"), " ")


class Unheard(Exception):
    """What was printed went nowhere: why, in one line."""


class ReaderLeft(Unheard):
    """It went into a pipe that no one reads any more, as ``head`` leaves one: no fault, and nothing
    to complain of.
    """


def plain(text: str) -> str:
    """The same in one line of characters that move no cursor and change no colour: others as
    ``\\x1b``.
    """
    line = text.translate(SPACES)
    if line.isprintable():
        return line
    return "".join(
        c if c.isprintable() or c.isspace() else c.encode("unicode_escape").decode() for c in line
    )


def error_line(text: str) -> str:
    """An error as one line that a terminal shows as it is."""
    line = " ".join(plain(text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def replace_unprintable() -> None:
    """Print what the encoding of the output lacks as ``?``: a table in ASCII is better than
    none.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # what stands in for it may be no stream of text
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


@contextmanager
def heard() -> Iterator[None]:
    """What is printed within it has left the program at its end. Raises Unheard."""
    try:
        try:
            yield
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except BrokenPipeError:
        _drop()
        raise ReaderLeft from None
    except OSError as error:
        _drop()
        raise Unheard(f"cannot write to standard output: {reason(error)}") from None


def _drop() -> None:
    """Else the interpreter tries to print what is left at its very end, and complains in several
    lines.
    """
    with suppress(OSError, ValueError):  # what stands in for standard output may have no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
