"""The one-way flow is the main wall: kernels <- probes <- run_all, and kernels.device <-
probes.records <- analysis.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("kernels", "probes", "analysis", "run_all", "tests")
MAY_IMPORT = {
    "kernels": ("kernels",),
    "probes": ("kernels", "probes"),
    "analysis": ("analysis", "probes.records", "kernels.device"),
}
STORED = ("tag", "layer", "measurement", "given", "table", "stored", "run")
"""What both halves share, each importing only those before it, and the standard library."""


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def allowed(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == p or name.startswith(p + ".") for p in prefixes)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_comes_before_them(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name in imported(path)
        if name.split(".")[0] in OURS and not allowed(name, MAY_IMPORT[package])
    ]
    assert not wrong


@pytest.mark.parametrize("name", STORED)
def test_what_analysis_shares_needs_the_standard_library_only(name: str) -> None:
    path = ROOT / f"probes/records/{name}.py"
    foreign = [
        module for module in imported(path) if module.split(".")[0] not in sys.stdlib_module_names
    ]
    before = (
        "kernels.device",
        *(f"probes.records.{other}" for other in STORED[: STORED.index(name)]),
    )
    assert all(allowed(module, before) for module in foreign)


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports inside functions counted: one there hides a circle, and does not end it."""
    files = {name_of(path): path for top in MAY_IMPORT for path in sources(top)}
    after = {
        name: {found for found in imported_files(path, files) if found != name}
        for name, path in files.items()
    }
    while free := [name for name, needs in after.items() if not needs & set(after)]:
        for name in free:
            del after[name]
    assert not after, "each of these imports another of them"


def name_of(path: Path) -> str:
    """``kernels.fma.work`` of kernels/fma/__init__.py."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_files(path: Path, files: dict[str, Path]) -> Iterator[str]:
    """Names of our own files that a file imports."""
    for name in imported(path):
        if name in files:
            yield name
        elif (module := name.rpartition(".")[0]) in files:
            yield module


def run_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_every_module_imports_without_what_a_plain_install_lacks() -> None:
    modules = [
        ".".join(p.relative_to(ROOT).with_suffix("").parts)
        for top in MAY_IMPORT
        for p in sources(top)
        if p.name not in ("__init__.py", "__main__.py")
    ]
    run_python(f"""
import importlib, sys
for name in ("cupy", "pynvml", "onnx", "onnxruntime", "jtop"): sys.modules[name] = None
for name in {["run_all", *modules]!r}: importlib.import_module(name)
""")


def test_listing_the_probes_loads_nothing_heavy() -> None:
    run_python("""
import sys, run_all
for name in ("cupy", "numba", "matplotlib", "pandas"): sys.modules[name] = None
assert run_all.main(["--list", "--device", "cpu"]) == 0
""")
