"""Round numbers for axes, and names in little room: their end is kept, and none is like another."""

from __future__ import annotations

import pytest

from analysis.draw.labels import cut, round_numbers


def test_powers_of_the_base_come_first() -> None:
    assert round_numbers(0.2, 100.0, (4, 2), 2, 9) == [0.25, 1, 4, 16, 64]
    assert round_numbers(0.9, 2.1, (4, 2), 2, 9) == [1, 2]
    assert round_numbers(1.0, 1e6, (10,), 2, 4) == [1, 1e2, 1e4, 1e6]


@pytest.mark.parametrize("start", [1.0, 1.01, 1.6, 2.1, 3.3, 5.2, 7.1, 9.9])
def test_an_axis_of_less_than_one_octave_has_numbers(start: float) -> None:
    for low in (start, start * 1e-4, start * 1e9):
        found = round_numbers(low, 1.9 * low, (4, 2), 2, 9)
        assert 2 <= len(found) <= 9
        assert all(low <= number <= 1.9 * low for number in found)


ROOT = "jax2tf_get_logits_/pjit_get_logits_/MagikaV2"


@pytest.mark.parametrize(
    "names",
    [
        [f"{ROOT}/Relu", f"{ROOT}/Tanh"],
        [f"/model/layers.{n}/self_attn/q_proj/with/a/long/end/MatMul" for n in range(30)],
        [f"{n:040d}{'x' * 60}" for n in (1, 2, 20, 21)],
        [f"{'a' * n}b{'a' * (90 - n)}" for n in range(91)],
        ["short", "x" * 44, "x" * 45, "y" * 200],
        [f"{'same' * 20}{a}{'then' * 20}{b}{'end' * 20}" for a in "ab" for b in "ab"],
    ],
)
@pytest.mark.parametrize("longest", [24, 44])
def test_names_that_are_cut_fit_and_stay_different(names: list[str], longest: int) -> None:
    shown = cut(names, longest)
    assert len(set(shown)) == len(names)
    assert all(len(name) <= longest for name in shown)
    assert [name for name in names if len(name) <= longest] == [
        name for name in shown if "…" not in name
    ]


def test_the_end_of_a_name_is_kept() -> None:
    relu, tanh = cut([f"{ROOT}/Relu", f"{ROOT}/Tanh"], 44)
    assert relu.endswith("/MagikaV2/Relu")
    assert tanh.endswith("/MagikaV2/Tanh")
    assert relu.startswith("jax2tf_get_")
    (one, two) = cut(
        [f"/model/layers.{n}/self_attn/q_proj/with/a/long/end/MatMul" for n in (1, 2)], 30
    )
    assert "s.1/" in one
    assert "s.2/" in two


def test_one_name_twice_is_shown_twice() -> None:
    assert cut(["x" * 60, "x" * 60], 20)[0] == cut(["x" * 60], 20)[0]
