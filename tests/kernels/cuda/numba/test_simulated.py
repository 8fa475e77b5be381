"""The Numba CUDA kernels in Numba's simulator; in processes of their own, since it must be chosen
before import.
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
out, clocks = np.zeros(4 * 8, np.{kind}), np.zeros(4, np.uint64)
jit.chains("{dtype}", 4, 3)[2, 4](out, clocks, 2, np.{kind}(-0.99), np.{kind}(0.7))
expected = work.reference("{dtype}", 2, chains=4, steps=3, threads=8, m=-0.99, c=0.7)
assert np.allclose(out.reshape(4, 8).T, expected, rtol=1e-5), (out, expected)
"""

STREAMS = """
import numpy as np
from kernels import pattern, stream
from kernels.stream import jit
n, block = 1000, 32
for kernel in stream.KERNELS:
    x, y = (pattern.values("{dtype}", which, np.arange(n)) for which in (0, 1))
    z, sums = np.full(n, np.nan, x.dtype), np.zeros(64)
    vectors = n // (16 // x.itemsize)
    blocks = -(-vectors // (block * (8 if kernel.name == "read" else 1)))
    scale, written = x.dtype.type(pattern.SCALE), x.dtype.type(pattern.WRITTEN)
    launch = jit.streams(kernel.name, "{dtype}", block)[blocks, block]
    launch(x, y, z, sums, vectors, scale, written)
    expected = kernel.reference("{dtype}", 1, n)
    sampled = z[pattern.sample_indices(n, x.itemsize)]
    found = np.array([sums.sum()]) if kernel.name == "read" else sampled
    assert np.array_equal(found, expected), kernel.name
"""


def simulated(code: str) -> None:
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("dtype", "kind"), [("fp32", "float32"), ("fp64", "float64")])
def test_chains_match_numpy(dtype: str, kind: str) -> None:
    simulated(CHAINS.format(dtype=dtype, kind=kind))


@pytest.mark.parametrize("dtype", ["fp32", "fp64"])
def test_streams_match_numpy(dtype: str) -> None:
    simulated(STREAMS.format(dtype=dtype))
