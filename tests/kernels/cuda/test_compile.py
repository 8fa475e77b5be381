"""What a launch of multiply-add chains asks of the device: one wave that fills it, whatever an SM
can hold.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kernels.fma import cuda as fma_cuda
from tests.devices import GPU


@pytest.mark.parametrize(
    ("held", "threads"), [(2048, 2048), (1536, 1536), (1024, 1024), (None, 1024)]
)
@pytest.mark.parametrize("dtype", fma_cuda.TYPES)
def test_one_wave_of_blocks_fills_the_device(dtype: str, held: int | None, threads: int) -> None:
    facts: dict[str, Any] = {"threads_per_multiprocessor": held} if held else {}
    params = fma_cuda.shape(replace(GPU, facts=facts), dtype)
    assert params["threads"] == GPU.units * threads
    assert params["blocks_per_sm"] * params["block"] == threads
