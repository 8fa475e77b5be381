"""Layers in placements.csv, on the page and on the terminal; nothing where there are none."""

from __future__ import annotations

import csv
import dataclasses
from dataclasses import fields
from pathlib import Path

import pytest

from analysis.analyse import analyse, model
from analysis.layers.placement import Placement
from analysis.layers.words import headline
from analysis.tell import layer_console
from analysis.tell.console import Console
from analysis.tell.page.document import html
from analysis.units import percent
from probes.records.run import Run
from tests.analysis.layer_rows import ROOFS, conv_sweep, network, row, run_of
from tests.analysis.layer_rows import graph as graph_of_light
from tests.analysis.tell.page.reading import markup_of
from tests.analysis.tell.standing import STANDING


def test_placements_and_pictures_stand_beside_the_other_files(folder: Path) -> None:
    names = {p.name for p in folder.iterdir()}
    assert names >= {
        "placements.csv",
        "network-squeezenet-fp16.png",
        "network-squeezenet-fp32.png",
        "network-squeezenet-precisions.png",
        "layers-conv-kernel.png",
    }


def test_placements_hold_every_layer_and_never_the_whole(folder: Path) -> None:
    with open(folder / "placements.csv", encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    assert list(rows[0]) == [f.name for f in fields(Placement)]
    assert len(rows) == 2 * len(graph_of_light("squeezenet").nodes) + 12
    assert "network" not in {each["op"] for each in rows}
    halves = [each for each in rows if (each["network"], each["dtype"]) == ("squeezenet", "fp16")]
    assert sum(float(each["time_share"]) for each in halves) == pytest.approx(1.0)


def test_drawing_again_gives_the_same_files(folder: Path) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    analyse(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_run_without_layers_has_none_of_it(tmp_path: Path) -> None:
    run_of().save(tmp_path)
    outcome = analyse(tmp_path)
    assert not outcome.placements
    assert not list(tmp_path.glob("placements.csv"))
    page = markup_of((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Layers" not in page
    assert page.count("<svg") == 2  # the roofline, and the marks above the live one


def test_unknown_operations_are_told_with_their_share_of_time() -> None:
    nodes = graph_of_light("bvlc_alexnet").nodes
    rows = [row(node, "fp16", network="alex") for node in nodes]
    some_unknown = [
        dataclasses.replace(each, flops=None) if each.kernel == "LRN" else each for each in rows
    ]
    outcome = model(run_of(*some_unknown))
    share = sum(p.time_share for p in outcome.placements if p.op == "LRN")
    line = f"Of unknown FLOPs, so not placed: LRN (2, {percent(share)} of the time)."
    assert line in layer_console.sentences(outcome.placements, outcome.networks, ())


def test_the_console_shows_few_layers_and_where_all_are(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = model(run_of(*network("squeezenet"), *conv_sweep()))
    Console(everything=True).result(outcome)
    said = capsys.readouterr().out.splitlines()
    shown = [line for line in said if line.lstrip().startswith(("squeezenet: ", "conv-kernel: "))]
    assert len(shown) == layer_console.MOST_LINES
    assert f"… all {len(outcome.placements)} layers in placements.csv" in said
    assert headline(outcome.networks[0]) in said  # in a pipe no line is broken
    assert any(line.startswith("Sweeps over layers: conv-kernel (36).") for line in said)


def test_the_console_shows_the_longest_layers_of_each() -> None:
    outcome = model(run_of(*network("squeezenet"), *conv_sweep()))
    rows = layer_console.cells_of_layers(outcome.placements, 4)
    longest = sorted((p for p in outcome.placements if p.network), key=lambda p: -p.seconds)[:2]
    assert [name for name, *_ in rows[:2]] == [f"squeezenet: {p.layer}" for p in longest]
    assert [name.split(":")[0] for name, *_ in rows] == ["squeezenet"] * 2 + ["conv-kernel"] * 2
    assert layer_console.sentences([], [], []) == []


def test_what_was_not_measured_is_called_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    done = network("squeezenet")[0]
    lost = dataclasses.replace(done, status="skipped", reason="no kernel of it")
    with Console().progress(STANDING) as progress:
        progress.step(done, STANDING)
        progress.step(lost, STANDING)
    _, first, second = capsys.readouterr().out.splitlines()
    assert f"{done.layer} FP16" in first
    assert f"{done.layer} FP16" in second and "skipped: no kernel of it" in second
    page = html(model(run_of(lost)), {}, {})
    assert f"Conv/cuda fp16: {done.layer}</td>" in page


def test_the_console_says_nothing_of_layers_without_any(capsys: pytest.CaptureFixture[str]) -> None:
    Console().result(
        model(Run(run_of().device, "2030-01-02T03:04:05Z", {}, {}, measurements=ROOFS))
    )
    assert "placements" not in capsys.readouterr().out
