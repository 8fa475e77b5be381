"""Runs of thousands of rows, networks, series and letters: pictures show a part, and say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.analyse import layer_figures, model, sweep_figures, write
from analysis.model.plateaus import MOST_POINTS, Plateau, plateaus
from analysis.tell import most
from analysis.tell.console import Console
from probes.records.measurement import Measurement
from tests.analysis.layer_rows import run_of
from tests.devices import measurement


def layer(number: int, x: float | None = None, **params: Any) -> Measurement:
    facts = {
        "layer": f"layer {number}",
        "op": "Relu",
        "network": "net",
        "working_set": 1e6,
        "warm": True,
        **params,
    }
    return measurement(
        "layer/activation",
        rate=1e12 + number,
        backend="tool",
        dtype="fp32",
        x=x,
        params=json.dumps(facts),
        seconds_median=1e-4 * (1 + number % 7),
        flops=float(number % 3) * 1e6,
        bytes=1e6,
    )


def test_of_many_networks_the_longest_are_drawn_and_the_rest_is_told() -> None:
    rows = [layer(number, network=f"net {number}") for number in range(most.NETWORKS + 30)]
    outcome = model(run_of(*rows))
    assert len(outcome.networks) == len(layer_figures(outcome)) == most.NETWORKS
    assert sum(net.seconds < 1.5e-4 for net in outcome.networks) == 0, "the shortest are left out"
    assert len(outcome.placements) == len(rows)
    note = (
        f"of {len(rows)} networks the {most.NETWORKS} largest are shown; all of them are in "
        "placements.csv"
    )
    assert note in outcome.notes


def test_names_that_no_file_can_tell_apart_have_a_file_each() -> None:
    names = ["a b", "a-b", "A/B", "x" * 300, "x" * 299 + "y", "模型", "型模"]
    outcome = model(run_of(*(layer(number, network=name) for number, name in enumerate(names))))
    files = [net.file for net in outcome.networks]
    assert len(set(files)) == len(names)
    assert max(map(len, files)) < 200


def test_a_list_of_many_layers_is_drawn_with_those_that_take_longest() -> None:
    rows = [
        layer(number, network="", sweep="list", over="layer", x=number)
        for number in range(most.LISTED * 3)
    ]
    outcome = model(run_of(*rows))
    (sweep,) = outcome.layer_sweeps
    assert len(sweep.places) == most.LISTED
    figure = layer_figures(outcome)[sweep.file]()
    assert figure.get_size_inches()[1] * 150 < 1 << 16, "or no picture could hold it"


def test_of_many_series_those_with_most_points_are_drawn() -> None:
    rows = [
        measurement(f"sweep/bandwidth/stride/series-{series}", rate=1e12, x=x)
        for series in range(most.CURVES + 10)
        for x in range(1, 3 + series % 3)
    ]
    outcome = model(run_of(*rows))
    (sweep,) = outcome.sweeps
    assert len(sweep.lines) == most.CURVES
    assert min(len(line.rows) for line in sweep.lines) >= 2
    assert list(sweep_figures(outcome)) == ["stride-bandwidth"]


def test_the_roof_of_main_memory_is_among_those_drawn() -> None:
    levels = [
        measurement(f"bandwidth/level{n}/read", rate=1e13 + n) for n in range(most.SLOPES + 5)
    ]
    paths = [measurement(f"compute/fp32/path{n}", rate=1e13 + n, dtype="fp32") for n in range(5)]
    outcome = model(run_of(*levels, *paths))
    drawn = most.of_roofs(outcome.model)
    assert len(drawn.bandwidth) == most.SLOPES + 1
    assert drawn.memory == outcome.model.memory


def test_a_curve_of_very_many_points_has_the_same_plateaus() -> None:
    values = [9.0] * 2000 + [3.0] * 3000
    found = plateaus(values, [0.01] * 5000, 2, lambda at, first, last: 0.0)
    assert [plateau.place for plateau in found] == [0, 1]
    assert (found[0].first, found[-1].last) == (0, 4999)
    assert found[0].last == pytest.approx(1999, abs=5000 / MOST_POINTS)
    assert [plateau.value for plateau in found] == [9.0, 3.0]
    assert plateaus(values[1900:2100:10], [0.01] * 20, 2, lambda at, first, last: 0.0) == [
        Plateau(0, 9, 9.0, 0),
        Plateau(10, 19, 3.0, 1),
    ]


def test_thousands_of_layers_side_by_side_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = model(run_of(*(layer(number) for number in range(3000))))
    write(outcome, tmp_path)
    Console(everything=True).result(outcome)
    assert (tmp_path / "network-net-fp32.png").stat().st_size > 10_000
    assert len((tmp_path / "placements.csv").read_text().splitlines()) == 3001
    assert "all 3000 layers in placements.csv" in capsys.readouterr().out


def test_texts_as_long_as_they_may_be_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "W" * 1000
    texts: dict[str, Any] = dict.fromkeys(("network", "family", "provider", "precision"), long)
    listed: dict[str, Any] = {"network": "", "sweep": long, "over": "layer", "series": long}
    rows = [
        layer(1, **texts, layer="y" * (1 << 16)),
        layer(2, **listed, x=1, layer="y" * (1 << 16)),
        layer(3, **listed, x=2),
        *(
            layer(n, network="", sweep=f"s{long}"[:1000], over=long, series=long, x=n)
            for n in (1, 2)
        ),
        measurement(f"compute/{long}", dtype=long),
        measurement(f"bandwidth/{long}/read"),
        *(measurement(f"sweep/{long}/{long}/{long}", x=x, reason=long) for x in (1, 2)),
    ]
    run = run_of(*rows)
    run.warnings.append(long)
    outcome = model(run)
    write(outcome, tmp_path)
    Console().result(outcome)
    assert len(list(tmp_path.glob("*.png"))) >= 5
    assert max(len(path.name) for path in tmp_path.iterdir()) < 255
    assert "WWWW" in capsys.readouterr().out
