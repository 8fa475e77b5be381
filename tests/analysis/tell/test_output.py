"""Standard output may be a full disk or a pipe without a reader: one line, and no traceback."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TextIO

import pytest

from analysis.tell.console import Console
from analysis.tell.output import LONGEST, ReaderLeft, Unheard, error_line, heard, plain
from tests.devices import CPU

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")


def full_disk() -> TextIO:
    return open("/dev/full", "w")


def broken_pipe() -> TextIO:
    end, start = os.pipe()
    os.close(end)
    return open(start, "w")


def test_what_cannot_be_printed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        full_disk() as out,
        monkeypatch.context() as changed,
    ):  # to close it raises if what was printed still waits
        changed.setattr(sys, "stdout", out)
        with (
            pytest.raises(
                Unheard, match=r"^cannot write to standard output: no space left on device$"
            ),
            heard(),
        ):
            print("something")


def test_a_reader_that_left_is_no_fault_and_not_complained_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with broken_pipe() as out, monkeypatch.context() as changed:
        changed.setattr(sys, "stdout", out)
        with pytest.raises(ReaderLeft, match=r"^$"), heard():
            print("something")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a layer", "a layer"),
        ("µs · ±1 % – 模型 😀\u00a0x", "µs · ±1 % – 模型 😀\u00a0x"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\r\nb\tc\x85d\u2028e", "a  b c d e"),
        ("\x9b31m\x7f\0", "\\x9b31m\\x7f\\x00"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("net\udcff", "net\\udcff"),
    ],
)
def test_what_is_shown_commands_no_terminal(text: str, shown: str) -> None:
    assert plain(text) == shown
    assert error_line(f" {text}\n") == " ".join(shown.split())


def test_an_error_has_an_end() -> None:
    assert len(error_line("x" * 10_000)) == LONGEST


def test_the_names_in_tables_and_notes_command_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = Console()
    console.device(replace(CPU, name="\x1b[31m[bold]:smile:", warnings=("\x07w\nx",)), "why\x1b")
    console.note("a\x1b[2Jb\nc")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[31m[bold]:smile:  (why\\x1b)" in out
    assert "warning: \\x07w x\n" in out
    assert "a\\x1b[2Jb c\n" in out


@pytest.mark.parametrize(
    ("asked", "width"),
    [("100", 100), ("", 240), ("0", 40), ("12", 40), ("9999999", 1000), ("-5", 240), ("wide", 240)],
)
def test_a_pipe_is_as_wide_as_the_environment_says(
    asked: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", asked)
    assert Console()._rich.width == width


def test_a_console_on_a_full_disk_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with full_disk() as out, monkeypatch.context() as changed:
        changed.setattr(sys, "stdout", out)
        with pytest.raises(Unheard, match="no space left on device"):
            Console().note("something")


def test_what_is_heard_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with heard():
        print("something")
    assert capsys.readouterr().out == "something\n"
