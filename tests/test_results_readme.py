"""What results/README.md says of reading the files works as it is written, with installed tools."""

from __future__ import annotations

import csv
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from probes.records.measurement import SCHEMA_VERSION
from probes.records.precision import PLAN_SCHEMA

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
H100 = ROOT / "results" / "reference" / "nvidia-h100" / "ceilings.csv"
ROOFS = ("bandwidth/dram", "compute/fp32")


def block(language: str) -> str:
    """The only block of code of this language."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def ceilings() -> dict[str, dict[str, str]]:
    """The rows of the H100's ceilings by tag."""
    with H100.open(encoding="utf-8", newline="") as file:
        return {row["tag"]: row for row in csv.DictReader(file)}


def medians() -> dict[tuple[str, str], float]:
    """The median rate of each roof on each device, of all runs of reference."""
    rates: dict[tuple[str, str], list[float]] = {}
    for path in (ROOT / "results" / "reference").rglob("ceilings.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["trusted"] == "1" and row["tag"] in ROOFS:
                    rates.setdefault((row["tag"], row["device"]), []).append(float(row["rate"]))
    return {key: statistics.median(values) for key, values in rates.items()}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the runs of reference only."""
    (tmp_path / "results").mkdir()
    shutil.copytree(ROOT / "results" / "reference", tmp_path / "results" / "reference")
    return tmp_path


def printed(command: list[str], folder: Path) -> str:
    """What a command prints."""
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_pandas(checkout: Path) -> None:
    pytest.importorskip("pandas")
    text = printed([sys.executable, "-c", block("python")], checkout)
    assert "NVIDIA H100" in text
    assert all(tag in text for tag in ROOFS)


def test_duckdb(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(checkout)
    rows = duckdb.sql(block("sql")).fetchall()
    assert {(tag, device): rate for tag, device, _, rate, _ in rows} == pytest.approx(medians())


def test_r(checkout: Path) -> None:
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed")
    text = printed(["Rscript", "-e", block("r")], checkout)
    for (tag, device), rate in medians().items():
        line = next(line for line in text.splitlines() if tag in line and f"{device} " in line)
        assert float(line.split()[-1]) == pytest.approx(rate, rel=1e-5)


def test_a_spreadsheet(tmp_path: Path) -> None:
    if not shutil.which("ssconvert"):
        pytest.skip("Gnumeric is not installed")
    formulas = re.findall(r"^\| `(=.+?)` \|", PAGE, re.MULTILINE)
    rows = ceilings()
    memory, fp32 = (float(rows[tag]["rate"]) for tag in ROOFS)
    doubted = sum(row["trusted"] == "0" for row in rows.values())
    expected = [memory, fp32, fp32 / memory, float(rows[ROOFS[0]]["share_nominal"]), doubted]
    assert len(formulas) == len(expected)
    for formula, value in zip(formulas, expected, strict=True):
        out = tmp_path / "out.csv"
        printed(["ssconvert", "--recalc", "--set", f"Z1={formula}", str(H100), str(out)], tmp_path)
        first_line = out.read_text(encoding="utf-8").splitlines()[0]
        assert float(first_line.split(",")[-1]) == pytest.approx(value), formula


def test_every_version_is_explained() -> None:
    _, _, section = PAGE.partition("## Versions")
    explained = [int(number) for number in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)]
    assert explained == list(range(1, SCHEMA_VERSION + 1))
    assert f"are of version {PLAN_SCHEMA}." in section
