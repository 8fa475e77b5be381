"""A file to import, which is read and parsed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from probes.records import given


@dataclass(frozen=True)
class Source:
    """A file by its path, read when its content is first asked for.

    Its content, text and json raise RidgelineError if the file cannot be read as such.
    """

    path: Path

    @cached_property
    def content(self) -> bytes:
        """Its bytes."""
        return given.content(self.path)

    @cached_property
    def text(self) -> str:
        """Its text, line ends as ``\\n``."""
        return given.decoded(self.path, self.content)

    @cached_property
    def json(self) -> Any:
        """The value of its JSON."""
        return given.parsed(self.path, self.text)

    @property
    def stem(self) -> str:
        """The file's name without its ending, as text that any file can hold."""
        return given.storable(self.path.stem)


def source_of(file: Path | Source) -> Source:
    """The file as a Source."""
    return file if isinstance(file, Source) else Source(file)
