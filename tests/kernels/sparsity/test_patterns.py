"""Masks keep what is largest, in the form that their pattern allows."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.sparsity.patterns import (
    PATTERNS,
    TWO_OF_FOUR,
    UNSTRUCTURED,
    Pattern,
    Trial,
    counts,
    l1_kept,
    mask,
    share_of_zeros,
    trials,
)

HALF = Trial(TWO_OF_FOUR, 0.5)


def random_weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def pattern(name: str) -> Pattern:
    return next(each for each in PATTERNS if each.name == name)


def test_two_of_each_four_neighbours_stay_and_they_are_the_largest() -> None:
    weights = random_weights(5, 3, 16)
    kept = mask(weights, HALF)
    groups = kept.reshape(-1, 4)
    assert (groups.sum(axis=1) == 2).all()
    magnitudes = np.abs(weights).reshape(-1, 4)
    least_kept = np.where(groups, magnitudes, np.inf).min(axis=1)
    most_dropped = np.where(groups, 0, magnitudes).max(axis=1)
    assert (least_kept >= most_dropped).all()


def test_no_group_of_four_spans_two_places_of_a_window() -> None:
    kept = mask(random_weights(2, 9, 6), HALF)
    assert (kept[:, :, :4].sum(axis=2) == 2).all()
    assert kept[:, :, 4:].all()  # a group of two keeps both


@pytest.mark.parametrize("trial", trials(), ids=lambda trial: trial.name)
def test_the_share_of_zeros_is_the_one_asked_where_blocks_divide_the_matrix(trial: Trial) -> None:
    kept = mask(random_weights(64, 1, 320), trial)
    assert share_of_zeros(kept) == pytest.approx(trial.share, abs=0.01)


@pytest.mark.parametrize("name", ["1x8", "8x1", "4x4", "16x16"])
def test_blocks_are_whole(name: str) -> None:
    each = pattern(name)
    kept = mask(random_weights(32, 2, 48), Trial(each, 0.75))
    by_block = kept.reshape(32 // each.rows, each.rows, 2, 48 // each.columns, each.columns)
    assert (by_block.all(axis=(1, 4)) == by_block.any(axis=(1, 4))).all()


def test_a_small_block_at_the_edge_is_not_taken_for_a_light_one() -> None:
    weights = np.ones((4, 1, 6), np.float32)
    weights[:, :, 4:] = 2
    kept = mask(weights, Trial(pattern("4x4"), 0.5))
    assert kept[:, :, 4:].all() and not kept[:, :, :4].any()


def test_magnitude_decides_not_the_sign() -> None:
    weights = np.array([[[-9.0, 1.0, -1.0, 8.0]]], np.float32)
    assert mask(weights, HALF).tolist() == [[[True, False, False, True]]]
    kept = mask(weights, Trial(UNSTRUCTURED, 0.75))
    assert kept.tolist() == [[[True, False, False, False]]]
    assert l1_kept(weights, kept) == pytest.approx(9 / 19)


def test_free_zeros_keep_more_than_patterns_do() -> None:
    weights = random_weights(64, 1, 64)
    shares = {}
    for trial in trials():
        shares[trial.name] = l1_kept(weights, mask(weights, trial))
    assert shares["unstructured 50 %"] > shares["2:4"] > shares["4x4 50 %"] > shares["16x16 50 %"]
    assert shares["unstructured 50 %"] > shares["unstructured 75 %"] > shares["unstructured 90 %"]


def test_all_zeros_have_nothing_to_lose() -> None:
    weights = np.zeros((4, 1, 8), np.float32)
    assert l1_kept(weights, mask(weights, HALF)) == 1.0


def test_counts_of_blocks_include_what_an_edge_adds() -> None:
    each = pattern("4x4")
    kept = np.ones((6, 1, 10), bool)
    found = counts(kept, each)
    assert (found.values, found.blocks, found.block_rows, found.block_values) == (60, 6, 2, 96)
    kept[:4, :, :4] = False
    assert counts(kept, each).blocks == 5
    single = counts(kept, UNSTRUCTURED)
    assert (single.values, single.blocks, single.block_values) == (44, 44, 44)
