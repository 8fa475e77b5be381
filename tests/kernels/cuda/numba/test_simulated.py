"""The Numba CUDA kernels in Numba's simulator.

They run in processes of their own, since the simulator must be chosen before import.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]

CHAINS = """
import numpy as np
from kernels.fma import jit, work
chains, steps, blocks, threads, repeat = 4, 3, 2, 4, 2
m, c = np.{number_type}(-0.99), np.{number_type}(0.7)
out = np.zeros(chains * blocks * threads, np.{number_type})
clocks = np.zeros(2 * blocks, np.uint64)
launch = jit.chains("{dtype}", chains, steps)[blocks, threads]
launch(out, clocks, repeat, m, c)
expected = work.reference(
    "{dtype}", repeat, chains=chains, steps=steps, threads=blocks * threads, m=-0.99, c=0.7
)
assert np.allclose(out.reshape(chains, -1).T, expected, rtol=1e-5), (out, expected)
"""

STREAMS = """
import numpy as np
from kernels import pattern, stream
from kernels.stream import jit, work
n, block = 1000, 32
for kernel in stream.KERNELS:
    x = pattern.values("{dtype}", 0, np.arange(n))
    y = pattern.values("{dtype}", 1, np.arange(n))
    z = np.full(n, np.nan, x.dtype)
    sums = np.zeros(64)
    vectors = n // (16 // x.itemsize)
    vectors_of_a_block = block * work.numba_vecs(kernel.name)
    blocks = -(-vectors // vectors_of_a_block)
    scale, written = x.dtype.type(pattern.SCALE), x.dtype.type(pattern.WRITTEN)
    launch = jit.streams(kernel.name, "{dtype}", block)[blocks, block]
    launch(x, y, z, sums, vectors, scale, written)
    expected = kernel.reference("{dtype}", 1, n)
    sampled = z[pattern.sample_indices(n, x.itemsize)]
    answer = np.array([sums.sum()]) if kernel.name == "read" else sampled
    assert np.array_equal(answer, expected), kernel.name
"""


def run_simulated(code: str) -> None:
    """Run a program with the simulator in the place of CUDA."""
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(("dtype", "number_type"), [("fp32", "float32"), ("fp64", "float64")])
def test_chains_match_numpy(dtype: str, number_type: str) -> None:
    run_simulated(CHAINS.format(dtype=dtype, number_type=number_type))


@pytest.mark.parametrize("dtype", ["fp32", "fp64"])
def test_streams_match_numpy(dtype: str) -> None:
    run_simulated(STREAMS.format(dtype=dtype))
