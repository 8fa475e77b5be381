"""Whether this Python has what the program needs. Standard library only, so that it can say so."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec

OLDEST_PYTHON = (3, 10)
NEEDED = ("numpy", "ml_dtypes", "numba", "pandas", "matplotlib", "rich")
"""Modules of the dependencies in pyproject.toml, without which nothing runs."""
INSTALL = "python3 -m venv .venv && .venv/bin/pip install -e ."
STOPPED, BAD_INPUT = 1, 2
"""Exit codes: of the doctor, and of everything else."""


def is_there(module: str) -> bool:
    """True if a module can be found; it is not imported."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def problem(
    there: Callable[[str], bool] = is_there, python: tuple[int, int] = sys.version_info[:2]
) -> tuple[str, str]:
    """(what is wrong with this Python, the way out); both empty if nothing is."""
    if python < OLDEST_PYTHON:
        version = ".".join(map(str, python))
        return f"Python is {version}", "take 3.10 or newer"
    missing = [module for module in NEEDED if not there(module)]
    if not missing:
        return "", ""
    is_or_are = "is" if len(missing) == 1 else "are"
    what = f"{', '.join(missing)} {is_or_are} not installed in {sys.executable}"
    return what, f"run .venv/bin/python run_all.py, after {INSTALL}"


def end_if_missing(words: Sequence[str]) -> None:
    """End the program with one line and exit code 2 where this Python lacks what it needs.

    words: of the command line; to ``--doctor`` it is a finding like any other, and exit code 1.
    """
    what, way_out = problem()
    if not what:
        return
    if "--doctor" in words:
        print("Not ready: 1 thing stops a run here, and hides all others.")
        print(f"stops   Python: {what} -> {way_out}")
        sys.exit(STOPPED)
    print(f"run_all.py: {what}: {way_out}", file=sys.stderr)
    sys.exit(BAD_INPUT)
