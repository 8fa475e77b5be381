"""A launch of multiply-add chains is one wave that fills the device, whatever an SM can hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kernels.fma import cuda as fma_cuda
from tests.devices import GPU


@pytest.mark.parametrize(
    ("threads_of_sm", "threads"), [(2048, 2048), (1536, 1536), (1024, 1024), (None, 1024)]
)
@pytest.mark.parametrize("dtype", fma_cuda.TYPES)
def test_one_wave_of_blocks_fills_the_device(
    dtype: str, threads_of_sm: int | None, threads: int
) -> None:
    facts: dict[str, Any] = {}
    if threads_of_sm:
        facts["threads_per_multiprocessor"] = threads_of_sm
    params = fma_cuda.shape(replace(GPU, facts=facts), dtype)
    assert params["threads"] == GPU.units * threads
    assert params["blocks_per_sm"] * params["block"] == threads
