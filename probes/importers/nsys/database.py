"""The SQLite file that ``nsys export --type sqlite`` writes, read whatever its version.

Tables are made only for what was seen, and columns came with versions: ``NVTX_EVENTS.textId``
beside ``text``, ``globalPid`` of a kernel. nvprof's database is of the same kind, with names in
``StringTable``. Schema: docs.nvidia.com/nsight-systems, "SQLite Schema Reference".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kernels.base import one_line
from probes.importers.layer_row import malformed
from probes.records.given import regular, shortened, storable
from probes.records.measurement import RidgelineError

STRINGS = (("StringIds", "id"), ("StringTable", "_id_"))
"""Tables of texts, and the column of their keys."""


class Database:
    """An SQLite file that is only read."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        self.tables = [str(name) for (name,) in tables.fetchall()]
        self._texts: dict[Any, str] = {}
        for table, key in STRINGS:
            if table in self.tables:
                self._texts.update(connection.execute(f"SELECT {key}, value FROM {table}"))

    def columns(self, table: str) -> list[str]:
        """The columns of a table; none if there is no such table."""
        if table not in self.tables:
            return []
        return [str(row[1]) for row in self._connection.execute(f'PRAGMA table_info("{table}")')]

    def rows(
        self, table: str, needed: Sequence[str], more: Sequence[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """The rows of a table; a column of ``more`` that it lacks is None.

        Raises RidgelineError if it lacks a needed column.
        """
        there = self.columns(table)
        if not there:
            return
        if missing := [name for name in needed if name not in there]:
            raise malformed(
                self.path, f"table {table}", f"no column {', '.join(missing)}: no export of nsys"
            )
        names = [*needed, *(name for name in more if name in there)]
        listed = ", ".join(f'"{name}"' for name in names)
        for values in self._connection.execute(f'SELECT {listed} FROM "{table}"'):
            row = dict.fromkeys((*needed, *more))
            row.update(zip(names, values, strict=True))
            yield row

    def text(self, key: Any) -> str:
        """The text of a key, or the key itself where a table has its texts in place."""
        if key is None:
            return ""
        return storable(str(self._texts.get(key, key if isinstance(key, str) else "")))

    def time(self, table: str, row: dict[str, Any], name: str) -> float:
        """A time in ns. Raises RidgelineError if the cell holds none."""
        value = row[name]
        if not isinstance(value, int | float) or not abs(value) < 1e19:
            raise malformed(
                self.path, f"table {table}", f"{name} is {shortened(repr(value))}, no time in ns"
            )
        return float(value)


def _text(stored: bytes) -> str:
    """The text of a cell, whatever its bytes."""
    return stored.decode("utf-8", "replace")


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """The database in a file. Raises RidgelineError if it is damaged."""
    regular(path)
    uri = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(uri, uri=True)
    except sqlite3.Error as error:
        raise RidgelineError(f"{path} cannot be read: {error}") from None
    try:
        connection.text_factory = _text
        connection.execute("PRAGMA trusted_schema = OFF")
        yield Database(path, connection)
    except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:
        raise RidgelineError(
            f"{path} is a damaged SQLite file ({one_line(error)}): export it again"
        ) from None
    finally:
        connection.close()
