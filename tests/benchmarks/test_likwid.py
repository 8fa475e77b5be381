"""Our L1 loads beside likwid-bench's (Debian's package likwid): the best of each, from one core.

The two are taken in turn. Medians would compare the moments: a core's loads take turns with those
of its other hardware thread, which may be another virtual machine's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest

from analysis.theory.peaks import peak_for
from kernels import cache
from kernels.device import Device
from probes.harness.clocks.sampling import HostClock, Rule, calibrate

SIZE = 16 << 10  # bytes: inside every first cache
LOADS = ("load_avx512", "load_avx", "load_sse", "load_neon", "load")  # widest first
NEEDS = {"load_avx512": "avx512f", "load_avx": "avx", "load_sse": "sse2"}
ITERATIONS = 1 << 16  # passes of likwid over its set: some milliseconds
ROUNDS = 30
SAMPLES = 10  # of ours in a round
SAMPLE_S = 0.001  # short, so that some samples are undisturbed
SHOWN_OF_AN_ERROR = 200  # characters, its last ones


@pytest.fixture(scope="module")
def likwid(host: Device) -> list[str]:
    """The command for likwid's widest loads that this core has."""
    tool = shutil.which("likwid-bench")
    if tool is None:
        pytest.skip("likwid-bench is not installed: apt-get install likwid")
    listing = subprocess.run([tool, "-a"], capture_output=True, text=True)
    names = {line.split(" - ")[0] for line in listing.stdout.splitlines()}
    known = [name for name in LOADS if name in names]
    usable = [name for name in known if NEEDS.get(name, "") in ("", *host.features)]
    if not usable:
        error = listing.stderr.strip()[-SHOWN_OF_AN_ERROR:]
        pytest.skip(f"likwid-bench has no plain loads here: {error}")
    return [tool, "-t", usable[0], "-w", f"S0:{SIZE}B:1", "-i", str(ITERATIONS)]


def rate_of(command: list[str]) -> float:
    """Bytes a second of one run of likwid. Skips where it cannot run."""
    process = subprocess.run(command, capture_output=True, text=True)
    rate = re.search(r"^MByte/s:\s+([\d.]+)", process.stdout, re.MULTILINE)
    if process.returncode or not rate:
        output = process.stderr or process.stdout
        error = output.strip()[-SHOWN_OF_AN_ERROR:]
        pytest.skip(f"likwid-bench does not run here: {error}")
    return float(rate[1]) * 1e6


def bests(launch: Any, clock: HostClock, command: list[str]) -> tuple[float, float, float]:
    """The best rate of ours and of likwid's, bytes a second, and our bytes per clock.

    A disturbed clock only reads low, so the highest one seen counts.
    """
    repeat = calibrate(launch, clock, Rule(SAMPLE_S, 0.0))
    ours = theirs = highest_hz = 0.0
    for _ in range(ROUNDS):
        samples = [clock.sample(launch, repeat) for _ in range(SAMPLES)]
        for sample in samples:
            if sample.clean:
                ours = max(ours, SIZE / sample.seconds)
                highest_hz = max(highest_hz, sample.clock_hz or 0.0)
        theirs = max(theirs, rate_of(command))
    return ours, theirs, ours / (highest_hz or 1.0)


def test_loads_from_the_first_cache(benchmark: Any, host: Device, likwid: list[str]) -> None:
    clock = HostClock(host)
    params = {"set_bytes": SIZE, "readers": 1}
    launch = cache.READ.backends["cpu"](host, "fp64", params, clock.queue)
    ours, theirs, per_clock = benchmark.pedantic(bests, args=(launch, clock, likwid), rounds=1)
    assert ours, "no undisturbed sample: the machine is overloaded"
    benchmark.extra_info |= {"ours_over_likwid": ours / theirs, "bytes_per_clock": per_clock}
    peak = peak_for("bandwidth/l1/read/1core", host)
    rated = f", {per_clock / peak.per_clock:.3f} of rated" if peak and peak.per_clock else ""
    print(
        f"\n{benchmark.name}: {ours / theirs:.3f} of likwid's {theirs / 1e9:.1f} GB/s{rated}, "
        f"best of {ROUNDS} turns"
    )
