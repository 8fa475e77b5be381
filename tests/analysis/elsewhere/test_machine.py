"""Machines by theory and as measured, and which of them a name means."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analysis.analyse import model
from analysis.atlas.devices import devices_of
from analysis.atlas.entry import add, folders_of, read_atlas
from analysis.elsewhere.find import find
from analysis.elsewhere.machine import product
from analysis.elsewhere.work import networks_of, work_of
from probes.records.measurement import RidgelineError
from probes.records.run import read_run

REFERENCE = Path(__file__).parents[3] / "results/reference"


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An atlas with two runs of an H200."""
    atlas = tmp_path_factory.mktemp("atlas")
    for name in ("nvidia-h200", "nvidia-h200-resnet50"):
        add([REFERENCE / name], atlas)
    return atlas


def test_a_device_of_the_atlas_is_measured(atlas: Path) -> None:
    found = find("h200", atlas)
    assert found.machine.name == "NVIDIA H200"
    assert not found.machine.is_theory
    assert found.machine.runs == 2


def test_a_product_that_is_not_in_the_atlas_is_known_by_theory(atlas: Path) -> None:
    found = find("Orin NX", atlas)
    assert found.machine.name == "Jetson Orin NX 16GB"
    assert found.machine.is_theory
    assert found.others[0] == "Jetson Orin NX 16GB Super"


def test_a_name_of_two_generations_is_told_apart_by_more_words(atlas: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    add([REFERENCE / "amd-epyc"], both)
    older = Path(shutil.copytree(REFERENCE / "amd-epyc", tmp_path / "older"))
    facts = (older / "run.json").read_text(encoding="utf-8")
    facts = facts.replace('"zen5"', '"zen4"').replace(
        "2026-11-25T22:34:39Z", "2026-11-25T00:00:00Z"
    )
    (older / "run.json").write_text(facts, encoding="utf-8")
    add([older], both)
    found = find("AMD EPYC", both)
    assert found.machine.device.arch == "zen4"
    assert found.others == ("AMD EPYC (zen5, 2 cores)",)
    assert find("EPYC zen5", both).machine.device.arch == "zen5"


def test_the_folder_of_a_run_is_measured(atlas: Path) -> None:
    found = find(str(REFERENCE / "amd-epyc"), atlas)
    assert found.machine.name == "AMD EPYC"
    assert not found.machine.is_theory


def test_the_folder_of_an_entry_is_measured(atlas: Path) -> None:
    for folder in folders_of(atlas):
        machine = find(str(folder), atlas).machine
        assert machine.name == "NVIDIA H200"
        assert machine.runs == 1
        assert machine.roofs.memory is not None


@pytest.mark.parametrize("name", ["no such thing", "", "some/folder"])
def test_what_means_nothing_is_bad_input(name: str, atlas: Path) -> None:
    with pytest.raises(RidgelineError, match="no folder of a run"):
        find(name, atlas)


def test_the_atlas_tells_what_the_run_told(atlas: Path) -> None:
    outcome = model(read_run(REFERENCE / "nvidia-h200-resnet50"))
    told = [work_of(network) for network in outcome.networks]
    (device,) = devices_of(read_atlas(atlas))
    assert list(device.networks) == told
    assert networks_of([row for network in told for row in network.rows]) == told


def test_the_middle_of_several_runs_speaks_for_a_device(atlas: Path) -> None:
    entries = read_atlas(atlas)
    (device,) = devices_of(entries)
    rates = [
        ceiling.rate
        for entry in entries
        for ceiling in entry.ceilings
        if ceiling.tag == "bandwidth/dram" and ceiling.rate
    ]
    assert device.ceilings["bandwidth/dram"].rate == min(rates)  # the lower of two


def test_a_bound_supposes_the_highest_clock_that_was_seen() -> None:
    run = REFERENCE / "nvidia-h100"
    machine = find(str(run)).machine
    rated = machine.device.clock_hz
    assert rated is not None
    assert machine.highest_clock is not None
    assert machine.highest_clock > rated
    limit = machine.limits["compute/fp64/tensor"].limit
    ceiling = model(read_run(run)).ceilings["compute/fp64/mma"]
    assert limit is not None
    assert ceiling.rate is not None
    assert machine.peaks["compute/fp64/tensor"].value < ceiling.rate < limit  # type: ignore[operator]


def test_matrix_units_of_a_product_may_reach_its_boost_clock() -> None:
    machine = product("NVIDIA H100 SXM")
    tag = "compute/fp16/tensor-fp32"
    assert machine.limits[tag].limit == pytest.approx(132 * 4096 * 1.98e9)
    assert machine.peaks[tag].value == pytest.approx(132 * 4096 * 1.83e9)
