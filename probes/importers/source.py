"""A file to import, which is read and parsed once. One that is packed with gzip is unpacked."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from probes.records import given
from probes.records.measurement import RidgelineError

START = 1 << 18
"""Bytes at the beginning of a file by which its tool may be recognised."""
BLOCK = 1 << 22
"""Bytes that are read at a time of a file that is read in parts."""
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Source:
    """A file by its path, read when its content is first asked for.

    Its start, content, text and json raise RidgelineError if the file cannot be read as such.
    """

    path: Path

    @cached_property
    def start(self) -> bytes:
        """Its first bytes, as many as START."""
        with self._opened() as file:
            return file.read(START)

    @cached_property
    def content(self) -> bytes:
        """All its bytes. Raises RidgelineError if they are more than given.LARGEST_FILE."""
        if not self.is_packed:
            return given.content(self.path)
        with self._opened() as file:
            data = file.read(given.LARGEST_FILE + 1)
        if len(data) > given.LARGEST_FILE:
            raise RidgelineError(
                f"{self.path} holds more than the {given.LARGEST_FILE} bytes that are read"
            )
        return data

    def blocks(self) -> Iterator[bytes]:
        """Its bytes, in parts, however many they are."""
        with self._opened() as file:
            while block := file.read(BLOCK):
                yield block

    @cached_property
    def text(self) -> str:
        """Its text, line ends as ``\\n``."""
        return given.decoded(self.path, self.content)

    @cached_property
    def json(self) -> Any:
        """The value of its JSON."""
        return given.parsed(self.path, self.text)

    @property
    def is_json(self) -> bool:
        """True if its text begins as that of an object or a list of JSON."""
        return self.text.lstrip()[:1] in ("[", "{")

    @property
    def stem(self) -> str:
        """The file's name without its ending, as text that any file can hold."""
        name = self.path.name.removesuffix(".gz") if self.is_packed else self.path.name
        return given.storable(Path(name).stem)

    @cached_property
    def is_packed(self) -> bool:
        """True if gzip packed it."""
        with given.opened(self.path) as file:
            return file.read(len(GZIP)) == GZIP

    @contextmanager
    def _opened(self) -> Iterator[gzip.GzipFile | BinaryIO]:
        """The file, unpacked. What is wrong with it, or with gzip's frame, is a RidgelineError."""
        packed = self.is_packed
        with given.opened(self.path) as file:
            try:
                yield gzip.GzipFile(fileobj=file) if packed else file
            except EOFError:
                raise RidgelineError(
                    f"{self.path} is cut off: what gzip packed has no end; copy it again"
                ) from None
            except (gzip.BadGzipFile, zlib.error) as error:
                raise RidgelineError(
                    f"{self.path} is damaged: gzip cannot unpack it ({error})"
                ) from None
            except OSError as error:
                raise RidgelineError(f"{self.path} cannot be read: {given.reason(error)}") from None


def source_of(file: Path | Source) -> Source:
    """The file as a Source."""
    return file if isinstance(file, Source) else Source(file)
