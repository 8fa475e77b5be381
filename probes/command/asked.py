"""What a command line asks for: which probes, on which device, beside which rows that are there
already.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from kernels.base import one_line
from kernels.device import Device
from kernels.runtime import session
from kernels.runtime.patience import SECONDS
from probes import layers
from probes.command import network
from probes.harness.case import Case, Probe, choose
from probes.importers.any_file import read_all
from probes.importers.layer_row import Nodes
from probes.importers.nodes import nodes_of
from probes.importers.trtexec.read import left_out
from probes.records.given import regular, storable
from probes.records.measurement import Measurement, RidgelineError
from probes.records.run import Run, read_run
from probes.records.tag import LAYER

NAMED = 5  # nodes in a warning


def probes(args: argparse.Namespace) -> list[Probe]:
    """The ceilings, unless a run gives them or layers alone were named, then families and the
    network.

    Raises RidgelineError for what is asked in vain.
    """
    _check(args)
    seconds = args.layer_seconds or SECONDS
    found = [] if args.roofs and not args.only else choose(args.only, args.full)
    found = [layers.probe([], seconds) if probe.name == "layers" else probe for probe in found]
    wanted = args.layers is not None or (args.model and not args.imported)
    if wanted and (reason := session.missing("cpu")):
        raise RidgelineError(f"layers cannot be timed: {reason}")
    if args.layers is not None:
        found.append(layers.probe(args.layers, seconds))
    if args.model and not args.imported:
        with _readable(args.model):
            probe = network.probe(_network(args))
        found.append(replace(probe, cases=partial(_cases, args.model, probe.cases)))
    return found


def _check(args: argparse.Namespace) -> None:
    for option in ("shape", "batch", "precision", "input"):
        if getattr(args, option) and not args.model:
            raise RidgelineError(f"--{option} is of a network: give it with --model NET.onnx")
    if wrong := [name for name in args.precision if name not in network.PRECISIONS]:
        raise RidgelineError(f"--precision {wrong[0]!r}: there are {', '.join(network.PRECISIONS)}")
    if args.imported and len(args.precision) > 1:
        raise RidgelineError(
            "--import takes one --precision: that of the profile, in which bytes are counted"
        )
    if args.imported and args.input:
        raise RidgelineError(
            "--input feeds a network that is timed here: with --import nothing is fed"
        )
    for option in ("shape", "input"):
        names = [name for name, _ in getattr(args, option)]
        if twice := [name for name in names if names.count(name) > 1]:
            raise RidgelineError(f"--{option} {twice[0]} is given twice")
    families = args.layers is not None or "layers" in (args.only or ())
    if args.layer_seconds and not (families or (args.model and not args.imported)):
        raise RidgelineError(
            "--layer-seconds is for layers that are timed here: give --layers or --model with it"
        )
    if args.roofs and not (families or args.model or args.imported):
        raise RidgelineError("--roofs is for layers: give --layers, --model or --import with it")


def _nodes(args: argparse.Namespace) -> tuple[str, Nodes]:
    """The name of the network, and the work of its nodes in the precision of the profile."""
    precision = args.precision[0] if args.precision else ""
    asked = _network(args)
    with _readable(args.model):
        return storable(asked.name), nodes_of(
            asked.graph.nodes, "" if precision in ("fp32", "tf32") else precision
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Within it, whatever a damaged network makes go wrong is one line: its file may hold anything
    anywhere.
    """
    try:
        yield
    except (RidgelineError, MemoryError):
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {one_line(error)}"
        raise RidgelineError(f"{path} is no network that can be read: {why}") from None


def _cases(path: Path, cases: Callable[[Device], Iterable[Case]], device: Device) -> Iterator[Case]:
    """The cases of a network, which is read further as they are made."""
    with _readable(path):
        yield from cases(device)


def _network(args: argparse.Namespace) -> network.Asked:
    """The network that is asked for. Raises RidgelineError where its path is of a pipe, a device or
    a folder.
    """
    regular(args.model)
    seconds = args.layer_seconds or SECONDS
    return network.Asked(
        args.model, dict(args.shape), args.batch, args.precision, dict(args.input), seconds
    )


def device(
    args: argparse.Namespace, find: Callable[[str | None], tuple[Device, str]]
) -> tuple[Device, str, list[Measurement]]:
    """The device, why it, and the rows of its ceilings that a run already has.

    Layers that others timed belong to the device of ``--roofs``, wherever that is. Raises
    RidgelineError where layers are to be timed here on the roofs of another device.
    """
    if not args.roofs:
        return *find(args.device), []
    run = read_run(args.roofs)
    kept = [row for row in run.measurements if row.quantity != LAYER]
    damage = tuple(f"--roofs {args.roofs}: {text}" for text in run.damage)
    if args.layers is None and not (args.model and not args.imported) and not args.only:
        return replace(run.device, warnings=damage), f"its ceilings are those of {args.roofs}", kept
    here, why = find(args.device)
    if (here.name, here.arch, here.kind) != (run.device.name, run.device.arch, run.device.kind):
        theirs, ours = (_called(one, run.device.name == here.name) for one in (run.device, here))
        raise RidgelineError(f"--roofs {args.roofs} is of {theirs}, not of {ours}: measure its own")
    return (
        replace(here, warnings=(*here.warnings, *damage)),
        f"{why}; its ceilings are those of {args.roofs}",
        kept,
    )


def _called(device: Device, alike: bool) -> str:
    """The name of a device, and its core or architecture where another one of that name is not the
    same.
    """
    return f"{device.name} ({device.arch})" if alike else device.name


def imported(args: argparse.Namespace, run: Run) -> list[Measurement]:
    """The rows of ``--import``, with the work of ``--model`` where one is given; the run is warned
    of work in none.

    Raises RidgelineError.
    """
    if not args.imported:
        return []
    name, nodes = _nodes(args) if args.model else ("", {})
    rows = read_all(args.imported, run.device.name, run.started, name, nodes)
    engine = [row for row in rows if row.backend == "tensorrt" and row.probe == "importers/trtexec"]
    if lost := left_out(engine, nodes) if engine else []:
        more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
        run.warnings.append(
            f"no layer of the profile names {', '.join(lost[:NAMED])}{more}: their work "
            "is in no row"
        )
    return rows
