"""``--on``: the networks of a run on the roofs of other machines, by the whole program."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.runs import ROOT, main, only_run, table

REFERENCE = ROOT / "results/reference"
pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run of ResNet-50."""
    copy = tmp_path_factory.mktemp("run") / "resnet"
    return Path(shutil.copytree(REFERENCE / "nvidia-h200-resnet50", copy))


def said(capsys: pytest.CaptureFixture[str], start: str) -> list[str]:
    """The lines that begin so."""
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith(start)]


def test_a_run_is_placed_on_a_device_of_the_atlas(
    resnet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("--replot", str(resnet), "--on", "NVIDIA H100 80GB HBM3", "Orin NX") == 0
    out = capsys.readouterr().out
    measured, by_theory = [line for line in out.splitlines() if line.startswith("On ")]
    assert measured.startswith("On NVIDIA H100 80GB HBM3, as measured (")
    assert by_theory.startswith("On Jetson Orin NX 16GB (also of this name:")
    assert "by theory, since it is not in the atlas" in by_theory
    fp16 = [line for line in out.splitlines() if line.startswith("light_resnet50 in FP16")]
    for line in fp16:
        assert "could not run faster than" in line
        assert "(bound: " in line
        assert "(estimate)" in line
    page = (resnet / "report.html").read_text(encoding="utf-8")
    assert '<h2 id="elsewhere">On other machines</h2>' in page
    assert "Networks on NVIDIA H100 80GB HBM3" in page
    rows = table(resnet, "elsewhere.csv")
    assert {row["basis"] for row in rows} == {"measured", "theory"}
    for row in rows:
        assert float(row["bound_seconds"]) <= float(row["estimate_seconds"])


def test_the_folder_of_a_run_is_a_machine_and_unknown_theory_gives_no_bound(
    resnet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("--replot", str(resnet), "--on", str(REFERENCE / "amd-epyc")) == 0
    fp32, tf32, _ = said(capsys, "light_resnet50 in ")
    assert "no bound: the theory of AMD EPYC is not known" in fp32
    assert "(estimate)" in fp32
    assert "no estimate: there is no measured roof there for layers in TF32" in tf32


def test_an_imported_profile_is_placed_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / "layers.csv"
    profile.write_text("name,dtype,flops,bytes,seconds\nmm,fp16,1e12,1e9,0.01\n", encoding="utf-8")
    roofs = str(REFERENCE / "nvidia-h200")
    out = tmp_path / "out"
    code = main("--import", str(profile), "--roofs", roofs, "--on", "H100", "--out", str(out))
    assert code == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "(estimate)" in line]
    assert " in FP16: " in line
    assert (only_run(out) / "elsewhere.csv").exists()


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["--on", "H100"], "--on places networks on the roofs of other machines: give --model"),
        (["--replot", "RUN", "--on", "no such thing"], "is no folder of a run, no device of the"),
        (["--replot", "H100", "--on", "H100"], "and this run has none"),
    ],
)
def test_bad_input_is_one_line(
    argv: list[str],
    why: str,
    resnet: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if why.startswith("and this run"):
        without = shutil.copytree(REFERENCE / "nvidia-h100", tmp_path / "h100")
        argv = ["--replot", str(without), *argv[2:]]
    argv = [str(resnet) if word == "RUN" else word for word in argv]
    assert main(*argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert why in line
