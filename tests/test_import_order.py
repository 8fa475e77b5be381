"""Imports go one way only.

kernels <- probes <- run_all, and kernels.device <- probes.records <- analysis.
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
SHARED_RECORDS = (
    "jetsons",
    "tag",
    "layer",
    "measurement",
    "need",
    "given",
    "table",
    "stored",
    "run",
    "precision",
    "paired",
)
"""Modules of probes.records that analysis imports too: each may import only those before it."""
PATIENCE_S = 600  # an emulated core takes a minute for all modules


def sources(package: str) -> list[Path]:
    """The Python files of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Names that a file imports, of modules or of what is in them: ``kernels.fma.work``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a name is one of these modules or lies in one."""
    return any(name == p or name.startswith(p + ".") for p in prefixes)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_those_before_it(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(package)
        for name in imported(path)
        if name.split(".")[0] in OURS and not is_within(name, MAY_IMPORT[package])
    ]
    assert not wrong


@pytest.mark.parametrize("name", SHARED_RECORDS)
def test_shared_records_import_the_standard_library_and_earlier_ones_only(name: str) -> None:
    path = ROOT / f"probes/records/{name}.py"
    standard = sys.stdlib_module_names
    others = [module for module in imported(path) if module.split(".")[0] not in standard]
    earlier = SHARED_RECORDS[: SHARED_RECORDS.index(name)]
    allowed = ("kernels.device", *(f"probes.records.{module}" for module in earlier))
    assert all(is_within(module, allowed) for module in others)


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports inside functions count: one there hides a circle, and does not end it."""
    files = {name_of(path): path for package in MAY_IMPORT for path in sources(package)}
    needs = {name: set(imported_files(path, files)) - {name} for name, path in files.items()}
    # what needs none of those left is in no circle
    while free := [name for name in needs if not needs[name] & set(needs)]:
        for name in free:
            del needs[name]
    assert not needs, "each of these imports another of them"


def name_of(path: Path) -> str:
    """The name under which a file is imported: ``kernels.fma`` of kernels/fma/__init__.py."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_files(path: Path, files: dict[str, Path]) -> Iterator[str]:
    """Names of our own files that a file imports."""
    for name in imported(path):
        if name in files:
            yield name
        elif (module := name.rpartition(".")[0]) in files:
            yield module


def run_python(code: str) -> None:
    """Run this code in a fresh interpreter; raises if it fails."""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=PATIENCE_S)


def test_every_module_imports_without_what_a_plain_install_lacks() -> None:
    paths = [path for package in MAY_IMPORT for path in sources(package)]
    modules = [name_of(path) for path in paths if path.name not in ("__init__.py", "__main__.py")]
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
