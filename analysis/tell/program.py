"""A program of its own, ``python -m analysis.NAME``: how it reads its command and how it ends."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from analysis.tell.output import (
    CLOSED,
    ReaderLeft,
    Unheard,
    error_line,
    heard,
    replace_unprintable,
)
from probes.records.measurement import RidgelineError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell counts it."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are RidgelineErrors."""

    def error(self, message: str) -> NoReturn:
        raise RidgelineError(f"{message}; see --help")


def run(
    parser: argparse.ArgumentParser,
    answer: Callable[[argparse.Namespace], int | None],
    argv: Sequence[str] | None,
) -> int:
    """Print the answer to what the command asks; return the exit code.

    That is what ``answer`` returns, None being 0; 2 after one line on bad input, 1 where the output
    cannot be written, 130 after Ctrl-C, and 141 where its reader left.
    """
    replace_unprintable()
    code = 0
    try:
        with heard():
            code = answer(parser.parse_args(argv)) or 0
    except RidgelineError as error:
        complain(parser, str(error))
        return 2
    except KeyboardInterrupt:
        complain(parser, "interrupted")
        return INTERRUPTED
    except ReaderLeft:
        return CLOSED
    except Unheard as error:
        complain(parser, str(error))
        return 1
    return code


def complain(parser: argparse.ArgumentParser, line: str) -> None:
    """Say a line on standard error, after the name of the program."""
    name = parser.prog.removeprefix("python -m ")
    with suppress(OSError):  # standard error may be where standard output is
        print(f"{name}: {error_line(line)}", file=sys.stderr)
