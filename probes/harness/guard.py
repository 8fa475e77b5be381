"""Run in a process of its own what may crash or hang.

A fault ends that process, and the program goes on with a fresh one.

The worker is a fork of the program, so it knows all that the program knew at that moment, and
nothing has to be sent but answers. It must be made before the program itself starts threads or
opens a GPU: a fork has neither.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import IO, Any

from kernels.base import one_line
from kernels.processes import end_with
from kernels.runtime import patience
from probes.harness.clocks import waiting

GRACE_SECONDS = 1.0
"""How long a worker has to give its buffers back."""
MOST_STARVED = 4
"""Times its limit that a worker may take where other work keeps it from the processors."""
EXPENDABLE = "500"
"""oom_score_adj of a worker, of at most 1000: for lack of memory Linux ends it before others."""
MEANINGS = {
    signal.SIGSEGV: "invalid memory access",
    signal.SIGBUS: "invalid memory access",
    signal.SIGILL: "an instruction that this processor does not have",
    signal.SIGFPE: "an arithmetic trap",
    signal.SIGABRT: "a library aborted",
    signal.SIGKILL: "killed, most likely for lack of memory",
}


class Broken(Exception):
    """The worker ended, or was ended since it took too long: the text says why, in one line."""


class Guard:
    """Answers requests in a worker process; makes a fresh one where the last has ended."""

    def __init__(
        self, make: Callable[[], Callable[[Any], Any]], most_starved: float = MOST_STARVED
    ) -> None:
        """make() runs in each worker before its first answer, and returns ``answer(request)``.

        Requests and answers are pickled. most_starved: times its limit that a worker may take where
        other work keeps it from the processors.
        """
        self._make = make
        self._most_starved = most_starved
        self._process: Any = None
        self._pipe: Connection | None = None
        self._log: IO[bytes] | None = None
        """What the worker writes to its standard output and error."""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        """Where its temporary files go: a worker that is killed removes none."""
        self._busy = False
        """True from a request to its answer, and if an interrupt came between the two."""

    def ask(self, request: Any, limit_seconds: float) -> Any:
        """The worker's answer.

        Raises what the worker raised, or Broken if it ended or took longer than the limit.
        """
        if self._process is None:
            self._start()
        assert self._pipe is not None
        self._busy = True
        try:
            self._pipe.send(request)
            answer = self._receive(limit_seconds)
        except (EOFError, OSError):
            reason = self._why_ended()
            self._end()
            raise Broken(reason) from None
        self._busy = False
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def fresh(self) -> bool:
        """True if the next request meets a worker that has not answered any."""
        return self._process is None

    def renew(self) -> None:
        """End the worker: the next request gets a fresh one."""
        self._end()

    def close(self) -> None:
        """Let the worker end; at once if it is at work, as where the program was interrupted."""
        if self._pipe is not None and not self._busy:
            with contextlib.suppress(OSError):
                self._pipe.send(None)
            self._process.join(GRACE_SECONDS)
        self._end()

    def _receive(self, limit_seconds: float) -> Any:
        """The next answer. Raises Broken past the limit, EOFError where the worker has ended.

        The limit is extended by what other work took from the worker, up to ``most_starved`` times.
        """
        assert self._pipe is not None
        most_seconds = self._most_starved * limit_seconds
        begin = time.monotonic()
        starved_before_ns = waiting.longest(self._process.pid)
        left = limit_seconds
        while not (ready := wait([self._pipe, self._process.sentinel], left)):
            took = time.monotonic() - begin
            starved_ns = waiting.longest(self._process.pid) - starved_before_ns
            extended_limit = min(limit_seconds + starved_ns * 1e-9, most_seconds)
            left = extended_limit - took
            if left <= 0:
                self._end()
                raise Broken(f"it gave no answer within {took:.0f} s, and was ended")
        # a worker may have ended, and yet have answered just before
        if self._pipe not in ready and not self._pipe.poll():
            raise EOFError
        return self._pipe.recv()

    def _start(self) -> None:
        """Fork a worker. It hears no Ctrl-C: the program decides what ends."""
        context: Any = multiprocessing.get_context("fork")
        self._pipe, workers_end = context.Pipe()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed with the worker)
        self._folder = tempfile.TemporaryDirectory(prefix="ridgeline-")
        self._process = context.Process(
            target=_serve,
            args=(self._make, workers_end, self._log.fileno(), os.getpid(), self._folder.name),
            daemon=True,
        )
        # else the worker has what waits to be written too, and writes it into its log
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # Python warns of threads beside a fork: those of NumPy are idle, and hold no lock.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        # the worker must be the only one that holds it: then the pipe ends when the worker does
        workers_end.close()

    def _end(self) -> None:
        """End the worker at once."""
        if self._process is None:
            return
        self._process.kill()
        self._process.join()
        self._process.close()
        if self._pipe is not None:
            self._pipe.close()
        if self._log is not None:
            self._log.close()
        if self._folder is not None:
            self._folder.cleanup()
        self._process = self._pipe = self._log = self._folder = None

    def _why_ended(self) -> str:
        """What ended the worker, and the last line it wrote."""
        self._process.join(GRACE_SECONDS)
        code = self._process.exitcode
        end = f"with code {code}"
        if code is not None and code < 0:
            end = f"by {_signal_in_words(-code)}"
        last_line = self._last_line()
        quoted = f": {last_line}" if last_line else ""
        return f"the process that ran it ended {end}{quoted}"

    def _last_line(self) -> str:
        """The last line of what the worker wrote to its standard output and error."""
        if self._log is None:
            return ""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return one_line(lines[-1]) if lines else ""


def _signal_in_words(number: int) -> str:
    """``SIGSEGV (invalid memory access)``."""
    try:
        which_signal = signal.Signals(number)
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
    if which_signal in MEANINGS:
        return f"{which_signal.name} ({MEANINGS[which_signal]})"
    return which_signal.name


def _serve(
    make: Callable[[], Callable[[Any], Any]],
    pipe: Connection,
    log: int,
    parent: int,
    folder: str,
) -> None:
    """The worker: answer requests until None comes.

    log: file descriptor that its output goes to. parent: number of the program's process. folder:
    for its temporary files.
    """
    tempfile.tempdir = folder
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # where it is enabled it prints a page on a fault, of which Broken tells in a line
    faulthandler.disable()
    standard_output, standard_error = 1, 2
    for stream in (standard_output, standard_error):
        os.dup2(log, stream)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(EXPENDABLE)
    answer: Callable[[Any], Any] | None = None
    patience.can_be_spared(partial(_leave, pipe))
    while (request := pipe.recv()) is not None:
        try:
            # here, so that what make() raises is an answer too
            answer = answer or make()
            result = answer(request)
        except BaseException as error:
            result = error
        _send(pipe, result)
    # no sys.exit(): the program's own end-of-process work is not the worker's
    os._exit(0)


def _leave(pipe: Connection, reason: Exception) -> None:
    """End the worker from one of its threads while another hangs: ``reason`` is its answer."""
    _send(pipe, reason)
    os._exit(0)


def _send(pipe: Connection, result: Any) -> None:
    """Send an answer; an error that cannot be pickled is sent as its text."""
    try:
        pipe.send(result)
    except Exception:
        pipe.send(RuntimeError(f"{type(result).__name__}: {one_line(result)}"))
