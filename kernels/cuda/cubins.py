"""Where compiled kernels are kept between runs, and why what lies there can be believed.

The folder is the user's own, open to no one else, and no link to another place. A cubin is named by
its content, and what was found in its machine code is bound to that content and sealed with a hash:
what was damaged is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from kernels.base import KernelError

OWN = 0o700
"""The mode of a folder that only its owner may read, change and enter."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@cache
def cache_folder() -> Path:
    """Where compiled kernels are kept: the user's cache directory, or a temporary one if that is
    not his own.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    homes = [home / "ridgeline"] if home.is_absolute() else []  # a user without a home leaves the ~
    places = (*homes, Path(tempfile.gettempdir()) / f"ridgeline-{os.getuid()}")
    return next(filter(ours, places), None) or Path(tempfile.mkdtemp(prefix="ridgeline-"))


def ours(folder: Path) -> bool:
    """Whether a folder, made if it is not there, is a real one of this user that no one else may
    touch.

    One of an older version, that others could read but not write, is closed to them.
    """
    try:
        folder.mkdir(mode=OWN, parents=True, exist_ok=True)
        found = folder.lstat()
        if (
            not stat.S_ISDIR(found.st_mode)
            or found.st_uid != os.geteuid()
            or found.st_mode & OTHERS_WRITE
        ):
            return False
        if stat.S_IMODE(found.st_mode) != OWN:
            folder.chmod(OWN)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def kept(name: str, make: Callable[[], bytes]) -> Path:
    """The file ``<name>-<hash of its content>.cubin`` in the cache, made if there is none, or none
    that is whole.

    Raises KernelError.
    """
    folder = cache_folder()
    with alone(folder / name):
        for path in sorted(folder.glob(f"{name}-*.cubin")):
            if path.name == _named(name, _content(path)):
                return path
            _remove(path)
        data = make()
        path = folder / _named(name, data)
        store(path, data)
    return path


def _named(name: str, data: bytes) -> str:
    return f"{name}-{digest(data)}.cubin"


def digest(data: bytes) -> str:
    """What tells content apart."""
    return hashlib.sha256(data).hexdigest()[:32]


def _content(path: Path) -> bytes:
    """Of a regular file; nothing of what cannot be read."""
    try:
        return path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else b""
    except OSError:
        return b""


def _remove(path: Path) -> None:
    with contextlib.suppress(
        OSError
    ):  # a folder in its place stays, and is passed over the next time, too
        path.unlink()


def answers(path: Path) -> dict[str, dict[str, Any]]:
    """What is kept of a cubin by question; nothing where it is of another content, or was changed
    since.
    """
    try:
        sealed = json.loads(_content(path))
        found = sealed["answers"]
        whole = sealed["seal"] == _seal(path, found)
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return dict(found) if whole and isinstance(found, dict) else {}


def keep_answers(path: Path, found: dict[str, dict[str, Any]]) -> None:
    """Keep them under a seal. Raises KernelError."""
    store(path, json.dumps({"seal": _seal(path, found), "answers": found}).encode())


def _seal(path: Path, found: Any) -> str:
    """Of these answers on the cubin that ``path`` is named after, which is named by its content."""
    return digest(f"{path.name} {json.dumps(found, sort_keys=True)}".encode())


_LOCKS: dict[Path, threading.Lock] = {}


def alone(path: Path) -> threading.Lock:
    """Held by the one thread that makes what ``path`` names: several cases share a kernel, and are
    prepared at once.
    """
    return _LOCKS.setdefault(path, threading.Lock())


def store(path: Path, data: bytes) -> None:
    """Write under another name and rename: a second process sees the whole file or none. Raises
    KernelError.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise KernelError(
            f"cannot keep {path.name} in {path.parent}: {reason}; set XDG_CACHE_HOME"
        ) from None
