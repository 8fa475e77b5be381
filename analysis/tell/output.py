"""Standard output: text that is safe on any terminal, and an error where no one takes it."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from probes.records.given import reason, shortened

CLOSED = 141
"""Exit code of a program whose reader left, as a shell counts it: 128 and the number of SIGPIPE."""
LONGEST = 2000
"""Characters of an error: a path has no more, and what it quotes is shortened."""
SPACES = dict.fromkeys(map(ord, "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"), " ")
"""A space for every character that moves the cursor to another place or line."""

SPELLED = "spelled"
"""Name of the way in which what an encoding lacks is written."""
SPELLINGS = {
    "×": "x",
    "±": "~",
    "µ": "u",
    "→": ">",
    "–": "-",
    "…": ".",
    "·": "-",
    "█": "#",
    "░": ".",
    "─": "-",
    "━": "-",
}
"""What is written for a character that the encoding of the output lacks: as wide, so that tables
keep their columns.
"""


class Unheard(Exception):
    """Standard output cannot be written; the message says why, in one line."""


class ReaderLeft(Unheard):
    """No one reads the pipe any more, as after ``head``: no fault, and nothing to complain of."""


def plain(text: str) -> str:
    """A text in one line of characters that move no cursor and change no colour.

    Others are shown as ``\\x1b``.
    """
    line = text.translate(SPACES)
    if line.isprintable():
        return line
    return "".join(map(_plain_character, line))


def _plain_character(character: str) -> str:
    if character.isprintable() or character.isspace():
        return character
    return character.encode("unicode_escape").decode()


def error_line(text: str) -> str:
    """An error as one line that a terminal shows as it is, and not longer than LONGEST."""
    line = " ".join(plain(text).split())
    return shortened(line, LONGEST)


def replace_unprintable() -> None:
    """Print something like it, else ``?``, for what the encoding of the output lacks.

    An ASCII table is better than none.
    """
    codecs.register_error(SPELLED, _spelled)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # what stands in for it may be no stream of text
            stream.reconfigure(errors=SPELLED)  # type: ignore[union-attr]


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """What is written for the characters that cannot be, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unprintable = error.object[error.start : error.end]
    return "".join(SPELLINGS.get(character, "?") for character in unprintable), error.end


@contextmanager
def heard() -> Iterator[None]:
    """Flush standard output on exit.

    Raises Unheard if it cannot be written, and ReaderLeft if no one reads it any more.
    """
    try:
        try:
            yield
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        raise ReaderLeft from None
    except OSError as error:
        _drop_output()
        raise Unheard(f"cannot write to standard output: {reason(error)}") from None


def _drop_output() -> None:
    """Send what is still to be written to nowhere.

    Else the interpreter tries to write it at its very end, and complains in several lines.
    """
    with suppress(OSError, ValueError):  # what stands in for standard output may have no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
