"""A network with fewer channels is made, timed layer by layer, and written with what was cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from probes.accuracy import pruned
from probes.command import planning
from probes.command.options import parser
from probes.records.channels import read_channels
from probes.records.measurement import OK, RidgelineError
from probes.records.precision import Plan, Recipe
from probes.records.pruning import Pruning
from tests.devices import CPU
from tests.kernels.pruning.test_pruning import residual, run, stored_shape

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")


class Quiet:
    """Tells no one."""

    def note(self, text: str) -> None: ...

    @contextmanager
    def counting(self, what: str) -> Iterator[Callable[[int, int], None]]:
        yield lambda done, total: None


def asked(tmp_path: Path, *further: str) -> planning.Planning:
    onnx.save(residual(), tmp_path / "net.onnx")
    inputs = np.random.default_rng(0).standard_normal((12, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "net.npz", x=inputs)
    command = ["--model", str(tmp_path / "net.onnx"), "--data", str(tmp_path / "net.npz")]
    read = planning.read(parser("0").parse_args([*command, "--plan", "prune", *further]))
    assert read is not None
    return read


def test_the_network_is_written_with_what_was_cut(tmp_path: Path) -> None:
    recipe = Recipe(
        name="channels 50 %",
        precisions={},
        weights="channels 50 %",
        channels={"a": 8, "b": 16},
        ranked_by="l1",
    )
    plan = Plan(
        network="net",
        provider="cpu",
        loss_asked=0.01,
        loss_of="deviation",
        method="",
        recipes=[recipe],
        chosen=recipe.name,
    )
    path = planning.emit(asked(tmp_path), plan, tmp_path)
    assert path.name == "net.pruned.onnx"
    written = onnx.load(str(path))
    assert stored_shape(written, "a_w") == (8, 3, 3, 3)
    assert run(written).shape == (1, 10)
    (facts,) = (entry.value for entry in written.metadata_props if entry.key == "ridgeline.plan")
    assert json.loads(facts)["recipes"][0]["channels"] == {"a": 8, "b": 16}


def test_each_group_has_rows_and_each_layer_a_case(tmp_path: Path) -> None:
    read = asked(tmp_path)
    known = Pruning()
    layers = read.smaller_layers()
    study = read.study("cpu")
    pruned.measure_channels(study, read.channels, known, layers, tmp_path, Quiet())
    sizes = {(row.group, row.kept) for row in known.channels if row.status == OK}
    assert sizes == {("a", 8), ("b", 16), ("e", 8)}
    assert all(row.sqnr_db is not None for row in known.channels if row.status == OK)
    reasons = {row.group: row.reason for row in known.channels if row.status != OK}
    assert "no more than 8 channels" in reasons["d"]
    assert read_channels(tmp_path, False, []) == known.channels
    probe = layers.probe("cpu")
    assert probe is not None
    asked_of = [params for case in probe.cases(CPU) for params in (case.params, *case.also)]
    smaller = {(params["layer"], params["kept"]) for params in asked_of if params["group"] == "a"}
    assert smaller == {(layer, 8) for layer in ("a", "b", "c", "depthwise", "d", "e")}
    assert {params["layer"] for params in asked_of if not params["group"]} >= {"a", "fc"}


def test_what_has_no_meaning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RidgelineError, match="--calibration sets ranges"):
        asked(tmp_path, "--calibration", "4")
