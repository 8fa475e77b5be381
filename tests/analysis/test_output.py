"""Standard output may be a full disk, or a pipe that no one reads any more: one line, and no traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO

import pytest

from analysis.console import Console
from analysis.output import Unheard, heard

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")


def full_disk() -> TextIO:
    return open("/dev/full", "w")


def broken_pipe() -> TextIO:
    end, start = os.pipe()
    os.close(end)
    return open(start, "w")


DEAF = [(full_disk, "no space left on device"), (broken_pipe, "broken pipe")]


@pytest.mark.parametrize(("deaf", "why"), DEAF)
def test_what_cannot_be_printed_is_one_line(
    deaf: Callable[[], TextIO], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deaf() as out, monkeypatch.context() as changed:  # to close it raises if what was printed still waits
        changed.setattr(sys, "stdout", out)
        with pytest.raises(Unheard, match=f"^cannot write to standard output: {why}$"), heard():
            print("something")


def test_a_console_on_a_full_disk_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with full_disk() as out, monkeypatch.context() as changed:
        changed.setattr(sys, "stdout", out)
        with pytest.raises(Unheard, match="no space left on device"):
            Console().note("something")


def test_what_is_heard_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with heard():
        print("something")
    assert capsys.readouterr().out == "something\n"
