"""Layers are timed without a look-up of a host or a connection, by us or by the runtime."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels.runtime.door import NO_TELEMETRY
from tests import watched
from tests.runs import ROOT

DOOR = ROOT / "kernels/runtime/door.py"


def imported(path: Path) -> Iterator[str]:
    """The packages that a file imports: ``onnxruntime``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_the_runtime_is_imported_by_one_module_only() -> None:
    files = [ROOT / "run_all.py"]
    for package in ("kernels", "probes", "analysis"):
        files += (ROOT / package).rglob("*.py")
    assert [path for path in files if "onnxruntime" in imported(path)] == [DOOR]


def test_tests_keep_the_runtime_from_the_network_too() -> None:
    assert os.environ[NO_TELEMETRY[0]] == NO_TELEMETRY[1]


def test_timing_layers_says_nothing_to_the_network(watched_network: Path) -> None:
    bare = watched.network_calls(watched_network, watched.BARE)
    ours = watched.network_calls(watched_network, watched.OURS)
    assert not ours
    if not bare:
        pytest.skip(
            "this onnxruntime looks nothing up even when nobody keeps it from that: nothing is "
            "proved by it"
        )
