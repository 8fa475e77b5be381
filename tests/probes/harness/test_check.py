"""Where and by how much a result differs is told; what cannot be compared never passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.base import Appeal, Audit, Fault, Kernel, Work
from probes.harness.case import Case
from probes.harness.check import SOUND, Failure, Verdict, audited, check, difference
from probes.records.tag import parse_tag

RIGHT = np.array([1.0, 2.0, 4.0])
CUT_OFF = np.array([1.0, 2.0, 3.0])


ODD = np.array([np.nan, np.inf, -np.inf, 2.0])


MASKED = np.array([-3.4e38, 1.0, -3.4e38, 2.0], np.float32)


@pytest.mark.parametrize(
    ("place", "value", "right"),
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
    place: int, value: float, right: bool
) -> None:
    found = MASKED.copy()
    found[place] = value
    assert bool(difference(found, MASKED, 0.01)) is not right


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [np.float32, np.float64])
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
def test_what_is_no_number_is_equal_to_the_same_alone(
    kind: Any, place: int, value: float, message: str
) -> None:
    found = ODD.astype(kind)
    found[place] = value
    problem = difference(found, ODD.astype(kind), 1e-6)
    assert message in problem if message else not problem
    if message:
        assert "1 of 4 values are wrong" in problem


@pytest.mark.filterwarnings("error")
def test_the_largest_numbers_there_are_can_be_told_apart() -> None:
    largest = np.full(2, np.finfo(np.float32).max, np.float32)
    assert difference(-largest, largest, 0.5)
    assert not difference(largest, largest, 0.0)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (np.array([1.0, np.nan, 4.0]), "out[1] is nan"),
        (np.array([1.0, 2.0]), "shape (2,), should be (3,)"),
        (RIGHT * (1 + 1.5e-6), "out[2]"),
        (RIGHT, ""),
        (RIGHT * (1 + 0.5e-6), ""),
    ],
)
def test_differences_are_found_and_named(found: np.ndarray, message: str) -> None:
    problem = difference(found, RIGHT, 1e-6)
    assert message in problem if message else not problem


class Answers:
    """A launch that has answered."""

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


def words(fault: Fault) -> str:
    return f"off by {fault.error:g}"


def case(*without: np.ndarray) -> Case:
    """A case whose reference is RIGHT, and that may appeal to each of these results without the
    library's fault.
    """

    def asked(dtype: str, found: np.ndarray, expected: np.ndarray) -> Any:
        return (Appeal("cut off", words, [(found, CUT_OFF), (each, expected)]) for each in without)

    kernel = Kernel(
        "product",
        lambda *_, **__: Work(),
        lambda *_, **__: RIGHT,
        {},
        {"int8": 1e-6},
        appeals=asked,
    )
    return Case(kernel, "int8", "cpu", parse_tag("layer/matmul"))


def test_a_library_that_is_wrong_alone_is_told_of_in_numbers() -> None:
    launch = Answers(CUT_OFF)
    verdict = check(case(RIGHT * 2, RIGHT), launch)
    assert verdict == Verdict({"cut off": {"values": 1, "of": 3, "error": 0.25}}, "off by 0.25")
    audit = audited(launch, case(), verdict)
    assert audit.note == "off by 0.25; plain runs"
    assert audit.facts == {"launches": 1, "cut off": {"values": 1, "of": 3, "error": 0.25}}


@pytest.mark.parametrize(
    ("found", "without"),
    [(CUT_OFF, RIGHT * 2), (CUT_OFF * 2, RIGHT), (np.array([1.0, 2.0]), RIGHT)],
    ids=[
        "wrong without the fault too",
        "wrong in another way than the library",
        "of another shape than it",
    ],
)
def test_an_appeal_that_does_not_hold_saves_nothing(found: np.ndarray, without: np.ndarray) -> None:
    with pytest.raises(Failure, match="product/cpu int8"):
        check(case(without), Answers(found))


def test_what_is_right_appeals_to_nothing() -> None:
    assert check(case(RIGHT * 2), Answers(RIGHT)) is SOUND
