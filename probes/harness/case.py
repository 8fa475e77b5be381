"""What a probe asks for: Cases. And how probes are found: one file in ``probes/`` is one probe."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import runpy
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import probes
from kernels.base import Kernel
from kernels.device import Device
from probes.records.measurement import RidgelineError
from probes.records.tag import Sweep, Tag


@dataclass(frozen=True)
class Case:
    """One kernel at one size, type and backend that a probe wants timed."""

    kernel: Kernel
    """The operation."""
    dtype: str
    """Type of its numbers."""
    backend: str
    """Which of the kernel's implementations runs."""
    tag: Tag | Sweep
    """What its row will speak of."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Size and launch, as the kernel names them."""
    skip: str = ""
    """Why it cannot run on this device; such a case becomes a skipped row, never silence."""
    x: float | None = None
    """Where a point stands on the axis of its sweep, in the axis's unit; None for all others."""
    full: bool = False
    """True if only ``--full`` asks it, or a run that names its probe."""
    also: tuple[Mapping[str, Any], ...] = ()
    """Params of further rows with the same times: the very same work elsewhere."""
    beside: tuple[Case, ...] = ()
    """Cases timed in turn with this one, sample by sample; its row keeps their rates."""
    steady: bool = False
    """True if its work stays inside a core, so that it takes as many cycles every time."""

    @property
    def ceiling(self) -> str:
        """The tag as it is written in files."""
        return str(self.tag)


@dataclass(frozen=True)
class Probe:
    """One question to the hardware: a module with ``cases(device)``; its docstring starts with the
    question.

    default: whether a plain run includes it, full: whether ``--full`` does (a module may set
    ``DEFAULT = False``, and ``FULL = False``: such a probe runs only by its name). warnings: what a
    reader should know of what was asked.
    """

    name: str
    question: str
    cases: Callable[[Device], Iterable[Case]]
    default: bool = True
    full: bool = True
    warnings: tuple[str, ...] = ()


def all_probes() -> dict[str, Probe]:
    """Every probe by name, found by folder, in alphabetical order."""
    names = sorted(m.name for m in pkgutil.iter_modules(probes.__path__) if not m.ispkg)
    return {name: _load(name) for name in names}


def _load(name: str) -> Probe:
    module = importlib.import_module(f"probes.{name}")
    return Probe(
        name,
        question(str(module.__file__)),
        module.cases,
        getattr(module, "DEFAULT", True),
        getattr(module, "FULL", True),
    )


def question(probe_file: str) -> str:
    """The first paragraph of a probe's docstring.

    It is read from the source, since Python run with -OO leaves it out of the module.
    """
    text = ast.get_docstring(ast.parse(Path(probe_file).read_text(encoding="utf-8")))
    first, _, _ = (text or "").partition("\n\n")
    return " ".join(first.split())


def choose(names: Iterable[str] | None, full: bool = False) -> list[Probe]:
    """The probes of these names, or the default ones (full: all). Unknown names raise
    RidgelineError.
    """
    known = all_probes()
    if not names:
        return [p for p in known.values() if p.default or (full and p.full)]
    wrong = [n for n in names if n not in known]
    if wrong:
        raise RidgelineError(f"no probe is called {wrong[0]!r}; there are: {', '.join(known)}")
    return [known[n] for n in names]


def run_alone(probe_file: str) -> None:
    """Run one probe as ``python -m probes.NAME [OPTIONS]``: the main program with ``--only
    NAME``.
    """
    main = Path(__file__).parents[2] / "run_all.py"
    sys.argv = [str(main), "--only", Path(probe_file).stem, *sys.argv[1:]]
    runpy.run_path(str(main), run_name="__main__")
