"""What is told of a network that came with Q/DQ nodes, and how large networks are tested."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from probes.command import planning
from probes.command.planning import LEAST_TESTS, MOST_FLAWS, TEST_FLOPS, narrowest
from probes.records.precision import Recipe


def flaw(name: str, is_hint: bool) -> Any:
    return SimpleNamespace(is_hint=is_hint, sentence=f"{name} is misplaced")


def test_flaws_come_before_hints_and_are_few() -> None:
    flaws = [flaw("hint", True), *(flaw(f"node {number}", False) for number in range(MOST_FLAWS))]
    came_with = cast(Any, SimpleNamespace(flaws=flaws))
    sentences = planning.flaws_in_words(came_with)
    assert len(sentences) == MOST_FLAWS + 1
    assert "node 0 is misplaced" in sentences[0]
    assert sentences[-1].endswith("1 more flaws")
    assert planning.flaws_in_words(cast(Any, SimpleNamespace(flaws=()))) == []


def test_the_narrowest_precision_of_a_recipe_allows_for_its_error() -> None:
    assert narrowest(Recipe(name="a", precisions={})) == "fp32"
    assert narrowest(Recipe(name="b", precisions={"x": "fp16", "y": "fp32"})) == "fp16"
    assert narrowest(Recipe(name="c", precisions={"x": "fp16", "y": "int8"})) == "int8"


def test_a_large_network_is_tested_on_fewer_inputs() -> None:
    from kernels.layers.conv import conv
    from kernels.onnx.graph import graph_of

    small = SimpleNamespace(graph=graph_of(conv(1, 3, 4, 8, 3)))
    large = SimpleNamespace(graph=graph_of(conv(16, 256, 256, 256, 3)))
    of_large = planning.most_tests(cast(Any, large))
    assert planning.most_tests(cast(Any, small)) > 10_000
    assert LEAST_TESTS <= of_large < TEST_FLOPS / 1e9
