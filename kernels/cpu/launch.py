"""A native kernel ready to run: with the arguments of each thread, on a thread team."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from kernels.base import Audit, Work
from kernels.cpu import asm
from kernels.cpu.emit import Native


class Team(Protocol):
    """Pinned threads that start together: the harness's team, as far as a kernel needs it."""

    size: int
    """How many threads."""

    def run(self, address: int, arguments: np.ndarray, repeat: int) -> np.ndarray:
        """Run native code on each thread that has a row of ``arguments``, int64 [threads, n].

        Waits for all of them. Returns the times that each thread recorded, for the harness's clock.
        """

    def spread(self, work: Callable[[int], Any]) -> None:
        """Call ``work(thread)`` on every thread."""


def sum_of_sums(buffers: Sequence[np.ndarray]) -> np.ndarray:
    """The result of a read, shape (1,): the last buffer holds the sums of all threads.

    They are added in double precision, whatever their own is.
    """
    return np.array([buffers[-1].sum(dtype=np.float64)])


class CpuLaunch:
    """A native kernel with the arguments of each thread, run by a thread team."""

    def __init__(
        self,
        native: Native,
        rows: Sequence[Sequence[int]],
        team: Team,
        buffers: Sequence[np.ndarray],
        result: Callable[[Sequence[np.ndarray]], np.ndarray],
        spec: asm.Spec,
    ) -> None:
        """Take a kernel and all it is called with.

        rows: the 64-bit arguments of each thread; fewer rows than the team has threads leave some
        idle. buffers: every array whose address stands in the rows, kept alive until ``close``.
        result: reads from the buffers what the kernel computed. spec: how to audit the code.
        """
        self._native = native
        self._arguments = np.array(rows, np.int64)
        self._team = team
        self._buffers = list(buffers)
        self._result = result
        self._spec = spec

    def run(self, repeat: int) -> Any:
        """Do the work ``repeat`` times on each thread that has arguments, and wait for all."""
        return self._team.run(self._native.address, self._arguments, repeat)

    @property
    def calls(self) -> tuple[int, np.ndarray]:
        """(address of the native code, arguments of each thread, int64 [threads, n])."""
        return self._native.address, self._arguments

    def result(self) -> np.ndarray:
        """What the last run computed."""
        return self._result(self._buffers)

    def clock_hz(self) -> float | None:
        """None: the team's clock probes tell it, beside the kernel."""
        return None

    def audit(self, work: Work) -> Audit:
        """Hold the assembly against the declared work."""
        return asm.audit(self._native.assembly, self._spec, work)

    def close(self) -> None:
        """Let the buffers go."""
        self._buffers.clear()
        # The arguments are addresses of the buffers: without rows no thread can use them any more.
        self._arguments = self._arguments[:0]


def pack(values: Sequence[Any]) -> list[int]:
    """Arguments as the 64-bit integers that ``emit.load_argument`` reads.

    A NumPy float becomes the integer of its bits, and ``load_argument`` takes as many low ones.
    """
    words = []
    for value in values:
        if isinstance(value, np.floating):
            value = value.view(f"i{value.itemsize}")
        words.append(int(value))
    return words
