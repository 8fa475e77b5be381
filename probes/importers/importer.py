"""The noun Importer: what reads the files of one tool.

A folder of ``probes.importers`` with a module ``importer`` that defines ``IMPORTER`` is found by
itself: nothing else lists it.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import probes.importers
from probes.importers.layer_row import Nodes
from probes.importers.source import Source
from probes.records.measurement import Measurement


@dataclass(frozen=True)
class Destination:
    """The run that the rows go to."""

    device: str
    """Name of its device."""
    started: str
    """When it began, in UTC."""
    network: str
    """Name of the network of ``--model``; empty without one."""
    nodes: Nodes
    """The work of its nodes; empty without one."""


Beside = Sequence[Source]
"""All files of the same tool that are imported together, the one that is read among them."""


@dataclass(frozen=True, kw_only=True)
class Importer:
    """How the files of one tool are recognised and read."""

    reads: str
    """What it reads, as a user calls it: ``a plain CSV``."""
    read: Callable[[Source, Destination, Beside], list[Measurement]]
    """Makes a row of every layer. Raises RidgelineError that names the place and what is wrong."""
    recognises_start: Callable[[bytes], bool] = lambda start: False
    """True for the first bytes of its files, which may be large or no text: see ``START``."""
    recognises: Callable[[Source], bool] = lambda source: False
    """True for its files, which are text; asked of no file that is known by its first bytes."""
    is_fallback: bool = False
    """True if it reads what no other importer recognises and is no JSON."""


@cache
def all_importers() -> tuple[Importer, ...]:
    """The importers of all folders, in alphabetical order, those that are a fallback last."""
    folders = [
        f"probes.importers.{module.name}"
        for module in pkgutil.iter_modules(probes.importers.__path__)
        if module.ispkg
    ]
    names = [f"{folder}.importer" for folder in folders]
    modules = [importlib.import_module(name) for name in names if importlib.util.find_spec(name)]
    importers: list[Importer] = [module.IMPORTER for module in modules]
    return tuple(sorted(importers, key=lambda importer: importer.is_fallback))
