"""What ends the worker, or hangs in it, is one answer with its reason.

No worker outlives the program.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kernels.base import KernelError, Unavailable
from kernels.runtime import patience
from probes.harness.clocks import waiting
from probes.harness.guard import Broken, Guard
from tests.gone import is_gone
from tests.runs import ROOT

LONG = 60.0
"""Seconds: no test waits so long unless it fails."""


def worker() -> Callable[[str], Any]:
    """A worker that answers a request with its number, or with the fault of that name."""
    requests = itertools.count(1)
    faults: dict[str, Callable[[], Any]] = {
        "segfault": lambda: ctypes.string_at(0),
        "abort": _abort,
        "hang": lambda: time.sleep(LONG),
        "stuck": _stuck,
        "exit": lambda: os._exit(3),
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "ctrl-c": lambda: os.kill(os.getpid(), signal.SIGINT),
        "raise": _raise,
        "unpicklable": _unpicklable,
    }

    def answer(request: str) -> Any:
        number = next(requests)
        if request in faults:
            faults[request]()
        if request == "folder":
            return tempfile.mkdtemp()
        return request, number

    return answer


def _abort() -> None:
    """What a compiler does where it gives up."""
    os.write(2, b"something else\nLLVM ERROR: Cannot select\n")
    os.abort()


def _stuck() -> None:
    """A run of a runtime in one operation that takes forever: told to end, it does not."""
    with patience.limited(SimpleNamespace(terminate=False), 0.2):
        time.sleep(LONG)


def _raise() -> None:
    """An error that the work itself raises."""
    raise KernelError("no room for 8 GB")


def _unpicklable() -> None:
    """An error that cannot be sent to another process."""
    raise ValueError(lambda: 1)


@pytest.fixture
def guard() -> Iterator[Guard]:
    """A guard over such a worker, which it ends after the test."""
    guard = Guard(worker)
    yield guard
    guard.close()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("segfault", "the process that ran it ended by SIGSEGV (invalid memory access)"),
        (
            "abort",
            (
                "the process that ran it ended by SIGABRT (a library aborted): "
                "LLVM ERROR: Cannot select"
            ),
        ),
        (
            "kill",
            "the process that ran it ended by SIGKILL (killed, most likely for lack of memory)",
        ),
        ("exit", "the process that ran it ended with code 3"),
    ],
)
def test_what_ends_the_worker_is_told_and_a_fresh_one_goes_on(
    guard: Guard, fault: str, reason: str
) -> None:
    assert guard.ask("first", LONG) == ("first", 1)
    with pytest.raises(Broken) as broken:
        guard.ask(fault, LONG)
    assert str(broken.value) == reason
    assert guard.ask("next", LONG) == ("next", 1), "a fresh worker has been asked nothing before"
    assert guard.ask("again", LONG) == ("again", 2)


def test_temporary_files_of_a_killed_worker_are_removed(guard: Guard) -> None:
    folder = Path(guard.ask("folder", LONG))
    assert folder.is_dir()
    with pytest.raises(Broken):
        guard.ask("kill", LONG)
    assert not folder.parent.exists()
    second = Path(guard.ask("folder", LONG))
    guard.close()
    assert not second.parent.exists()
    assert folder.parent != second.parent != Path(tempfile.gettempdir())


def test_what_hangs_is_ended(guard: Guard) -> None:
    with pytest.raises(Broken, match=r"it gave no answer within \d+ s, and was ended"):
        guard.ask("hang", 0.6)
    assert guard.ask("next", LONG) == ("next", 1)


def test_a_run_that_does_not_end_when_told_to_ends_its_worker_with_the_reason(guard: Guard) -> None:
    begin = time.monotonic()
    with pytest.raises(
        Unavailable, match=r"one run of it takes longer than 0.2 s \(--layer-seconds\)"
    ):
        guard.ask("stuck", LONG)
    assert time.monotonic() - begin < LONG / 2
    guard.renew()
    assert guard.ask("next", LONG) == ("next", 1)


def test_time_that_other_work_took_from_the_worker_is_added_but_not_for_ever(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It never gets a processor.
    monkeypatch.setattr(waiting, "longest", lambda process: time.monotonic_ns())
    limit = 0.5
    begin = time.monotonic()
    with pytest.raises(Broken):
        guard.ask("hang", limit)
    assert 4 * limit <= time.monotonic() - begin < LONG


def test_the_worker_hears_no_interrupt(guard: Guard) -> None:
    assert guard.ask("ctrl-c", LONG) == ("ctrl-c", 1)


def test_errors_of_the_work_are_raised_here(guard: Guard) -> None:
    with pytest.raises(KernelError, match="no room for 8 GB"):
        guard.ask("raise", LONG)
    with pytest.raises(RuntimeError, match="ValueError: "):
        guard.ask("unpicklable", LONG)
    assert guard.ask("next", LONG) == ("next", 3), "the same worker goes on"


def test_a_worker_that_cannot_start_says_why_each_time() -> None:
    def start_in_vain() -> Any:
        raise KernelError("the device has fallen off the bus")

    guard = Guard(start_in_vain)
    for _ in range(2):
        with pytest.raises(KernelError, match="fallen off"):
            guard.ask("anything", LONG)
    guard.close()


PROGRAM = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from probes.harness.clocks import waiting
from probes.harness.guard import Guard
def worker():
    return lambda request: os.getpid() if request == "who" else time.sleep(60)
guard = Guard(worker)
print(guard.ask("who", 60), flush=True)
guard.ask("sleep", 60)
"""
"""A program that prints the process of its worker, and waits for it."""


@pytest.mark.parametrize(
    "signal_sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda sent: sent.name
)
def test_the_worker_ends_with_the_program_however_that_ends(signal_sent: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM, str(ROOT)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as program:
        assert program.stdout is not None
        worker_id = int(program.stdout.readline())
        os.kill(program.pid, signal_sent)
        program.wait(LONG)
    assert is_gone(worker_id)
