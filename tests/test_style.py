"""ruff and the type checker pass on all code, wherever the tests run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "command", [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)], ids=" ".join
)
def test_a_tool_finds_nothing_wrong(command: tuple[str, ...]) -> None:
    process = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert process.returncode == 0, process.stdout + process.stderr


def test_cuda_sources_are_formatted() -> None:
    sources = sorted((ROOT / "kernels").rglob("*.cu*"))
    assert sources
    tool = Path(sys.executable).with_name("clang-format")
    command = [str(tool), "--dry-run", "--Werror", *map(str, sources)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
