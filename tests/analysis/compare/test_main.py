"""``python -m analysis.compare``: exit codes, what it prints, and its files."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as xml
from collections import Counter
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from analysis.compare.__main__ import main
from tests.analysis.compare.made_up import CPU_RUN, GPU_RUN, KEPT, run_like, set_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SLOWER_FLOATS = {"compute/fp32": 1.1, "compute/fp64": 1.1}


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets of three runs: ``first``, ``equal``, ``slower`` and ``busy``."""
    root = tmp_path_factory.mktemp("sets")
    set_of(CPU_RUN, root / "first", 1)
    set_of(CPU_RUN, root / "equal", 2)
    set_of(CPU_RUN, root / "slower", 3, SLOWER_FLOATS)
    set_of(CPU_RUN, root / "busy", 4, {"compute": 1.04}, load=0.9)
    return root


def run(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> tuple[int, str, str]:
    code = main([str(word) for word in argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_equal_sets_pass_the_gate(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, sets / "first", sets / "equal", "--gate", "3%", "--out", tmp_path)
    assert code == 0
    assert "passed, nothing is slower" in out
    (folder,) = (tmp_path / "compared").iterdir()
    assert {"compared.csv", "compared.json"} <= {file.name for file in folder.iterdir()}


def test_planted_rows_fail_the_gate_and_say_why(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slower = sorted((sets / "slower").iterdir())
    code, out, _ = run(
        capsys, "--baseline", sets / "first", *slower, "--gate", "3%", "--out", tmp_path
    )
    assert code == 1
    assert "failed, slower beyond doubt: " in out
    assert "of theory at its clock it reached" in out


def test_single_runs_cannot_tell(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(
        capsys,
        sets / "first/run0",
        sets / "equal/run0",
        "--gate",
        "3%",
        "--out",
        tmp_path,
    )
    assert code == 3
    assert "cannot be told by so few runs" in out


def test_load_on_one_side_raises_no_alarm(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, sets / "first", sets / "busy", "--gate", "3%", "--out", tmp_path)
    assert code in (0, 3)
    assert "slower" not in out.splitlines()[0]
    assert "the load was unequal: others had 0.0 % and 90.0 %" in out


def test_json_has_verdicts_causes_and_values(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, sets / "first", sets / "slower", "--json", "--gate", "3%")
    document = json.loads(out)
    assert (code, document["exit_code"]) == (1, 1)
    by_tag = {row["tag"]: row for row in document["rows"]}
    fp32 = by_tag["compute/fp32"]
    assert fp32["verdict"] == "slower"
    assert fp32["cause"] == "share"
    assert len(fp32["values"]) == len(fp32["first_values"]) == 3
    assert by_tag["compute/bf16"]["verdict"] != "slower"


def test_junit_counts_what_it_holds(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "compared.xml"
    code, _, _ = run(
        capsys, sets / "first", sets / "slower", "--junit", file, "--gate", "3%", "--json"
    )
    root = xml.parse(file).getroot()
    suite = root[0]
    assert code == 1
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure")) > 0
    assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
    failed = [case.attrib["name"] for case in suite if case.find("failure") is not None]
    assert all(name.startswith(("compute/fp32", "compute/fp64")) for name in failed)


def test_markdown_is_a_table_with_as_many_cells_a_line(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, sets / "first", sets / "slower", "--markdown")
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert out.startswith("**Ridgeline: ")
    assert len({line.count(" | ") for line in rows}) == 1
    assert "| slower |" in out


def test_markdown_is_read_as_tables_by_a_reader_of_its_own(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, sets / "first", sets / "slower", "--markdown")
    _, table, _ = run(capsys, sets / "first", sets / "slower", "--json")
    tokens = MarkdownIt("commonmark").enable("table").parse(out)
    count = Counter(token.type for token in tokens)
    told = [row for row in json.loads(table)["rows"] if row["why_not"] != "missing"]
    assert count["tr_open"] == len(told) + count["thead_open"]
    assert count["th_open"] == 6 * count["thead_open"]
    assert count["td_open"] == 6 * len(told)


def test_junit_is_read_by_a_reader_of_its_own(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    junitparser = pytest.importorskip("junitparser")
    file = tmp_path / "compared.xml"
    run(capsys, sets / "first", sets / "slower", "--junit", file, "--json")
    (suite,) = junitparser.JUnitXml.fromfile(str(file))
    counted = junitparser.TestSuite("counted")
    counted.add_testcases(list(suite))
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (
        counted.tests,
        counted.failures,
        0,
        counted.skipped,
    )
    assert counted.failures > 0


def test_sets_tell_the_lines_of_the_recorded_ranges(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "--ranges", sets / "first", sets / "equal")
    record = tomllib.loads(out)["record"][0]
    assert (code, record["machine"]) == (0, "virtual cpu")
    (wide,) = [row for row in record["rows"] if row["tag"] == "compute/*"]
    assert 0.02 < wide["range"] < 0.08  # of six runs with 1 % of noise
    assert wide["drift"] < 0.006
    assert wide["runs"] == 6
    set_of(CPU_RUN, tmp_path / "drifted", 5, {"compute": 1.05})
    _, out, _ = run(capsys, "--ranges", sets / "first", sets / "equal", tmp_path / "drifted")
    (drifted,) = [
        row for row in tomllib.loads(out)["record"][0]["rows"] if row["tag"] == wide["tag"]
    ]
    assert drifted["drift"] == pytest.approx(0.049 / 3**0.5, rel=0.3)


def test_layers_are_joined_by_network_name_and_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_like(GPU_RUN, tmp_path / "a")
    run_like(GPU_RUN, tmp_path / "b", lambda tag: 1.5 if tag.startswith("layer/") else 1.0)
    _, out, _ = run(capsys, tmp_path / "a", tmp_path / "b", "--json")
    layers = [row for row in json.loads(out)["rows"] if row["tag"].startswith("layer/")]
    assert layers
    assert all(row["network"] for row in layers)
    assert [row["ratio"] for row in layers] == pytest.approx([1 / 1.5] * len(layers))


def test_runs_of_every_version_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, KEPT / "schema-1-2026-11-25", GPU_RUN, "--json")
    assert code == 0
    assert {run["device"] for run in json.loads(out)["runs"]} == {
        "NVIDIA H100 80GB HBM3",
        "NVIDIA H200",
    }


def test_rows_of_one_side_do_not_crowd_the_short_table(
    sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = run_like(CPU_RUN, tmp_path / "few")
    text = (few / "measurements.csv").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if ",bandwidth/" not in line]
    (few / "measurements.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    code, out, _ = run(capsys, sets / "first/run0", few, "--out", tmp_path)
    assert code == 0
    assert " DRAM " not in out
    assert "were measured on one side only" in out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["{sets}/first"], "one run alone cannot be compared"),
        (["{sets}/nothing", "{sets}/first"], "is not a run of Ridgeline"),
        (["{sets}/first/run0", "{sets}/first/run0"], "given twice"),
        (["{sets}/first", "{sets}/equal", "--gate", "3"], "write 3%"),
        (["{sets}/first", "{sets}/equal", "--gate", "x"], "not like 3%"),
        (["{sets}/first", "{sets}/equal", "--json", "--markdown"], "both print"),
        (["--ranges", "{sets}/first", "{sets}/equal/run0"], "has fewer than 3 runs"),
        (["--baseline", "{sets}/first/run0", "{sets}/first/run0"], "holds no run beside"),
        (["{sets}/first", "{sets}/equal", "--junit", "{sets}/no/x.xml", "--json"], "--junit"),
    ],
)
def test_bad_input_is_one_line(
    sets: Path, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *(word.format(sets=sets) for word in argv))
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1


def test_damaged_runs_of_a_folder_are_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_of(CPU_RUN, tmp_path / "a", 1)
    set_of(CPU_RUN, tmp_path / "b", 2)
    (tmp_path / "a/run1/run.json").write_text("{", encoding="utf-8")
    code, out, _ = run(capsys, tmp_path / "a", tmp_path / "b", "--json")
    document = json.loads(out)
    assert code == 0
    assert any("Left out" in note and "run1" in note for note in document["notes"])
    assert sum(run["side"] == "a" for run in document["runs"]) == 2
