"""Our CPU kernels beside the same kernels in C with intrinsics: a ratio from one run, the two taken
in turn.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from kernels import cache, fma, stream
from kernels.chase import CHASE
from kernels.chase import work as chase_work
from kernels.fma import cpu as fma_cpu
from kernels.fma import work as fma_work
from probes import bandwidth
from probes.harness.clocks.sampling import HostClock, Rule, calibrate

SOURCE = Path(__file__).with_name("peers.c")


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The C kernels, compiled for this machine."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler to build the peers with")
    library = tmp_path_factory.mktemp("peers") / "peers.so"
    flags = ["-O3", "-march=native", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(library), str(SOURCE)], check=True)
    return ctypes.CDLL(str(library))


class Peer:
    """The C kernel ``name`` on the threads, buffers and arguments of our own launch."""

    def __init__(self, library: ctypes.CDLL, name: str, launch: Any) -> None:
        self._address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        self._launch = launch

    def run(self, repeat: int) -> Any:
        return self._launch._team.run(self._address, self._launch._arguments, repeat)


def ratios(launch: Any, peer: Any, clock: HostClock, rounds: int) -> list[float]:
    """Rate of ours over the peer's, each pair taken one right after the other; unclean pairs are
    left out.
    """
    repeat = calibrate(launch, clock, Rule(0.010, 0.0))
    found = []
    for _ in range(rounds):
        ours, theirs = clock.sample(launch, repeat), clock.sample(peer, repeat)
        if ours.clean and theirs.clean:
            found.append(theirs.seconds / ours.seconds)
    return found


def compare(benchmark: Any, launch: Any, peer: Any, clock: HostClock, rounds: int = 60) -> None:
    found = benchmark.pedantic(ratios, args=(launch, peer, clock, rounds), rounds=1)
    assert found, "no undisturbed pair: the machine is overloaded"
    benchmark.extra_info["ours_over_c"] = median(found)
    print(f"\n{benchmark.name}: {median(found):.3f} of C, median of {len(found)} pairs")


@pytest.mark.parametrize("dtype", ["fp64", "fp32", "bf16", "int8", "int32"])
def test_fma(benchmark: Any, peers: ctypes.CDLL, host: Any, dtype: str) -> None:
    if not hasattr(peers, f"fma_{dtype}"):
        pytest.skip(f"no C kernel for {dtype} on this core")
    clock = HostClock(host)
    params = fma_cpu.shape(host.features, dtype) | {"threads": host.units} | fma_work.TIMED[dtype]
    launch = fma.kernel(dtype).backends["cpu"](host, dtype, params, clock.queue)
    compare(benchmark, launch, Peer(peers, f"fma_{dtype}", launch), clock)


SIZES = [4 << 10, 16 << 10, 256 << 10, 4 << 20]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [cache.READ, cache.WRITE, cache.COPY], ids=lambda k: k.name)
def test_cache(benchmark: Any, peers: ctypes.CDLL, host: Any, kernel: Any, size: int) -> None:
    clock = HostClock(host)
    launch = kernel.backends["cpu"](host, "fp64", {"set_bytes": size, "readers": 1}, clock.queue)
    compare(benchmark, launch, Peer(peers, kernel.name, launch), clock)


@pytest.mark.parametrize("size", SIZES)
def test_chase(benchmark: Any, peers: ctypes.CDLL, host: Any, size: int) -> None:
    clock = HostClock(host)
    launch = CHASE.backends["cpu"](
        host, "int64", {"set_bytes": size, "line": chase_work.LINE["cpu"]}, clock.queue
    )
    compare(benchmark, launch, Peer(peers, "chase", launch), clock)


@pytest.mark.parametrize("kernel", stream.KERNELS[:4], ids=lambda k: k.name)
def test_stream(benchmark: Any, peers: ctypes.CDLL, host: Any, kernel: Any) -> None:
    clock = HostClock(host)
    params = {"n": bandwidth.array_bytes(host) // 8, "threads": host.units}
    launch = kernel.backends["cpu"](host, "fp64", params, clock.queue)
    compare(benchmark, launch, Peer(peers, kernel.name, launch), clock)
