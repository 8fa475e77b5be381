"""Working sets and the chase on the real CPU: the numbers match NumPy.

And the machine code moves the bytes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels import cache
from kernels.base import KernelError, Work
from kernels.chase import CHASE
from kernels.chase import cpu as chase_cpu
from kernels.chase import work as chase_work
from kernels.cpu import memory
from probes.harness.check import difference
from tests.devices import CPU
from tests.kernels.cpu.test_kernels import THREADS, Host, Team, host, team

__all__ = ["host", "team"]  # the fixtures of the other CPU kernels
KERNELS = [cache.READ, cache.WRITE, cache.COPY]
CHASE_PARAMS = {"set_bytes": 64 << 10, "line": 64}


@pytest.mark.parametrize("size", [1 << 10, 6 << 10, 100 << 10])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_passes_do_what_numpy_does(team: Team, host: Host, kernel: Any, size: int) -> None:
    params = {"set_bytes": size, "readers": THREADS, "pass_bytes": size * THREADS}
    launch = kernel.backends["cpu"](host, "fp64", params, team)
    launch.run(3)
    assert not difference(launch.result(), kernel.reference("fp64", 3, **params), 0.0)
    launch.close()


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_the_hot_loop_moves_the_declared_bytes(team: Team, host: Host, kernel: Any) -> None:
    params = {"set_bytes": 6 << 10, "readers": THREADS, "pass_bytes": (6 << 10) * THREADS}
    launch = kernel.backends["cpu"](host, "fp64", params, team)
    work = kernel.work("fp64", **params)
    audit = launch.audit(work)
    assert audit.instruction
    assert not audit.problem
    if "asimd" not in host.features:
        doubled = Work(bytes=2 * work.bytes)
        assert "bytes a repetition" in launch.audit(doubled).problem


def test_the_sum_shows_how_many_passes_and_cores_there_were(team: Team, host: Host) -> None:
    params = {"set_bytes": 6 << 10, "readers": THREADS}
    launch = cache.READ.backends["cpu"](host, "fp64", params, team)
    launch.run(3)
    for repeat, readers in ((2, THREADS), (3, THREADS - 1)):
        expected = cache.READ.reference("fp64", repeat, **(params | {"readers": readers}))
        assert difference(launch.result(), expected, 0.0)


def test_one_core_leaves_the_others_alone(team: Team, host: Host) -> None:
    launch = cache.READ.backends["cpu"](host, "fp64", {"set_bytes": 4 << 10, "readers": 1}, team)
    assert len(launch.run(1)) == 1


def test_a_set_with_a_tail_is_refused(team: Team, host: Host) -> None:
    with pytest.raises(KernelError, match="take a multiple of"):
        cache.READ.backends["cpu"](host, "fp64", {"set_bytes": (4 << 10) + 8, "readers": 1}, team)


@pytest.mark.parametrize("hops", [1, 7, 8, 9, 16, 1001])
def test_a_chase_makes_just_so_many_hops(team: Team, host: Host, hops: int) -> None:
    launch = CHASE.backends["cpu"](host, "int64", CHASE_PARAMS, team)
    launch.run(hops)
    assert not difference(launch.result(), CHASE.reference("int64", hops, **CHASE_PARAMS), 0.0)


def test_a_chase_goes_on_where_it_ended(team: Team, host: Host) -> None:
    launch = CHASE.backends["cpu"](host, "int64", CHASE_PARAMS, team)
    for hops in (5, 6):
        launch.run(hops)
    assert not difference(launch.result(), CHASE.reference("int64", 11, **CHASE_PARAMS), 0.0)


class Watched:
    """A team that notes what it is asked, in order."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.calls: list[str] = []

    def spread(self, work: Any) -> None:
        self.calls.append("touch")
        self.team.spread(work)

    def run(self, *arguments: Any) -> Any:
        self.calls.append("run")
        return self.team.run(*arguments)


@pytest.mark.parametrize(
    ("set_bytes", "calls_of_a_run"), [(64 << 10, ["touch", "run"]), (128 << 10, ["run"])]
)
def test_a_set_that_fits_the_last_cache_is_brought_there_before_every_run(
    team: Team, set_bytes: int, calls_of_a_run: list[str]
) -> None:
    device = replace(CPU, last_cache_bytes=64 << 10)
    watched = Watched(team)
    launch = CHASE.backends["cpu"](device, "int64", {"set_bytes": set_bytes, "line": 64}, watched)
    assert watched.calls == ["touch"]
    launch.run(1)
    launch.run(1)
    assert watched.calls == ["touch", *calls_of_a_run, *calls_of_a_run]
    launch.close()


def test_a_chase_is_made_of_dependent_loads(
    team: Team, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = CHASE.backends["cpu"](host, "int64", CHASE_PARAMS, team)
    assert launch.audit(Work()).instruction
    assert not launch.audit(Work()).problem
    monkeypatch.setattr(chase_cpu, "HOPS", chase_cpu.HOPS * 2)
    assert "8 dependent loads, not 16" in launch.audit(Work()).problem


def test_a_chase_visits_every_line_once() -> None:
    assert np.array_equal(np.sort(chase_work.cycle(1000)), np.arange(1000))


def test_memory_starts_on_a_large_page_and_is_as_long_as_asked() -> None:
    array = memory.on_large_pages(5000)
    assert array.ctypes.data % memory.PAGE == 0
    assert len(array) == 5000
