"""Files that a user gives, read with care. Standard library only.

A pipe would be waited for without end and a device read until memory is full, so only regular files
of a sane size are opened. Text is UTF-8 (UTF-16 where a Windows shell wrote it). In JSON every
number is finite and of a size that some tool may have written, no key stands twice with two values,
and no string holds what UTF-8 cannot hold.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from probes.records.measurement import RidgelineError

LARGEST_FILE = 256 << 20
"""Bytes. Tools write some 100 for one layer, and JSON takes ten times its size of memory."""
MOST_DIGITS = 19  # of a whole number: as many as 64 bits hold
NOT_REGULAR: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "is a folder, not a file"),
    (stat.S_ISFIFO, "is a pipe, not a file: save what comes out of it first"),
    (stat.S_ISSOCK, "is a socket, not a file"),
    (stat.S_ISCHR, "is a device, not a file"),
    (stat.S_ISBLK, "is a device, not a file"),
)
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UNSTORABLE = re.compile("[\ud800-\udfff\0]")
"""Halves of a character (lone surrogates) and NUL: neither has a place in a text file."""
ESCAPED = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
"""How JSON writes what may be unstorable."""


def reason(error: OSError) -> str:
    """What the operating system says went wrong, in lower case."""
    said = error.strerror or str(error)
    return said.lower()


@contextmanager
def writing_to(out: Path) -> Iterator[None]:
    """Make a RidgelineError of an OSError within it: ``--out`` cannot be written."""
    try:
        yield
    except OSError as error:
        raise RidgelineError(f"cannot write to --out {out}: {reason(error)}") from None


def regular(path: Path) -> int:
    """Size in bytes of a regular file.

    Raises RidgelineError for a folder, a pipe, a device, or a file that is not there.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        why = reason(error) if isinstance(error, OSError) else "no file has such a name"
        raise RidgelineError(f"{path} cannot be read: {why}") from None
    for is_kind, says in NOT_REGULAR:
        if is_kind(status.st_mode):
            raise RidgelineError(f"{path} {says}")
    return status.st_size


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, to read its bytes. Raises RidgelineError if it cannot be opened."""
    regular(path)
    # Another process may put a pipe there meanwhile: O_NONBLOCK keeps its opening from waiting.
    # Windows has neither flag.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise RidgelineError(f"{path} cannot be read: {reason(error)}") from None
    with open(descriptor, "rb") as file:
        yield file


def content(path: Path) -> bytes:
    """All bytes of a regular file.

    Raises RidgelineError if it cannot be read, or is larger than LARGEST_FILE.
    """
    size = regular(path)
    try:
        with opened(path) as source:
            data = source.read(LARGEST_FILE + 1) if size <= LARGEST_FILE else b""
    except OSError as error:
        raise RidgelineError(f"{path} cannot be read: {reason(error)}") from None
    if max(size, len(data)) > LARGEST_FILE:
        raise RidgelineError(
            f"{path} is {max(size, len(data))} bytes large, more than {LARGEST_FILE} that are read"
        )
    return data


def text(path: Path) -> str:
    """A file's text, its line ends as ``\\n``. Raises RidgelineError if it is none."""
    return decoded(path, content(path))


def decoded(path: Path, data: bytes) -> str:
    """The bytes of this file as text, its line ends as ``\\n``.

    Raises RidgelineError if they are no text.
    """
    encoding = "utf-16" if data.startswith(UTF16_MARKS) else "utf-8-sig"
    try:
        decoded_text = data.decode(encoding)
    except UnicodeDecodeError:
        raise RidgelineError(f"{path} cannot be read: not UTF-8 text") from None
    if "\0" in decoded_text:
        raise RidgelineError(f"{path} cannot be read: it holds NUL bytes, so it is no text")
    return decoded_text.replace("\r\n", "\n").replace("\r", "\n")


class _Odd(ValueError):
    """What JSON allows and no tool writes."""


def parsed(path: Path, source: str) -> Any:
    """The value of this file's JSON. Raises RidgelineError that names what is wrong, or where."""
    try:
        value = json.loads(source, parse_int=_whole, parse_float=_finite, object_pairs_hook=_object)
        return _storable(value) if ESCAPED.search(source) else value
    except json.JSONDecodeError as error:
        raise RidgelineError(
            f"{path} line {error.lineno} column {error.colno} is not JSON: {error.msg}"
        ) from None
    except _Odd as error:
        raise RidgelineError(f"{path} {error}") from None
    except RecursionError:
        raise RidgelineError(f"{path} is nested too deep") from None


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MOST_DIGITS:
        raise _Odd(f"holds {shortened(digits)}, a whole number of more than {MOST_DIGITS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Odd(f"holds {shortened(digits)}, which is too large for a number")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)  # of equal keys the last one stays
    if len(members) < len(pairs):
        for key, value in pairs:
            if members[key] != value:
                raise _Odd(f"holds {shortened(repr(key))} twice in one object, with two values")
    return members


def _storable(value: Any) -> Any:
    """The same with every unstorable character replaced."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {storable(key): _storable(each) for key, each in value.items()}
    return value


def storable(text: str) -> str:
    """The text with U+FFFD for every character that no file can hold.

    Paths have such characters where their bytes are no UTF-8.
    """
    return UNSTORABLE.sub("\ufffd", text)


def shortened(text: str, most: int = 60) -> str:
    """The text, cut to so many letters if it has more."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
