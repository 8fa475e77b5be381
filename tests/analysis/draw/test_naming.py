"""Roofs share a label only where a reader may take one for the other."""

from __future__ import annotations

import pytest

from analysis.draw.naming import SAME_WITHIN, equal_roofs, name_of_equals
from analysis.model.roofline import Roof


def roof(tag: str, rate: float, unit: str = "FLOP/s") -> Roof:
    return Roof(f"compute/{tag}", rate, None, unit)


def names(*roofs: Roof) -> list[str]:
    """The labels of these roofs, highest first."""
    return [name_of_equals(equals) for equals in equal_roofs(roofs)]


def test_equal_roofs_have_one_label_with_the_rate_of_the_highest() -> None:
    assert names(roof("fp16", 1.32e14), roof("bf16", 1.315e14)) == ["FP16 = BF16  132 TFLOP/s"]


@pytest.mark.parametrize(
    "other",
    [
        roof("bf16", 1e14 * (1 - 1.1 * SAME_WITHIN)),
        roof("int8", 1e14, "OP/s"),
        roof("fp8/wgmma_sp-fp32", 1e14),
    ],
    ids=["further off", "of another unit", "sparse"],
)
def test_other_roofs_have_a_label_of_their_own(other: Roof) -> None:
    assert len(names(roof("fp16", 1e14), other)) == 2


def test_many_small_steps_do_not_make_far_roofs_equal() -> None:
    steps = [roof(f"fp{i}", 1e14 * (1 - 0.8 * SAME_WITHIN) ** i) for i in range(5)]
    for equals in equal_roofs(steps):
        assert equals[-1].rate >= (1 - SAME_WITHIN) * equals[0].rate


def test_an_instruction_is_named_once_behind_those_that_use_it() -> None:
    matrix = roof("bf16/wgmma-fp32", 8.92e14), roof("fp16/wgmma-fp16", 8.9e14)
    assert names(*matrix) == ["BF16 = FP16 wgmma  892 TFLOP/s"]
    assert names(roof("fp32", 6.65e13), roof("fp64/mma", 6.65e13)) == [
        "FP64 mma = FP32  66.5 TFLOP/s"
    ]
    assert names(roof("tf32/wgmma_sp-fp32", 9e14)) == ["TF32 wgmma  900 TFLOP/s"]
