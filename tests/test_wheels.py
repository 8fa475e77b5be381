"""The script that makes a Jetson's folder of wheels asks for all that its JetPack takes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.readme import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCRIPT = ROOT / ".github" / "wheels.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def wheels() -> Any:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("wheels", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def calls(wheels: Any, *words: str) -> tuple[str, str]:
    """The two calls for these options, as text."""
    options = wheels.parsed(words)
    resolve, download = wheels.commands(
        options.board, options.extras, Path("needed.txt"), Path("wheels")
    )
    return " ".join(resolve), " ".join(download)


@pytest.mark.parametrize(
    ("jetpack", "extra", "python", "newest", "too_new"),
    [
        ("5", "cu11", "3.10", "manylinux_2_31", "manylinux_2_32"),
        ("6", "jetson", "3.10", "manylinux_2_35", "manylinux_2_36"),
        ("7", "cu13", "3.12", "manylinux_2_39", "manylinux_2_40"),
    ],
)
def test_each_jetpack_gets_what_its_python_and_c_library_take(
    wheels: Any, jetpack: str, extra: str, python: str, newest: str, too_new: str
) -> None:
    resolve, download = calls(wheels, "--jetpack", jetpack)
    assert extra in PROJECT["optional-dependencies"]
    assert f"--extra {extra} --python-version {python}" in resolve
    assert f"aarch64-{newest}" in resolve
    assert f"--python-version {python} --platform {newest}_aarch64" in download
    assert "manylinux2014_aarch64" in download
    assert too_new not in download
    assert " pip setuptools>=" in download, "what installs the checkout is in the folder, too"


def test_further_extras_and_another_python_can_be_asked_for(wheels: Any) -> None:
    resolve, _ = calls(wheels, "--jetpack", "6", "--with", "layers,plan", "--python", "3.11")
    assert "--extra jetson --extra layers --extra plan --python-version 3.11" in resolve


def test_what_fails_is_one_line(
    wheels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(command: list[str], **_: Any) -> Any:
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(wheels, "find_spec", lambda _: object())
    monkeypatch.setattr(wheels.subprocess, "run", fails)
    assert wheels.main(["--to", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "wheels.py: python -m uv pip ended with code 1\n"
    monkeypatch.setattr(wheels, "find_spec", lambda _: None)
    assert wheels.main(["--to", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "wheels.py: uv is not installed: pip install uv pip\n"


def test_the_folder_is_counted_and_its_use_is_said(
    wheels: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def downloads(command: list[str], **_: Any) -> Any:
        (tmp_path / "made_up-1.whl").write_bytes(bytes(2_000_000))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(wheels, "find_spec", lambda _: object())
    monkeypatch.setattr(wheels.subprocess, "run", downloads)
    assert wheels.main(["--jetpack", "7", "--to", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("1 wheels, 2 MB, in ")
    assert f"--no-index --find-links {tmp_path} -e '.[cu13]'" in told


def test_the_page_says_what_the_script_says(wheels: Any) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for jetpack, board in wheels.JETPACKS.items():
        line = next(line for line in page.splitlines() if line.startswith(f"| {jetpack} | "))
        assert f"`{board.extra}`" in line
        assert board.python in line
