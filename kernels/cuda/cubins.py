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

OWNER_ONLY = 0o700
"""The mode of a folder that only its owner may read, change and enter."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
"""The bits of a mode that let others change a folder."""


@cache
def cache_folder() -> Path:
    """The folder of compiled kernels: in the user's cache, or a temporary one if it is not his."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    places = [Path(tempfile.gettempdir()) / f"ridgeline-{os.getuid()}"]
    if home.is_absolute():  # of a user without a home the ~ is left
        places.insert(0, home / "ridgeline")
    for place in places:
        if ours(place):
            return place
    return Path(tempfile.mkdtemp(prefix="ridgeline-"))


def ours(folder: Path) -> bool:
    """True if a folder, made if need be, is a real one of this user that no one else may change.

    One of an older version, that others could read but not write, is closed to them.
    """
    try:
        folder.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        state = folder.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
            return False
        if state.st_mode & OTHERS_WRITE:
            return False
        if stat.S_IMODE(state.st_mode) != OWNER_ONLY:
            folder.chmod(OWNER_ONLY)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def kept(name: str, make: Callable[[], bytes]) -> Path:
    """The file ``<name>-<hash of its content>.cubin`` in the cache, made if no whole one is there.

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
    """A hash that tells content apart."""
    return hashlib.sha256(data).hexdigest()[:32]


def _content(path: Path) -> bytes:
    """The content of a regular file; nothing of what cannot be read."""
    try:
        return path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else b""
    except OSError:
        return b""


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # a folder in its place stays, and is passed over again
        path.unlink()


def answers(path: Path) -> dict[str, dict[str, Any]]:
    """What is kept of a cubin, by question; nothing if it is of other content or was changed."""
    try:
        sealed = json.loads(_content(path))
        by_question = sealed["answers"]
        whole = sealed["seal"] == _seal(path, by_question)
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return dict(by_question) if whole and isinstance(by_question, dict) else {}


def keep_answers(path: Path, by_question: dict[str, dict[str, Any]]) -> None:
    """Keep answers about a cubin under a seal. Raises KernelError."""
    sealed = {"seal": _seal(path, by_question), "answers": by_question}
    store(path, json.dumps(sealed).encode())


def _seal(path: Path, by_question: Any) -> str:
    """A hash of answers and of the name of their cubin, which is named by its content."""
    return digest(f"{path.name} {json.dumps(by_question, sort_keys=True)}".encode())


_LOCKS: dict[Path, threading.Lock] = {}


def alone(path: Path) -> threading.Lock:
    """The lock of the one thread that makes what ``path`` names.

    Several cases share a kernel, and are prepared at once.
    """
    return _LOCKS.setdefault(path, threading.Lock())


def store(path: Path, data: bytes) -> None:
    """Write under another name and rename: a second process sees the whole file or none.

    Raises KernelError.
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
