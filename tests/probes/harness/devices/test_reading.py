"""What a file of /proc or /sys holds is read, or unknown where it makes no sense."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from probes.harness.devices.reading import cpu_list, list_text, number, read


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0-2,8,10-11", [0, 1, 2, 8, 10, 11]),
        ("", []),
        (" 3 , 5-5 ", [3, 5]),
        ("0-1,garbage,4", [0, 1, 4]),
        ("7-2,-5,--,a-b", []),
        ("0-4294967295", []),
    ],
)
def test_a_list_of_cpus_is_read_without_its_damaged_parts(text: str, cpus: list[int]) -> None:
    assert cpu_list(text) == cpus


def test_a_list_as_text_is_read_back() -> None:
    cpus = [0, 1, 2, 5, 7, 8]
    assert list_text(cpus) == "0-2,5,7-8"
    assert cpu_list(list_text(cpus)) == cpus
    assert list_text([]) == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [("17\n", 17), ("-1", -1), ("--5", None), ("", None), ("max", None), ("9" * 5000, None)],
)
def test_a_file_holds_a_number_or_none(tmp_path: Path, text: str, value: int | None) -> None:
    (tmp_path / "file").write_text(text)
    assert number(tmp_path / "file") == value


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == ""
    assert read(tmp_path) == ""


def test_a_sensor_that_says_try_again_is_empty(tmp_path: Path, monkeypatch: Any) -> None:
    class SwitchedOff(io.RawIOBase):
        """A file whose read would have to wait."""

        def read(self, size: int = -1) -> None:  # type: ignore[override]
            return None

    monkeypatch.setattr(Path, "open", lambda *_, **__: SwitchedOff())
    assert read(tmp_path / "temp") == ""
    assert number(tmp_path / "temp") is None
