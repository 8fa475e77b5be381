"""The check of an atlas: what is committed is sound, and each planted fault is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.atlas.__main__ import main
from analysis.atlas.check import check
from analysis.atlas.entry import ATLAS, CEILINGS_FILE, LAYERS_FILE, add, folders_of, read_entry
from probes.records.run import RUN_FILE

ROOT = Path(__file__).parents[3]
H200 = ROOT / "results/reference/nvidia-h200-resnet50"


def test_what_is_committed_is_sound() -> None:
    checked = check(ATLAS)
    assert checked.devices
    assert [(problem.folder.name, problem.what) for problem in checked.problems] == []


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An atlas with one run."""
    atlas = tmp_path_factory.mktemp("added")
    add([H200], atlas)
    return atlas


@pytest.fixture
def atlas(added: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(added, tmp_path / "atlas"))


def only_problem(atlas: Path) -> str:
    """What is wrong, of which there is one thing."""
    (problem,) = check(atlas).problems
    return problem.what


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Change the text of a file, and make sure that it did change."""
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    path.write_text(after, encoding="utf-8")


def edit_row(path: Path, tag: str, change: Callable[[dict[str, str]], None]) -> None:
    """Change the cells of one ceiling."""
    lines = path.read_text(encoding="utf-8").splitlines()
    header = lines[0].split(",")
    for place, line in enumerate(lines):
        cells = line.split(",")
        if cells[header.index("tag")] == tag:
            by_name = dict(zip(header, cells, strict=True))
            change(by_name)
            lines[place] = ",".join(by_name.values())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_an_added_run_is_sound_and_small(atlas: Path) -> None:
    assert check(atlas).problems == ()
    (folder,) = folders_of(atlas)
    names = {path.name for path in folder.iterdir()}
    assert names == {RUN_FILE, CEILINGS_FILE, LAYERS_FILE}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 100_000


def test_an_added_run_says_nothing_of_where_it_ran(atlas: Path) -> None:
    (folder,) = folders_of(atlas)
    assert "pci" not in (folder / RUN_FILE).read_text(encoding="utf-8")


def test_its_networks_are_those_of_the_run(atlas: Path) -> None:
    (folder,) = folders_of(atlas)
    networks = read_entry(folder).networks
    assert [network.precision for network in networks] == ["fp32", "tf32", "fp16"]
    for network in networks:
        assert sum(layer.count for layer in network.layers) == 176
        assert network.whole is not None


def spoil_rate(cells: dict[str, str]) -> None:
    """A rate above what the silicon can do."""
    cells["rate"] = repr(2 * float(cells["nominal_peak"]))


def spoil_peak(cells: dict[str, str]) -> None:
    """A theory that makes a poor rate look well."""
    cells["nominal_peak"] = repr(float(cells["nominal_peak"]) / 2)


def spoil_trust(cells: dict[str, str]) -> None:
    """A rate that was disturbed."""
    cells["trusted"], cells["doubt"] = "0", "other load"


def spoil_audit(cells: dict[str, str]) -> None:
    """A kernel that no one looked at."""
    cells["instruction"] = ""


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (spoil_rate, "compute/fp32 is above the physical limit: 134 TFLOP/s of 66.9 TFLOP/s"),
        (spoil_peak, "compute/fp32 states 33.5 TFLOP/s of theory"),
        (spoil_trust, "compute/fp32 cannot be trusted: other load"),
        (spoil_audit, "compute/fp32 was not audited: no instruction is known"),
    ],
)
def test_a_spoilt_ceiling_is_found(
    atlas: Path, spoil: Callable[[dict[str, str]], None], found: str
) -> None:
    (folder,) = folders_of(atlas)
    edit_row(folder / CEILINGS_FILE, "compute/fp32", spoil)
    assert only_problem(atlas).startswith(found)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"status": "partial"}, "is partial: hand in a run that ended"),
        ({"settings": {"quick": True}}, "was made with --quick"),
        ({"load": {"before": {"busiest": [["game", 2.0]]}}}, "run.json names programs that ran"),
    ],
)
def test_a_spoilt_run_is_found(atlas: Path, change: dict[str, object], found: str) -> None:
    (folder,) = folders_of(atlas)
    facts = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    (folder / RUN_FILE).write_text(json.dumps({**facts, **change}), encoding="utf-8")
    assert only_problem(atlas).startswith(found)


def test_a_damaged_row_is_found(atlas: Path) -> None:
    (folder,) = folders_of(atlas)
    edit(folder / CEILINGS_FILE, lambda text: text.replace(",raw,fp64,", ",raw,fp64,x", 1))
    assert "damaged" in check(atlas).problems[0].what


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("tag", "no-tag", "'no-tag' is no tag"),
        ("status", "fine", "status is 'fine', not ok, skipped or failed"),
        ("rate", "", "compute/fp32 is ok and has no rate"),
        ("unit", "B/s", "compute/fp32 is in 'B/s', not in FLOP/s"),
        ("schema_version", "99", "schema 99 is of a newer Ridgeline"),
    ],
)
def test_a_row_that_no_run_has_is_left_out_and_found(
    atlas: Path, column: str, value: str, found: str
) -> None:
    (folder,) = folders_of(atlas)
    edit_row(folder / CEILINGS_FILE, "compute/fp32", lambda cells: cells.update({column: value}))
    assert found in check(atlas).problems[0].what
    tags = [ceiling.tag for ceiling in read_entry(folder).ceilings]
    assert "compute/fp32" not in tags


def test_a_network_faster_than_theory_is_found(atlas: Path) -> None:
    (folder,) = folders_of(atlas)
    rows = (folder / LAYERS_FILE).read_text(encoding="utf-8").splitlines()
    whole = rows[1].split(",")
    whole[-1] = "1e-09"
    rows[1] = ",".join(whole)
    (folder / LAYERS_FILE).write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert only_problem(atlas).startswith("light_resnet50 in fp32 took 1.00 ns, theory allows")


def test_another_file_and_another_place_are_found(atlas: Path) -> None:
    (folder,) = folders_of(atlas)
    (folder / "roofline.png").write_bytes(b"")
    assert only_problem(atlas).startswith("roofline.png does not belong there")
    (folder / "roofline.png").unlink()
    folder.rename(folder.with_name("20200101T000000Z"))
    assert "not at nvidia-h200/" in only_problem(atlas)


def test_a_folder_without_a_run_is_found(atlas: Path) -> None:
    (atlas / "some-gpu" / "20260101T000000Z").mkdir(parents=True)
    assert only_problem(atlas) == "is no run: run.json is missing"


def test_the_program_says_the_answer_first(atlas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--atlas", str(atlas), "check"]) == 0
    first, *devices = capsys.readouterr().out.splitlines()
    assert first.endswith("1 runs of 1 devices, all sound")
    assert devices == ["  NVIDIA H200: 1 of 3 runs"]
    (folder,) = folders_of(atlas)
    (folder / "notes.txt").write_text("")
    assert main(["--atlas", str(atlas), "check"]) == 1


def test_no_atlas_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--atlas", str(tmp_path / "none"), "check"]) == 2
    assert "is no atlas: there is no such folder" in capsys.readouterr().err


def test_a_run_of_another_device_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ROOT / "results/reference/nvidia-h100"
    assert main(["--atlas", str(tmp_path), "add", str(H200), str(other)]) == 2
    assert "not of NVIDIA H200: add it by itself" in capsys.readouterr().err


def test_each_device_is_left_out_and_no_bound_is_broken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["leave-out"]) == 0
    first, answer, *cases = capsys.readouterr().out.splitlines()
    assert "left out in turn, estimates were" in first
    assert answer == f"Of {len(cases)} cases no bound is broken."
    assert any("light_resnet50 FP32 on cuda NVIDIA H200" in case for case in cases)


def test_nothing_to_leave_out_is_said(atlas: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--atlas", str(atlas), "leave-out"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("How far an estimate is off is not known")


def test_what_is_added_is_listed(tmp_path: Path) -> None:
    assert main(["--atlas", str(tmp_path), "add", str(H200)]) == 0
    assert "| NVIDIA H200 | 1 of 3 runs |" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_a_partial_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    partial = Path(shutil.copytree(H200, tmp_path / "partial"))
    edit(partial / RUN_FILE, lambda text: text.replace('"complete"', '"partial"'))
    assert main(["--atlas", str(tmp_path / "atlas"), "add", str(partial)]) == 2
    assert "is partial: add a run that ended" in capsys.readouterr().err


def test_the_page_and_the_list_name_each_device(atlas: Path) -> None:
    add([ROOT / "results/reference/amd-epyc"], atlas)
    assert main(["--atlas", str(atlas), "page", "--out", str(atlas.parent / "page.html")]) == 0
    page = (atlas.parent / "page.html").read_text(encoding="utf-8")
    listing = (atlas / "README.md").read_text(encoding="utf-8")
    for text in (page, listing):
        assert "NVIDIA H200" in text
        assert "AMD EPYC" in text
        assert "1 of 3 runs" in text
    assert "http" not in page
    assert check(atlas).problems == ()


def test_the_committed_list_is_that_of_the_committed_runs() -> None:
    from analysis.atlas.entry import read_atlas
    from analysis.atlas.page import markdown

    assert (ATLAS / "README.md").read_text(encoding="utf-8") == markdown(read_atlas())
