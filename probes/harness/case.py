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
    during: tuple[Case, ...] = ()
    """Cases of the host's CPU that go on during every sample; the bytes that they move count, too.
    """
    steady: bool = False
    """True if its work stays inside a core, so that it takes as many cycles every time."""
    ways: tuple[Mapping[str, Any], ...] = ()
    """Params that may replace its own, way by way; the row speaks of the fastest way. Empty: there
    is only one.
    """

    @property
    def ceiling(self) -> str:
        """The tag as it is written in files."""
        return str(self.tag)

    @property
    def memory_bytes(self) -> float:
        """Bytes of memory that it takes, in the largest of its ways; NaN where that is unknown."""
        every_params = [{**self.params, **way} for way in self.ways or ({},)]
        return max(self.kernel.memory_bytes(self.dtype, params) for params in every_params)


@dataclass(frozen=True)
class Probe:
    """One question to the hardware: a module of ``probes/`` with ``cases(device)``."""

    name: str
    """Name of the module."""
    question: str
    """The first paragraph of its docstring."""
    cases: Callable[[Device], Iterable[Case]]
    """What it wants timed on a device."""
    default: bool = True
    """True if a plain run includes it; a module may set ``DEFAULT = False``."""
    full: bool = True
    """True if ``--full`` includes it. With ``FULL = False``, too, it runs only by its name."""
    warnings: tuple[str, ...] = ()
    """What a reader should know of what was asked."""


def all_probes() -> dict[str, Probe]:
    """Every probe by name, found by folder, in alphabetical order."""
    modules = pkgutil.iter_modules(probes.__path__)
    names = sorted(module.name for module in modules if not module.ispkg)
    return {name: _load(name) for name in names}


def _load(name: str) -> Probe:
    """The probe of a module of ``probes/``."""
    module = importlib.import_module(f"probes.{name}")
    return Probe(
        name=name,
        question=question(str(module.__file__)),
        cases=module.cases,
        default=getattr(module, "DEFAULT", True),
        full=getattr(module, "FULL", True),
    )


def question(probe_file: str) -> str:
    """The first paragraph of a probe's docstring.

    It is read from the source, since Python run with -OO leaves it out of the module.
    """
    source = Path(probe_file).read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    paragraph, _, _ = docstring.partition("\n\n")
    return " ".join(paragraph.split())


def choose(names: Iterable[str] | None, full: bool = False) -> list[Probe]:
    """The probes of these names; without names the default ones, or with ``full`` all of a run.

    Raises RidgelineError for a name that no probe has.
    """
    by_name = all_probes()
    if not names:
        return [probe for probe in by_name.values() if probe.default or (full and probe.full)]
    chosen = []
    for name in names:
        if name not in by_name:
            raise RidgelineError(f"no probe is called {name!r}; there are: {', '.join(by_name)}")
        chosen.append(by_name[name])
    return chosen


def run_alone(probe_file: str) -> None:
    """Run one probe, as ``python -m probes.NAME`` does: the main program with ``--only NAME``."""
    main = Path(__file__).parents[2] / "run_all.py"
    sys.argv = [str(main), "--only", Path(probe_file).stem, *sys.argv[1:]]
    runpy.run_path(str(main), run_name="__main__")
