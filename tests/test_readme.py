"""No command of the README fails as it is typed: each is understood, and the quick ones run."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.onnx.graph import read_graph
from kernels.onnx.work import work_of
from probes.command.options import parser, refuse_ignored
from probes.harness.case import all_probes
from probes.importers.any_file import read_all
from run_all import VERSION
from tests import readme
from tests.readme import PYTHON, ROOT, Command, commands, programs

COMMANDS = commands()
QUICK = [command for command in COMMANDS if command.is_quick]
CI = ROOT / ".ci" / "run"
USES_PYTORCH = "import torch"
LINK = re.compile(r"\]\(([^)#]+)\)")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like this checkout, with this Python as its environment."""
    for name in ("run_all.py", "kernels", "probes", "analysis"):
        (tmp_path / name).symlink_to(ROOT / name)
    results = tmp_path / "results"
    results.mkdir()
    (results / "reference").symlink_to(ROOT / "results" / "reference")
    bin_folder = tmp_path / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    python = bin_folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    for command in COMMANDS:
        if command.text.startswith("printf"):  # a file that a later command reads
            readme.run(command, tmp_path)
    return tmp_path


def test_the_page_has_commands_of_every_sort() -> None:
    texts = [command.text for command in COMMANDS]
    assert f"{PYTHON} run_all.py" in texts
    assert sum(command.is_quick for command in COMMANDS) >= 5
    assert any(command.needs_gpu for command in COMMANDS)
    assert any("--model" in text for text in texts)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.text)
def test_a_command_is_understood(command: Command) -> None:
    for call in command.calls:
        if call[0] == "run_all.py":
            options = parser(VERSION)
            args = options.parse_args(call[1:])
            refuse_ignored(args, options.get_default)
            assert set(args.only or ()) <= set(all_probes())
        elif ".whl)/pip" in call[1]:  # from its wheel, where Python came without it
            assert call[:3] == ["$(ls", "wheels/pip-*.whl)/pip", "install"]
        else:
            assert call[0] == "-m"
            assert importlib.util.find_spec(call[1]) is not None


@pytest.mark.parametrize("command", QUICK, ids=lambda command: command.text)
def test_a_quick_command_runs_as_it_is_typed(command: Command, checkout: Path) -> None:
    process = readme.run(command, checkout)
    assert process.returncode == 0, process.stderr
    assert process.stdout


def test_the_programs_run_and_print_what_they_promise() -> None:
    for program in (each for each in programs() if USES_PYTORCH not in each):
        process = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stderr
        assert "normalisation" in process.stdout
        assert "bandwidth/dram" in process.stdout


def test_pytorch_writes_a_network_and_a_trace_as_the_page_says(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    (program,) = (each for each in programs() if USES_PYTORCH in each)
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    flops = sum(work_of(node).flops or 0 for node in read_graph(tmp_path / "net.onnx").nodes)
    rows = read_all([tmp_path / "net.trace.json.gz"], "CPU", "now", "", {})
    of_trace = sum(row.flops or 0 for row in rows)
    assert of_trace == 2 * 2 * 8 * 62 * 62 * 27 + 2 * 8 * 62 * 62
    assert flops in (of_trace, of_trace / 2), "of a batch of two, or of one"


def test_continuous_integration_runs_the_test_command_of_the_page() -> None:
    test_command = next(command.text for command in COMMANDS if "-m pytest" in command.text)
    assert test_command in CI.read_text()


def test_every_link_of_the_page_leads_somewhere() -> None:
    targets = LINK.findall(readme.README.read_text(encoding="utf-8"))
    assert len(targets) >= 4
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert missing == []
