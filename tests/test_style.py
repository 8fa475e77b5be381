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
def test_tool_has_nothing_to_say(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_cuda_sources_are_formatted() -> None:
    sources = sorted((ROOT / "kernels").rglob("*.cu*"))
    tool = Path(sys.executable).with_name("clang-format")
    assert sources
    done = subprocess.run(
        [tool, "--dry-run", "--Werror", *sources], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
