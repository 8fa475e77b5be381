"""How the library's numbers of tiles, stages and clusters are named."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from kernels.gemm.algorithm import Algorithm, Config, algorithms, config, tiles

ANY = Algorithm(ctypes.create_string_buffer(64), 0)


class Library:
    """Answers each attribute with its own number; those it does not know with a status."""

    def __init__(self, answers: dict[int, int]) -> None:
        self.answers = answers

    def cublasLtMatmulAlgoConfigGetAttribute(
        self, opaque: Any, attribute: int, value: Any, size: Any, written: Any
    ) -> int:
        if attribute not in self.answers:
            return 7
        value._obj.value = self.answers[attribute]
        return 0


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "8x8"),
        (20, "128x128"),
        (35, "256x32"),
        (36, "8x128"),
        (116, "64x192"),
        (311, "768x64"),
        (312, "64x16"),
        (513, "256x256"),
        (630, "768x80"),
    ],
)
def test_tiles_are_numbered_as_in_the_header(number: int, name: str) -> None:
    assert tiles()[number - 1] == name


def test_what_an_algorithm_was_set_to() -> None:
    found = config(Library({0: 66, 1: 23, 2: 2, 6: 36, 8: 3}), ANY)
    assert found == Config(66, "128x256", "128xauto", "2x1", 2)
    assert str(found) == "algorithm 66, tile 128x256, stages 128xauto, cluster 2x1, split-k 2"


def test_what_an_old_library_does_not_tell_is_left_out() -> None:
    assert str(config(Library({0: 5, 1: 20, 2: 1}), ANY)) == "algorithm 5, tile 128x128"


def test_a_number_of_a_newer_library_stays_a_number() -> None:
    assert config(Library({0: 5, 1: 9999, 8: 0}), ANY).tile == "number 9999"


def test_answers_of_the_heuristic_that_cannot_run_are_left_out() -> None:
    able = b"\x01" + bytes(63) + (1 << 20).to_bytes(8, "little") + bytes(24)
    unable = b"\x02" + bytes(71) + b"\x0f" + bytes(23)
    (only,) = algorithms(able + unable, 2)
    assert only.workspace_bytes == 1 << 20
    assert only.opaque.raw[0] == 1
