"""Run a program with a limit of time, hear what it prints, and leave nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from kernels.processes import end_with

MOST_LINES = 20_000
"""Lines that are kept of what it printed, the last ones."""
TICK_SECONDS = 0.5
"""How often the listener is called while nothing is printed."""
CHUNK = 1 << 16
"""Bytes that are read at once."""
LINGER_SECONDS = 1.0
"""How long a program that has ended may leave its output open, in the hands of its children."""


class NoStart(Exception):
    """The program could not be started: the text says why."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    """Its exit code; -9 of a program that signal 9 ended."""
    lines: tuple[str, ...]
    """What it printed, on standard output and error together."""
    seconds: float
    """How long it ran."""
    late: bool = False
    """True if it was ended since it took longer than it may."""


def run_program(
    command: Sequence[str],
    limit_seconds: float,
    heard: Callable[[str], None] = lambda line: None,
) -> Ended:
    """Run a program to its end.

    heard: called with each line, and with an empty one now and then while nothing is printed. On
    any exception, Ctrl-C above all, the program and its children are killed first. Raises NoStart.
    """
    begin = time.monotonic()
    process = _started(command)
    lines: deque[str] = deque(maxlen=MOST_LINES)

    def hear(line: str) -> None:
        if line:
            lines.append(line)
        heard(line)

    late = False
    try:
        late = _listen(process, begin + limit_seconds, hear)
    finally:
        _kill(process)
    return Ended(process.returncode, tuple(lines), time.monotonic() - begin, late)


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """The program, in a session of its own, so that Ctrl-C reaches only us. Raises NoStart."""
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=partial(end_with, os.getpid()),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NoStart(getattr(error, "strerror", None) or str(error)) from None


def _listen(process: subprocess.Popen[bytes], deadline: float, hear: Callable[[str], None]) -> bool:
    """Hear each line until the program ends; True if the deadline came first."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    rest = b""
    ended_at: float | None = None
    while True:
        now = time.monotonic()
        if ended_at is None and process.poll() is not None:
            ended_at = now
        if ended_at is not None and now > ended_at + LINGER_SECONDS:
            break
        if ended_at is None and now > deadline:
            return True
        ready, _, _ = select.select([pipe], [], [], TICK_SECONDS)
        if not ready:
            hear("")
            continue
        chunk = os.read(pipe, CHUNK)
        if not chunk:
            process.wait(max(0.1, deadline - time.monotonic()))
            break
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            hear(line.decode(errors="replace").rstrip())
    if rest:
        hear(rest.decode(errors="replace").rstrip())
    return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the program, and whatever children it has left."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
