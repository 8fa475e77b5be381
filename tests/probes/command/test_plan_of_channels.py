"""A network with fewer channels is made, timed layer by layer, and written with what was cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kernels.onnx.protos import copy_of
from kernels.runtime import session
from probes.accuracy import pruned
from probes.accuracy.smaller import TURNS, Layers
from probes.command import planning
from probes.command.options import parser
from probes.harness.case import Case
from probes.records.channels import read_channels
from probes.records.measurement import OK, RidgelineError
from probes.records.precision import Plan, Recipe
from probes.records.pruning import Pruning
from tests.devices import CPU
from tests.kernels.pruning.test_pruning import Net, residual, run, stored_shape

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")


WHOLE = "whole network"


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
    layers = read.smaller_layers({}, frozenset(), CPU)
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
    smaller = {
        (params["layer"], params["kept"]) for params in asked_of if params.get("group") == "a"
    }
    assert smaller == {(layer, 8) for layer in ("a", "b", "c", "depthwise", "d", "e")}
    trained = {params["layer"] for params in asked_of if not params.get("group")}
    assert trained == {*(node.name for node in read.asked.graph.nodes), WHOLE}


def test_layers_of_a_network_are_as_narrow_as_it_makes_them(tmp_path: Path) -> None:
    read = asked(tmp_path)
    layers = read.smaller_layers({"Conv": 6, "Gemm": 1}, frozenset(), CPU)
    layers.add_trained(copy_of(read.model))
    places = [case.params["layer"] for case in cases_of(layers)]
    assert places[0] == places[-1] == WHOLE, "it is timed as often as all others"
    assert places.count(WHOLE) == TURNS
    operations = {node.name: node.op for node in read.asked.graph.nodes}
    assert "Add" in operations.values()
    ran = {operations[name] for name in places if name != WHOLE}
    assert ran <= {"Conv", "Gemm"}, "what never ran is a part of others"
    odd = Recipe(name="odd", precisions={}, weights="odd", channels={"a": 13})
    lost = replace(odd, name="lost", channels={"unknown": 1})
    further = layers.further("plans")
    pruned.add_layers(further, [odd, lost], read.smaller_model)
    cases = [params for case in cases_of(further) for params in (case.params, *case.also)]
    assert {params["among"] for params in cases} == {"plans"}
    cases = [params for params in cases if params["layer"] != WHOLE]
    assert {params["recipe"] for params in cases} == {"odd"}
    sizes = {params["layer"]: params.get("out_channels") for params in cases}
    assert sizes["a"] == 13
    assert sizes["c"] == 13, "tied to a by a sum"
    assert "fc" not in sizes, "it is as trained"


def test_layers_whose_time_hardly_counts_are_left_out(tmp_path: Path) -> None:
    read = asked(tmp_path)
    layers = read.smaller_layers({}, frozenset(("sum", "c")), CPU)
    layers.add_trained(copy_of(read.model))
    cases = cases_of(layers)
    names = {params["layer"] for case in cases for params in (case.params, *case.also)}
    assert "sum" not in names
    assert "c" in names, "it has weights, which groups shrink"
    assert cases[0].params["layers"] == len(read.asked.graph.nodes), "it runs all the same"
    further = layers.further("plans")
    odd = Recipe(name="odd", precisions={}, weights="odd", channels={"a": 13})
    pruned.add_layers(further, [odd], read.smaller_model)
    names = {params["layer"] for case in cases_of(further) for params in (case.params, *case.also)}
    assert "a" in names
    assert not {"c", "sum"} & names


def test_where_sessions_take_long_to_make_few_are_made(tmp_path: Path) -> None:
    read = asked(tmp_path)
    layers = read.smaller_layers({}, frozenset(), replace(CPU, kind="cuda"))
    layers.add_trained(copy_of(read.model))
    cases = cases_of(layers)
    names = [params["layer"] for case in cases for params in (case.params, *case.also)]
    assert names.count(WHOLE) == 1
    assert "a" in names
    assert "sum" not in names, "it has no weights"
    further = layers.further("plans")
    odd = Recipe(name="odd", precisions={}, weights="odd", channels={"a": 13})
    pruned.add_layers(further, [odd], read.smaller_model)
    assert further.probe("cpu") is None


@pytest.mark.skipif(bool(session.missing("cpu")), reason=session.missing("cpu"))
def test_the_runtime_says_what_it_makes_of_a_network(tmp_path: Path) -> None:
    read = asked(tmp_path)
    half = Recipe(name="half", precisions={}, weights="half", channels={"a": 8, "b": 16})
    operations = read.operations_of(half, CPU)
    assert operations is not None
    layers = len(read.asked.graph.nodes)
    assert operations >= layers - 1, "the sum is a part of a convolution at most"
    lost = replace(half, channels={"unknown": 1})
    assert read.operations_of(lost, CPU) is None
    assert read.operations_of(half, replace(CPU, kind="cuda")) is None, "a graph hides them"


@pytest.mark.parametrize(
    ("ran", "nodes_timed"),
    [({"Conv": 6, "Add": 1}, ["Conv", "Relu"]), ({"Conv": 6, "Relu": 1}, ["Conv"]), ({}, ["Conv"])],
)
def test_an_activation_is_timed_with_the_layer_that_it_is_a_part_of(
    ran: dict[str, int], nodes_timed: list[str], tmp_path: Path
) -> None:
    net = Net()
    first = net.add("Relu", [net.conv("x", "a", 3, 16)], "relu")
    layers = asked(tmp_path).smaller_layers(ran, frozenset(), CPU)
    layers.add_trained(net.model(net.conv(first, "b", 16, 8), (1, 8, 8, 8)))
    names = [case.params["layer"] for case in cases_of(layers)]
    assert ("relu" in names) == (nodes_timed == ["Conv"])
    (case,) = (case for case in cases_of(layers) if case.params["layer"] == "a")
    assert case.params["launches"] == len(nodes_timed)
    (last,) = (case for case in cases_of(layers) if case.params["layer"] == "b")
    assert last.params["launches"] == 1


def cases_of(layers: Layers) -> list[Case]:
    probe = layers.probe("cpu")
    assert probe is not None
    return list(probe.cases(CPU))


def test_what_has_no_meaning_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RidgelineError, match="--calibration sets ranges"):
        asked(tmp_path, "--calibration", "4")
