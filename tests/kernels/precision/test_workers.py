"""Processes that keep what they are given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures.process import BrokenProcessPool

import pytest

from kernels.precision.workers import Workers
from tests.gone import is_gone
from tests.runs import ROOT

_kept: list[int] = []


def keep(number: int) -> int:
    """How many numbers this process keeps, with this one."""
    _kept.append(number)
    return len(_kept)


def process(_: object = None) -> int:
    return os.getpid()


def test_a_worker_keeps_what_it_was_given() -> None:
    with Workers(2) as workers:
        counts = [workers.submit(worker, keep, worker).result() for worker in (0, 1, 2, 3, 0)]
    assert counts == [1, 1, 2, 2, 3]
    assert not _kept


def test_a_map_keeps_the_order_and_uses_every_worker() -> None:
    with Workers(2) as workers:
        assert list(workers.map(abs, range(-9, 0))) == list(range(9, 0, -1))
        own = {workers.submit(worker, process).result() for worker in range(2)}
        shared = set(workers.map(process, range(20)))
    assert shared <= own
    assert os.getpid() not in own


def test_a_killed_worker_is_told() -> None:
    with Workers(1) as workers:
        os.kill(workers.submit(0, process).result(), signal.SIGKILL)
        with pytest.raises(BrokenProcessPool):
            list(workers.map(abs, range(5)))


def test_workers_end_with_the_program_however_it_ends() -> None:
    program = """
import os, time
from kernels.precision.workers import Workers
if __name__ == "__main__":
    with Workers(2) as workers:
        numbers = [workers.submit(worker, os.getpid).result() for worker in range(2)]
        print(*numbers, flush=True)
        time.sleep(60)
"""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(program)
        file.flush()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        main = subprocess.Popen(
            [sys.executable, file.name], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert main.stdout is not None
        numbers = [int(number) for number in main.stdout.readline().split()]
        main.kill()
        main.wait()
        main.stdout.close()
    assert len(numbers) == 2
    assert all(map(is_gone, numbers)), "a worker outlives the program"
