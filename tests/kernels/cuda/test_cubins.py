"""Compiled kernels between two runs: only what lies in a folder of one's own is believed.

And only content that is whole.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from kernels.base import Audit, KernelError
from kernels.cuda import cubins, sass
from kernels.cuda.nvrtc import Cubin

find = cubins.cache_folder.__wrapped__  # without its memory: each test has a folder of its own
KEY = "fma-90-key"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache directory of a made-up user; /tmp is beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    return tmp_path / "home"


def mode(folder: Path) -> int:
    """Who may read, write and enter a folder, as chmod takes it."""
    return folder.stat().st_mode & 0o777


def test_the_folder_is_made_for_its_owner_alone(home: Path) -> None:
    assert find() == home / "ridgeline"
    assert mode(find()) == 0o700


def test_a_folder_that_others_could_read_is_closed_to_them(home: Path) -> None:
    (home / "ridgeline").mkdir(parents=True)
    (home / "ridgeline").chmod(0o755)
    assert find() == home / "ridgeline"
    assert mode(find()) == 0o700


@pytest.mark.parametrize("open_to", [0o777, 0o775, 0o1777])
def test_a_folder_that_others_could_write_is_not_believed(home: Path, open_to: int) -> None:
    (home / "ridgeline").mkdir(parents=True)
    (home / "ridgeline").chmod(open_to)
    assert find() == home.parent / f"ridgeline-{os.getuid()}"


def test_a_link_is_not_followed(home: Path) -> None:
    (home.parent / "elsewhere").mkdir(mode=0o700)
    home.mkdir()
    (home / "ridgeline").symlink_to(home.parent / "elsewhere")
    assert find() == home.parent / f"ridgeline-{os.getuid()}"
    find().rmdir()
    (home.parent / f"ridgeline-{os.getuid()}").symlink_to(home.parent / "elsewhere")
    folder = find()
    assert (folder.is_symlink(), mode(folder)) == (False, 0o700)
    assert folder.resolve() != home.parent / "elsewhere"
    folder.rmdir()


def test_a_folder_of_someone_else_is_not_believed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "ridgeline").mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    folder = find()
    assert home not in folder.parents
    folder.rmdir()


@pytest.mark.parametrize("place", ["a file", "", "relative/place"])
def test_without_a_home_a_temporary_folder_serves(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    file = home.parent / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file) if place == "a file" else place)
    monkeypatch.setenv("HOME", str(file))
    assert find() == home.parent / f"ridgeline-{os.getuid()}"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of compiled kernels, empty for each test."""
    monkeypatch.setattr(cubins, "cache_folder", lambda: tmp_path)
    return tmp_path


def never() -> bytes:
    """Fail the test: what is kept needs no compiler."""
    raise AssertionError("made again")


def test_what_is_kept_is_not_made_again(cache: Path) -> None:
    path = cubins.kept(KEY, lambda: b"code")
    assert path.read_bytes() == b"code"
    assert cubins.kept(KEY, never) == path
    assert cubins.kept("fma-90-other", lambda: b"code") != path


def damage(path: Path, how: str) -> None:
    """Damage a compiled kernel in one of the ways below."""
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "swapped":
        path.write_bytes(b"other")
    else:
        path.unlink()
        path.symlink_to("/dev/zero" if how == "device" else path.with_name("elsewhere"))
        path.with_name("elsewhere").write_bytes(b"code")


@pytest.mark.parametrize("how", ["cut", "emptied", "swapped", "link", "device"])
def test_a_damaged_cubin_is_made_again(cache: Path, how: str) -> None:
    damage(cubins.kept(KEY, lambda: b"code"), how)
    again = cubins.kept(KEY, lambda: b"code")
    assert (again.is_symlink(), again.read_bytes()) == (False, b"code")


def test_a_folder_in_the_place_of_a_cubin_is_passed_over(cache: Path) -> None:
    path = cubins.kept(KEY, lambda: b"code")
    path.unlink()
    path.mkdir()
    with pytest.raises(KernelError, match="cannot keep fma-90-key"):
        cubins.kept(KEY, lambda: b"code")


QUESTION = "how many?"
ANSWER = Audit("FFMA", operations=64.0, facts={"trips": 3})


@pytest.fixture
def audited(cache: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Cubin, list[int]]:
    """A cubin whose machine code was read once, and a list with a 1 for each reading."""
    cubin = Cubin(cubins.kept(KEY, lambda: b"code"), "fma.cu", "90", "NVRTC 1.0")
    readings: list[int] = []
    monkeypatch.setattr(sass, "code_of", lambda cubin: readings.append(1))
    assert sass.kept_answer(cubin, QUESTION, lambda code: ANSWER) == ANSWER
    return cubin, readings


def test_what_was_found_is_kept_with_its_cubin(audited: tuple[Cubin, list[int]]) -> None:
    cubin, readings = audited
    assert sass.kept_answer(cubin, QUESTION, never) == ANSWER  # type: ignore[arg-type]
    assert readings == [1]


FORGED = {"instruction": "FFMA", "problem": "", "note": "", "operations": 1e9, "facts": {}}
# of the file of answers: other bytes, or a function from what the file holds to something else
CHANGES: list[Any] = [
    b"",
    b"\xff",
    b"[]",
    b"7",
    b"{}",
    b"[" * 100_000,
    b'{"seal": 3, "answers": 4}',
    lambda sealed: {**sealed, "answers": dict.fromkeys(sealed["answers"], FORGED)},
    lambda sealed: sealed["answers"],
    lambda sealed: {"answers": sealed["answers"]},
]


@pytest.mark.parametrize("change", CHANGES)
def test_an_answer_that_was_changed_is_looked_for_again(
    audited: tuple[Cubin, list[int]], change: Any
) -> None:
    cubin, readings = audited
    path = cubin.path.with_suffix(".sass.json")
    if isinstance(change, bytes):
        path.write_bytes(change)
    else:
        sealed = json.loads(path.read_text())
        path.write_text(json.dumps(change(sealed)))
    assert sass.kept_answer(cubin, QUESTION, lambda code: ANSWER) == ANSWER
    assert readings == [1, 1]
    assert list(cubins.answers(path).values()) == [asdict(ANSWER)], "and kept again"


def test_the_answer_of_another_cubin_is_not_believed(audited: tuple[Cubin, list[int]]) -> None:
    cubin, readings = audited
    other = Cubin(cubins.kept("fma-90-other", lambda: b"different"), "fma.cu", "90", "NVRTC 1.0")
    answers = cubin.path.with_suffix(".sass.json").read_bytes()
    other.path.with_suffix(".sass.json").write_bytes(answers)
    bad = Audit("FFMA", problem="the compiler removed the work")
    assert sass.kept_answer(other, QUESTION, lambda code: bad) == bad
    assert readings == [1, 1]
