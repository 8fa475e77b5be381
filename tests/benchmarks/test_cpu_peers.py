"""Our CPU kernels beside the same kernels in C with intrinsics: a ratio from one run.

The two are taken in turn.
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
SAMPLE_S = 0.010  # how long a sample takes, so that the clock's resolution is no matter


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
    """The rate of ours over the peer's, of pairs of samples that follow each other.

    Pairs that were disturbed are left out.
    """
    repeat = calibrate(launch, clock, Rule(SAMPLE_S, 0.0))
    of_clean_pairs = []
    for _ in range(rounds):
        ours = clock.sample(launch, repeat)
        theirs = clock.sample(peer, repeat)
        if ours.clean and theirs.clean:
            of_clean_pairs.append(theirs.seconds / ours.seconds)
    return of_clean_pairs


def compare(benchmark: Any, launch: Any, peer: Any, clock: HostClock, rounds: int = 60) -> None:
    """Sample a launch and its peer in turn, and report the median ratio of their rates."""
    of_pairs = benchmark.pedantic(ratios, args=(launch, peer, clock, rounds), rounds=1)
    assert of_pairs, "no undisturbed pair: the machine is overloaded"
    benchmark.extra_info["ours_over_c"] = median(of_pairs)
    print(f"\n{benchmark.name}: {median(of_pairs):.3f} of C, median of {len(of_pairs)} pairs")


@pytest.mark.parametrize("dtype", ["fp64", "fp32", "bf16", "int8", "int32"])
def test_fma(benchmark: Any, peers: ctypes.CDLL, host: Any, dtype: str) -> None:
    if not hasattr(peers, f"fma_{dtype}"):
        pytest.skip(f"no C kernel for {dtype} on this core")
    clock = HostClock(host)
    params = fma_cpu.shape(host.features, dtype) | {"threads": host.units} | fma_work.TIMED[dtype]
    launch = fma.kernel(dtype).backends["cpu"](host, dtype, params, clock.queue)
    compare(benchmark, launch, Peer(peers, f"fma_{dtype}", launch), clock)


CACHE_KERNELS = [cache.READ, cache.WRITE, cache.COPY]
# bytes of a set: the first two fit most cores' first cache, the others the second and the last one
SIZES = [4 << 10, 16 << 10, 256 << 10, 4 << 20]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", CACHE_KERNELS, ids=lambda kernel: kernel.name)
def test_cache(benchmark: Any, peers: ctypes.CDLL, host: Any, kernel: Any, size: int) -> None:
    clock = HostClock(host)
    launch = kernel.backends["cpu"](host, "fp64", {"set_bytes": size, "readers": 1}, clock.queue)
    compare(benchmark, launch, Peer(peers, kernel.name, launch), clock)


@pytest.mark.parametrize("size", SIZES)
def test_chase(benchmark: Any, peers: ctypes.CDLL, host: Any, size: int) -> None:
    clock = HostClock(host)
    params = {"set_bytes": size, "line": chase_work.LINE["cpu"]}
    launch = CHASE.backends["cpu"](host, "int64", params, clock.queue)
    compare(benchmark, launch, Peer(peers, "chase", launch), clock)


IN_C = stream.KERNELS[:4]  # the operations that peers.c has


@pytest.mark.parametrize("kernel", IN_C, ids=lambda kernel: kernel.name)
def test_stream(benchmark: Any, peers: ctypes.CDLL, host: Any, kernel: Any) -> None:
    clock = HostClock(host)
    params = {"n": bandwidth.array_bytes(host) // 8, "threads": host.units}
    launch = kernel.backends["cpu"](host, "fp64", params, clock.queue)
    compare(benchmark, launch, Peer(peers, kernel.name, launch), clock)
