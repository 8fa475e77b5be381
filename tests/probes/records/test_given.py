"""What a user gives may be a pipe, a device, huge or damaged: one line names it, at once."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from probes.records.given import LARGEST_FILE, content, parsed, storable, text
from probes.records.measurement import RidgelineError


def test_what_is_no_regular_file_is_named_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        messages = {
            tmp_path: "is a folder, not a file",
            tmp_path / "pipe": "is a pipe, not a file: save what comes out of it first",
            tmp_path / "socket": "is a socket, not a file",
            Path("/dev/zero"): "/dev/zero is a device, not a file",
            tmp_path / "nothing": "cannot be read: no such file or directory",
            Path("nul\0"): "cannot be read: no file has such a name",
        }
        for path, says in messages.items():
            with pytest.raises(RidgelineError, match=says):
                content(path)


def test_a_file_that_is_huge_though_it_takes_no_space_is_refused_with_the_numbers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sparse.json"
    with open(path, "wb") as out:
        out.truncate(1 << 40)
    with pytest.raises(
        RidgelineError, match=f"is {1 << 40} bytes large, more than {LARGEST_FILE} that are read"
    ):
        text(path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff\xfe\xff", "not UTF-8 text"),
        (b"\x80abc", "not UTF-8 text"),
        (b"a\0b", "it holds NUL bytes"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(RidgelineError, match=f"x cannot be read: .*{says}"):
        text(tmp_path / "x")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_of_every_system_reads_alike(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "x").write_bytes("ü\r\nb\rc\n".encode(encoding))
    assert text(tmp_path / "x") == "ü\nb\nc\n"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("[1,", "line 1 column 4 is not JSON"),
        ("[" * 100_000, "is nested too deep"),
        (f"[{'9' * 5000}]", "holds 9999.*a whole number of more than 19 digits"),
        (f"[-{'9' * 20}]", "holds -9999"),
        ("[1e400]", "holds 1e400, which is too large for a number"),
        ('{"a": 1, "a": 2}', "holds 'a' twice in one object, with two values"),
    ],
)
def test_json_that_no_tool_writes_is_one_line(source: str, says: str) -> None:
    with pytest.raises(RidgelineError, match=says) as error:
        parsed(Path("x.json"), source)
    assert str(error.value).startswith("x.json ")
    assert "\n" not in str(error.value)


def test_json_is_read_as_tools_write_it() -> None:
    twice_alike = '{"a": [1, -9223372036854775808, 1e30], "a": [1, -9223372036854775808, 1e30]}'
    assert parsed(Path("x"), twice_alike) == {"a": [1, -(2**63), 1e30]}


def test_characters_that_no_file_can_hold_are_replaced() -> None:
    assert parsed(Path("x"), r'{"\ud800": ["a\udfffb", "\ud83d\ude00", "\u0000"]}') == {
        "\ufffd": ["a\ufffdb", "😀", "\ufffd"]
    }
    assert storable(os.fsdecode(b"net\xff")) == "net\ufffd"
