"""What is told of a network that came with Q/DQ nodes, and how large networks are tested."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from kernels.base import Unavailable
from kernels.onnx.net import Net
from kernels.sparsity.layers import weights_of
from probes.command import planning
from probes.command.options import parser
from probes.command.planning import LEAST_TESTS, MOST_FLAWS, TEST_FLOPS, narrowest, overflowing
from probes.records.measurement import RidgelineError
from probes.records.precision import MOST_DB, ErrorRow, Plan, Recipe
from tests.analysis.sparsity.rows import pattern_row
from tests.devices import CPU, GPU


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


def digits_asked(folder: Path, **arrays: np.ndarray) -> argparse.Namespace:
    """The command line of a plan for a small network that knows four classes."""
    onnx = pytest.importorskip("onnx")
    for package in ("onnxruntime", "onnxslim"):
        pytest.importorskip(package)
    net = Net()
    onnx.save(net.model(net.add("Softmax", net.gemm(net.input(1, 8), 8, 4))), folder / "net.onnx")
    np.savez(folder / "data.npz", **arrays)  # type: ignore[arg-type]
    words = ["--model", str(folder / "net.onnx"), "--plan", "--data", str(folder / "data.npz")]
    return parser("0").parse_args(words)


def test_all_inputs_are_looked_at_before_anything_is_measured(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    labels = np.arange(20) % 4
    asked = planning.read(digits_asked(tmp_path, x=x, labels=labels))
    assert asked is not None
    steps: list[tuple[int, int]] = []
    asked.check(lambda done, total: steps.append((done, total)))
    assert steps == [(done, 20) for done in range(21)]
    x[13, 2] = np.nan
    broken = planning.read(digits_asked(tmp_path, x=x, labels=labels))
    assert broken is not None
    with pytest.raises(RidgelineError, match="input 13 of x holds NaN"):
        broken.check(lambda done, total: None)


def test_labels_of_another_network_are_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    x = np.zeros((20, 8), np.float32)
    asked = planning.read(digits_asked(tmp_path, x=x, labels=np.arange(20)))
    assert asked is not None
    with pytest.raises(RidgelineError, match="knows the classes 0 to 3"):
        asked.check(lambda done, total: None)


def test_weights_that_are_not_at_hand_are_never_made_up(tmp_path: Path) -> None:
    asked = digits_asked(tmp_path, x=np.zeros((20, 8), np.float32))
    import onnx

    model = onnx.load(asked.model)
    onnx.save(model, asked.model, save_as_external_data=True, location="away", size_threshold=0)
    (tmp_path / "away").unlink()
    with pytest.raises(RidgelineError, match=r"net\.onnx: the data of its weights .* cannot be"):
        planning.read(asked)


def test_a_recipe_that_cannot_be_followed_is_skipped_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = planning.read(digits_asked(tmp_path, x=np.zeros((20, 8), np.float32)))
    assert asked is not None

    def refused(*_: Any) -> Any:
        raise Unavailable("no int8 of weights that are not finite")

    monkeypatch.setattr(planning.Planning, "model_of", refused)
    plan = Plan(network="net", provider="cpu", loss_asked=0.01, loss_of="top1", method="minmax")
    recipe = Recipe(name="int8", precisions={})
    case = planning._case(asked, plan, recipe, CPU)
    assert case.skip == "no int8 of weights that are not finite"


def test_a_network_that_a_full_disk_cuts_off_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = planning.read(digits_asked(tmp_path, x=np.zeros((20, 8), np.float32)))
    assert asked is not None
    import onnx

    def cut_off(model: Any, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx, "save", cut_off)
    plan = Plan(
        network="net",
        provider="cpu",
        loss_asked=0.01,
        loss_of="top1",
        method="minmax",
        recipes=[Recipe(name="fp32", precisions={})],
        chosen="fp32",
    )
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(OSError, match="No space left"):
        planning.emit(asked, plan, run)
    assert list(run.iterdir()) == []


def test_recipes_that_answer_no_numbers_are_known_by_their_errors() -> None:
    error: dict[str, Any] = {
        "schema_version": 1,
        "network": "n",
        "inputs_of": "ranking",
        "inputs": 16,
    }
    rows = [
        ErrorRow(**error, recipe="fp16", sqnr_db=-MOST_DB),
        ErrorRow(**error, recipe="int8", sqnr_db=20.0),
        ErrorRow(**error, stage="conv", precision="fp16", sqnr_db=-MOST_DB),
    ]
    assert overflowing(rows) == {"fp16"}


def test_a_plan_finds_precisions_unless_it_is_told_what() -> None:
    for words, parts in (
        (["--plan"], ("precision",)),
        (["--plan", "prune"], ("prune",)),
        (["--plan", "prune,precision"], ("precision", "prune")),
        ([], ()),
    ):
        assert parser("0").parse_args(words).plan == parts


def test_weights_of_a_recipe_are_made_by_their_name(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    asked = planning.read(digits_asked(tmp_path, x=x))
    assert asked is not None
    trained = Recipe(name="fp32", precisions={})
    assert asked.with_weights(trained, asked.model)[0] is asked.model
    recipe = Recipe(name="2:4", precisions={}, weights="2:4")
    model, stages = asked.with_weights(recipe, asked.model)
    (weights,) = weights_of(model, stages)
    assert (weights.numbers == 0).mean() == 0.5
    with pytest.raises(Unavailable, match="called '3:4'"):
        asked.with_weights(Recipe(name="3:4", precisions={}, weights="3:4"), asked.model)
    made = asked.model_of(
        recipe, cast(Any, SimpleNamespace(provider="cpu", ranges={}, granularity="channel"))
    )
    assert made.SerializeToString() == model.SerializeToString()


def test_products_are_those_of_distinct_layers_the_largest_first() -> None:
    large = pattern_row("large", 512, 4608, 3136)
    twin = pattern_row("twin", 512, 4608, 3136)
    small = pattern_row("small", 64, 64, 9)
    grouped = pattern_row("grouped", 64, 64, 9, groups=4)
    asked = cast(Any, SimpleNamespace(asked=SimpleNamespace(name="net")))
    probe = planning.products(asked, [small, large, twin, grouped])
    assert probe is not None
    sizes = [
        tuple(case.params[name] for name in ("layer", "m", "n", "k")) for case in probe.cases(GPU)
    ]
    assert list(dict.fromkeys(sizes)) == [("large", 512, 3136, 4608), ("small", 64, 16, 64)]
    assert planning.products(asked, [grouped]) is None
