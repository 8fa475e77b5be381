"""Rows of arrays in files of NumPy, read one at a time: the files may be larger than memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.lib import format as npy

from probes.records import given
from probes.records.measurement import RidgelineError

KEPT_BYTES = 64 << 20
"""A compressed array up to this size is kept in memory once it was read."""
LOCAL_HEADER = 30
"""Bytes that stand before the name of a file in a zip (APPNOTE 4.3.7); the last four of them are
lengths of the name and of the extra field."""


class Rows(Protocol):
    """Inputs of one name."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its numbers."""

    def __len__(self) -> int: ...

    def row(self, index: int) -> np.ndarray:
        """One input. Raises RidgelineError if it cannot be read."""

    def all(self) -> np.ndarray:
        """All of them at once."""


class Mapped:
    """Rows of an array that is in memory, or that the system maps there from a file."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape = array.shape[1:]
        self.dtype = array.dtype

    def __len__(self) -> int:
        return len(self._array)

    def row(self, index: int) -> np.ndarray:
        """One input."""
        return np.array(self._array[index])

    def all(self) -> np.ndarray:
        """All of them at once."""
        return np.array(self._array)


class Packed:
    """Rows of a compressed array, read from its start on.

    They are cheap in ascending order; a step back reads from the start again.
    """

    def __init__(self, path: Path, member: str, shape: tuple[int, ...], dtype: np.dtype[Any]):
        self._path = path
        self._member = member
        self._count = shape[0]
        self.shape = shape[1:]
        self.dtype = dtype
        self._row_bytes = int(np.prod(self.shape, dtype=np.int64)) * dtype.itemsize
        self._stream: IO[bytes] | None = None
        self._next = 0
        """The row at which the stream stands."""

    def __len__(self) -> int:
        return self._count

    def row(self, index: int) -> np.ndarray:
        """One input. Raises RidgelineError if the file is damaged."""
        try:
            if self._stream is None or index < self._next:
                self._open()
            assert self._stream is not None
            while self._next < index:
                self._read()
            data = self._read()
        except (OSError, EOFError, zipfile.BadZipFile, ValueError, RuntimeError) as error:
            self._stream = None
            raise _damaged(self._path, self._member, error) from None
        return np.frombuffer(data, self.dtype).reshape(self.shape)

    def all(self) -> np.ndarray:
        """All of them at once."""
        return np.stack([self.row(index) for index in range(self._count)])

    def _open(self) -> None:
        if self._stream is not None:
            self._stream.close()
        archive = zipfile.ZipFile(self._path)
        self._stream = archive.open(self._member)
        _header(self._stream)
        self._next = 0

    def _read(self) -> bytes:
        assert self._stream is not None
        data = self._stream.read(self._row_bytes)
        if len(data) < self._row_bytes:
            raise EOFError("it ends too early")
        self._next += 1
        return data


def npy_rows(path: Path) -> Rows:
    """Rows of an .npy. Raises RidgelineError if it is none."""
    given.regular(path)
    try:
        with path.open("rb") as source:
            shape, _, dtype = _header(source)
        _check(shape, dtype, str(path))
        return Mapped(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, EOFError, ValueError) as error:
        raise RidgelineError(f"{path} is no .npy that can be read: {_line(error)}") from None


def npz_rows(path: Path) -> Iterator[tuple[str, Rows]]:
    """Rows of each array of an .npz, by name. Raises RidgelineError if it is none."""
    given.regular(path)
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise RidgelineError(f"{path} is no .npz that can be read: {_line(error)}") from None
    with archive:
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                continue
            name = entry.filename.removesuffix(".npy")
            try:
                yield name, _member_rows(path, archive, entry)
            except (
                OSError,
                EOFError,
                ValueError,
                RuntimeError,
                NotImplementedError,
                zipfile.BadZipFile,
            ) as error:
                raise _damaged(path, name, error) from None


def _member_rows(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Rows:
    with archive.open(entry) as source:
        shape, is_fortran, dtype = _header(source)
        header_bytes = source.tell()
    _check(shape, dtype, f"{path}: {entry.filename.removesuffix('.npy')}")
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if entry.file_size < header_bytes + size:
        raise EOFError("it ends too early")
    if entry.compress_type == zipfile.ZIP_STORED and size:
        start = _data_start(path, entry) + header_bytes
        numbers: np.ndarray = np.memmap(path, dtype, "r", start, shape, "F" if is_fortran else "C")
        return Mapped(numbers)
    if size <= KEPT_BYTES or is_fortran:
        with archive.open(entry) as source:
            return Mapped(npy.read_array(source, allow_pickle=False))
    return Packed(path, entry.filename, shape, dtype)


def _data_start(path: Path, entry: zipfile.ZipInfo) -> int:
    """Where in the file the bytes of an entry begin that is not compressed."""
    with path.open("rb") as source:
        source.seek(entry.header_offset)
        header = source.read(LOCAL_HEADER)
    if len(header) < LOCAL_HEADER:
        raise EOFError("it ends too early")
    name_bytes = int.from_bytes(header[-4:-2], "little")
    extra_bytes = int.from_bytes(header[-2:], "little")
    return entry.header_offset + LOCAL_HEADER + name_bytes + extra_bytes


def _header(source: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type of an array whose data follow. Raises ValueError if it is none."""
    version = npy.read_magic(source)
    if version == (1, 0):
        shape, is_fortran, dtype = npy.read_array_header_1_0(source)
    elif version == (2, 0):
        shape, is_fortran, dtype = npy.read_array_header_2_0(source)
    else:
        raise ValueError(f"version {version[0]}.{version[1]} of the format is not known")
    return tuple(map(int, shape)), bool(is_fortran), np.dtype(dtype)


def _check(shape: tuple[int, ...], dtype: np.dtype[Any], what: str) -> None:
    """Raise RidgelineError for an array that holds no rows of numbers."""
    if dtype.kind not in "iubf":
        raise RidgelineError(f"{what} holds {dtype}, no numbers: store floats or integers")
    if not shape:
        raise RidgelineError(f"{what} is one number: its first dimension must count inputs")


def _damaged(path: Path, name: str, error: Exception) -> RidgelineError:
    return RidgelineError(f"{path}: {name} cannot be read: {_line(error)}")


def _line(error: Exception) -> str:
    return given.shortened(" ".join(str(error).split()) or type(error).__name__)
