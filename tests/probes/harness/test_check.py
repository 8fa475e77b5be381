"""Where and by how much a result differs is told; what cannot be compared never passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.base import Appeal, Audit, Fault, Kernel, Work
from probes.harness.case import Case
from probes.harness.check import SOUND, Failure, Verdict, check, check_code, difference
from probes.records.tag import parse_tag

RIGHT = np.array([1.0, 2.0, 4.0])
CUT_OFF = np.array([1.0, 2.0, 3.0])
NO_NUMBERS = np.array([np.nan, np.inf, -np.inf, 2.0])
MASKED = np.array([-3.4e38, 1.0, -3.4e38, 2.0], np.float32)
"""Numbers beside two that stand for infinity, as the masks of attention do."""


@pytest.mark.parametrize(
    ("place", "value", "is_right"),
    [
        (0, -3.4e38, True),
        (0, -3.39e38, True),
        (0, -2e38, False),
        (0, -np.inf, False),
        (1, 1.01, True),
        (1, 9.0, False),
    ],
)
def test_numbers_beside_those_that_stand_for_infinity_are_checked_all_the_same(
    place: int, value: float, is_right: bool
) -> None:
    result = MASKED.copy()
    result[place] = value
    problem = difference(result, MASKED, 0.01)
    assert bool(problem) is not is_right


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, np.nan, ""),
        (0, 0.0, "out[0] is 0, should be nan"),
        (1, -np.inf, "out[1] is -inf, should be inf"),
        (2, np.nan, "out[2] is nan, should be -inf"),
        (3, np.inf, "out[3] is inf, should be 2"),
        (3, 2.5, "out[3] is 2.5, should be 2"),
        (3, 2.0 * (1 + 1e-7), ""),
    ],
)
def test_what_is_no_number_equals_only_itself(
    dtype: Any, place: int, value: float, message: str
) -> None:
    result = NO_NUMBERS.astype(dtype)
    result[place] = value
    problem = difference(result, NO_NUMBERS.astype(dtype), 1e-6)
    if message:
        assert message in problem
        assert "1 of 4 values are wrong" in problem
    else:
        assert not problem


@pytest.mark.filterwarnings("error")
def test_the_largest_numbers_there_are_can_be_told_apart() -> None:
    largest = np.full(2, np.finfo(np.float32).max, np.float32)
    assert difference(-largest, largest, 0.5)
    assert not difference(largest, largest, 0.0)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.array([1.0, np.nan, 4.0]), "out[1] is nan"),
        (np.array([1.0, 2.0]), "shape (2,), should be (3,)"),
        (RIGHT * (1 + 1.5e-6), "out[2]"),
        (RIGHT, ""),
        (RIGHT * (1 + 0.5e-6), ""),
    ],
)
def test_differences_are_found_and_named(result: np.ndarray, message: str) -> None:
    problem = difference(result, RIGHT, 1e-6)
    if message:
        assert message in problem
    else:
        assert not problem


class AnsweredLaunch:
    """A launch that has answered ``result``."""

    def __init__(self, result: np.ndarray) -> None:
        self._result = result

    def run(self, repeat: int) -> None:
        pass

    def result(self) -> np.ndarray:
        return self._result

    def clock_hz(self) -> float | None:
        return None

    def audit(self, work: Work) -> Audit:
        return Audit("VPMADDUBSW", note="plain runs", facts={"launches": 1})

    def close(self) -> None:
        pass


def fault_text(fault: Fault) -> str:
    """The words for a fault of a library."""
    return f"off by {fault.error:g}"


def case(*results_without_fault: np.ndarray) -> Case:
    """A case whose reference is RIGHT, with an appeal for each of these results.

    An appeal says that the library cuts off, and would give such a result without that fault.
    """

    def appeals(dtype: str, result: np.ndarray, expected: np.ndarray) -> Any:
        for sound in results_without_fault:
            yield Appeal("cut off", fault_text, [(result, CUT_OFF), (sound, expected)])

    kernel = Kernel(
        "product",
        lambda *_, **__: Work(),
        lambda *_, **__: RIGHT,
        {},
        {"int8": 1e-6},
        appeals=appeals,
    )
    return Case(kernel, "int8", "cpu", parse_tag("layer/matmul"))


def test_a_fault_of_a_library_that_explains_all_is_noted_in_numbers() -> None:
    launch = AnsweredLaunch(CUT_OFF)
    verdict = check(case(RIGHT * 2, RIGHT), launch)
    assert verdict == Verdict({"cut off": {"values": 1, "of": 3, "error": 0.25}}, "off by 0.25")
    audit = check_code(launch, case(), verdict)
    assert audit.note == "off by 0.25; plain runs"
    assert audit.facts == {"launches": 1, "cut off": {"values": 1, "of": 3, "error": 0.25}}


@pytest.mark.parametrize(
    ("result", "without_fault"),
    [(CUT_OFF, RIGHT * 2), (CUT_OFF * 2, RIGHT), (np.array([1.0, 2.0]), RIGHT)],
    ids=[
        "wrong without the fault too",
        "wrong in another way than the library",
        "of another shape than the library",
    ],
)
def test_an_appeal_that_does_not_hold_saves_nothing(
    result: np.ndarray, without_fault: np.ndarray
) -> None:
    with pytest.raises(Failure, match="product/cpu int8"):
        check(case(without_fault), AnsweredLaunch(result))


def test_what_is_right_appeals_to_nothing() -> None:
    assert check(case(RIGHT * 2), AnsweredLaunch(RIGHT)) is SOUND
