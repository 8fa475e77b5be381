"""Engines that were built, kept by what they were built of: to build one takes minutes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from kernels.cuda.cubins import cache_folder, ours

FOLDER = "engines"
ENDING = ".engine"
MOST_BYTES = 4 << 30
"""Of all engines together: those that were not used for longest go first."""
ABANDONED_SECONDS = 86_400
"""Age from which an unfinished file belongs to no one."""
KEY_LETTERS = 32
CHUNK = 1 << 20


class Engines:
    """The folder of engines."""

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder or _folder()
        self.most_bytes = most_bytes
        self._remove_abandoned()

    def find(self, key: str) -> Path | None:
        """The whole engine of this key; None if there is none. What was damaged is removed."""
        for path in sorted(self.folder.glob(f"{key}-*{ENDING}")):
            if path.name == _named(key, path):
                with contextlib.suppress(OSError):
                    os.utime(path)
                return path
            self.remove(path)
        return None

    def unfinished(self, key: str) -> Path:
        """Where an engine of this key is to be built."""
        return self.folder / f"{key}.{os.getpid()}.part"

    def keep(self, key: str, built: Path) -> Path:
        """Keep an engine that was built; older ones go where there are too many. Raises OSError."""
        path = self.folder / _named(key, built)
        built.replace(path)
        self._make_room(path)
        return path

    def remove(self, path: Path) -> None:
        """Remove an engine, or an unfinished one, if it is there."""
        with contextlib.suppress(OSError):
            path.unlink()

    def timing_cache(self, parts: Iterable[str]) -> Path:
        """Where the builder keeps what it learnt of kernels, for this version and GPU."""
        return self.folder / f"{key_of(b'', parts)}.timing"

    def _make_room(self, newest: Path) -> None:
        """Remove the engines that were not used for longest while there are too many bytes."""
        by_use = sorted(self.folder.glob(f"*{ENDING}"), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in by_use)
        for path in by_use:
            if total <= self.most_bytes or path == newest:
                break
            total -= path.stat().st_size
            self.remove(path)

    def _remove_abandoned(self) -> None:
        """Remove unfinished engines of programs that were killed."""
        for path in self.folder.glob("*.part"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    path.unlink()


def key_of(network: bytes, parts: Iterable[str]) -> str:
    """A name made of a network's bytes and of all else that an engine depends on."""
    digest = hashlib.sha256(network)
    for part in parts:
        digest.update(f"\0{part}".encode())
    return digest.hexdigest()[:KEY_LETTERS]


def _folder() -> Path:
    """The folder in the user's cache; a temporary one if that cannot be used."""
    folder = cache_folder() / FOLDER
    return folder if ours(folder) else Path(tempfile.mkdtemp(prefix="ridgeline-"))


def _named(key: str, path: Path) -> str:
    """The name of an engine: its key, then a hash of its content."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
    return f"{key}-{digest.hexdigest()[:KEY_LETTERS]}{ENDING}"
