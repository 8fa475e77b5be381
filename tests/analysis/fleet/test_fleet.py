"""Faults that are planted into made-up fleets are found, and none is invented."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from analysis.fleet.__main__ import main
from analysis.fleet.fleet import EMPTY, LOADED, SLOW, USUAL, Fleet, fleet_of
from analysis.fleet.read import read_nodes
from analysis.fleet.words import answer, sentences
from probes.records.fleet import TOO_LONG, FleetJob, save_jobs
from probes.records.measurement import FAILED
from tests.analysis.fleet import made_up
from tests.analysis.fleet.made_up import MadeUpNode, host_of, write_fleet


def slow_of(fleet: Fleet) -> dict[str, str]:
    """Cause by name of each slow node."""
    return {look.node.name: look.cause for look in fleet.looks if look.verdict == SLOW}


def test_three_stragglers_and_a_capped_rack_of_a_thousand_nodes(tmp_path: Path) -> None:
    faults = {137: made_up.slow_memory, 500: made_up.hot, 903: made_up.slow_fp16}
    faults |= dict.fromkeys(range(600, 625), made_up.capped)
    write_fleet(tmp_path, 1000, faults, few_rows=True)
    fleet = fleet_of(tmp_path)
    slow = slow_of(fleet)
    alone = {host_of(137)[1]: "", host_of(500)[1]: "heat", host_of(903)[1]: ""}
    rack = {host_of(number)[1]: "power" for number in range(600, 625)}
    assert slow == alone | rack
    (kind,) = fleet.kinds
    group = kind.groups[0]
    assert (group.place, len(group.looks), group.of_place) == ("r25", 25, 25)
    said = sentences(fleet)
    assert answer(fleet) == "1000 nodes: 28 slow."
    assert said[0].startswith("r25, 25 of its 25 nodes (r25-n[01-25]): power cap.")
    assert len(said) == 6  # and the power limit, which is a fact, and what could be told


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_invented(tmp_path: Path, seed: int) -> None:
    write_fleet(tmp_path, 100, seed=seed, few_rows=True)
    fleet = fleet_of(tmp_path)
    assert {look.verdict for look in fleet.looks} == {USUAL}
    assert answer(fleet) == "100 nodes: none is slower than the others beyond their noise."
    (limits,) = sentences(fleet)
    assert limits.startswith("A slow node is told from noise if it is ")


def test_another_driver_is_the_cause_only_where_most_that_have_it_are_slow(tmp_path: Path) -> None:
    harmless = dict.fromkeys(range(10), made_up.only_other_driver)
    write_fleet(tmp_path / "a", 60, {**harmless, 4: driver_and_slow_memory}, few_rows=True)
    fleet = fleet_of(tmp_path / "a")
    assert slow_of(fleet) == {host_of(4)[1]: ""}
    assert any(text.startswith("driver is 570.12.01 on 10 nodes") for text in sentences(fleet))
    write_fleet(tmp_path / "b", 60, dict.fromkeys(range(10), made_up.other_driver), few_rows=True)
    fleet = fleet_of(tmp_path / "b")
    assert slow_of(fleet) == {host_of(number)[1]: "driver" for number in range(10)}
    assert len(fleet.kinds[0].groups) == 1


def driver_and_slow_memory(node: MadeUpNode) -> None:
    """A node that has the driver of others, and a fault of its own."""
    made_up.only_other_driver(node)
    made_up.slow_memory(node)


def test_two_kinds_are_two_fleets(tmp_path: Path) -> None:
    others = dict.fromkeys(range(30, 60), made_up.other_gpu)
    write_fleet(tmp_path, 60, {**others, 3: made_up.slow_memory}, few_rows=True)
    fleet = fleet_of(tmp_path)
    assert [len(kind.looks) for kind in fleet.kinds] == [30, 30]
    assert slow_of(fleet) == {host_of(3)[1]: ""}


def test_a_node_measured_under_load_is_no_straggler(tmp_path: Path) -> None:
    write_fleet(tmp_path, 40, {7: made_up.loaded, 9: made_up.busy_host}, few_rows=True)
    fleet = fleet_of(tmp_path)
    assert slow_of(fleet) == {}
    loaded = [look.node.name for look in fleet.looks if look.verdict == LOADED]
    assert loaded == [host_of(7)[1], host_of(9)[1]]
    assert any("something else ran" in text for text in sentences(fleet))


def lacking_rows(node: MadeUpNode) -> None:
    """Rows are missing, and one failed."""
    node.status = "partial"
    node.rows = node.rows[:2]


def all_failed(node: MadeUpNode) -> None:
    """Nothing could be measured."""
    node.rows = [
        made_up.replace(
            row,
            status=FAILED,
            reason="the GPU fell off the bus",
            samples=0,
            seconds_median=None,
            seconds_best=None,
            seconds_low=None,
            seconds_high=None,
        )
        for row in node.rows
    ]


def test_what_failed_is_partial_damaged_or_gone_is_named(tmp_path: Path) -> None:
    folders = write_fleet(tmp_path, 30, {1: lacking_rows, 2: all_failed}, few_rows=True)
    names = [host_of(number)[1] for number in range(30)]
    (folders[3] / "run.json").write_text('{"device": ')
    (folders[4] / "run.json").unlink()
    rows = folders[5] / "measurements.csv"
    rows.write_text(rows.read_text()[:-40])
    shutil.rmtree(tmp_path / names[6])
    (tmp_path / names[6]).mkdir()
    shutil.rmtree(tmp_path / names[7])
    save_jobs(tmp_path, "slurm", [FleetJob(names[7], "77", TOO_LONG, "limit of 30 minutes")])
    fleet = fleet_of(tmp_path)
    assert slow_of(fleet) == {}
    said = " ".join(sentences(fleet, everything=True))
    assert {lost.name for lost in fleet.lost} == {names[3], names[4], names[6], names[7]}
    assert f"{names[7]}: its job 77 took too long: limit of 30 minutes." in said
    assert f"{names[1]}: its run is partial; it lacks" in said
    assert f"{names[2]}: nothing was measured (failed: the GPU fell off the bus)" in said
    assert names[5] in said
    assert [look.verdict for look in fleet.looks].count(EMPTY) == 1


def test_names_that_are_there_twice(tmp_path: Path) -> None:
    write_fleet(tmp_path / "one", 20, few_rows=True)
    write_fleet(tmp_path / "two", 20, {2: made_up.slow_memory}, seed=2, few_rows=True)
    fleet = fleet_of(tmp_path)
    names = [look.node.name for look in fleet.looks]
    assert len(names) == len(set(names)) == 40
    assert list(slow_of(fleet)) == [f"{host_of(2)[1]} (2)"]
    assert any("several nodes of one name" in text for text in sentences(fleet))


def test_points_of_sweeps_are_not_read(tmp_path: Path) -> None:
    probes = [*made_up.PROBES, "cache"]
    write_fleet(tmp_path / "with", 1, probes=probes, noise=0.0, sweeps=True)
    write_fleet(tmp_path / "without", 1, probes=probes, noise=0.0)
    nodes = [read_nodes(tmp_path / name).nodes[0] for name in ("with", "without")]
    assert nodes[0].rows == nodes[1].rows
    assert len(nodes[0].rows) > 80


def test_two_bins_are_told_once_and_each_node_is_held_against_its_own(tmp_path: Path) -> None:
    bins = dict.fromkeys(range(0, 60, 3), made_up.slower_bin)
    faults = {**bins, 7: made_up.slow_memory, 8: made_up.slow_fp16, 30: hot_and_slower_bin}
    write_fleet(tmp_path, 60, faults, few_rows=True)
    fleet = fleet_of(tmp_path)
    assert slow_of(fleet) == {host_of(7)[1]: "", host_of(8)[1]: "", host_of(30)[1]: "heat"}
    (slower,) = fleet.kinds[0].bins
    assert set(slower.nodes) == {host_of(number)[1] for number in bins if number != 30}
    assert slower.ratio == pytest.approx(0.95, abs=0.01)
    (said,) = (text for text in sentences(fleet) if "slower bin" in text)
    assert said.startswith("19 nodes (r01-n01, ")
    assert " GHz where the others have " in said


def hot_and_slower_bin(node: MadeUpNode) -> None:
    """A node of a slower bin that is hot besides."""
    made_up.slower_bin(node)
    made_up.hot(node)


def test_few_nodes_tell_nothing(tmp_path: Path) -> None:
    write_fleet(tmp_path, 3, {1: made_up.slow_memory}, few_rows=True)
    assert "too few" in answer(fleet_of(tmp_path))


def test_eight_gpus_tell_one_that_is_far_slower(tmp_path: Path) -> None:
    write_fleet(tmp_path, 8, {1: made_up.slow_memory}, few_rows=True)
    assert list(slow_of(fleet_of(tmp_path))) == [host_of(1)[1]]


def test_hosts_come_from_folders_where_runs_do_not_tell(tmp_path: Path) -> None:
    for folder in write_fleet(tmp_path, 6, few_rows=True):
        facts = json.loads((folder / "run.json").read_text())
        del facts["settings"]["fleet"]
        (folder / "run.json").write_text(json.dumps(facts))
    fleet = fleet_of(tmp_path)
    assert [look.node.name for look in fleet.looks] == [host_of(number)[1] for number in range(6)]
    assert {look.node.place for look in fleet.looks} == {"r01"}


def test_the_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_fleet(tmp_path / "runs", 24, {5: made_up.slow_fp16}, few_rows=True)
    assert main([str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "24 nodes: 1 slow." in printed
    (page,) = (tmp_path / "out").glob("fleet/*/fleet.html")
    names = {file.name for file in page.parent.iterdir()}
    assert names == {
        "fleet.html",
        "fleet.png",
        "fleet.svg",
        "nodes.csv",
        "spread.csv",
        "values.csv",
    }
    assert host_of(5)[1] in page.read_text()


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2
    assert main([str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].endswith("holds no run of Ridgeline")
