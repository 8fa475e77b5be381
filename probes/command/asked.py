"""What a command line asks for: the probes, the device, and rows that others measured."""

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
from probes.command.options import PRECISION, of_tensorrt, only_batch
from probes.command.planning import Planning
from probes.harness.case import Case, Probe, choose
from probes.importers.any_file import read_all
from probes.importers.layer_row import Nodes
from probes.importers.nodes import nodes_of
from probes.importers.trtexec.read import left_out
from probes.records.given import regular, storable
from probes.records.measurement import Measurement, RidgelineError
from probes.records.run import Run, read_run
from probes.records.tag import OF_NETWORKS

MOST_NODES = 5  # that a warning names


def probes(args: argparse.Namespace, planning: Planning | None = None) -> list[Probe]:
    """The probes to run: those of ceilings, then those of families of layers, then the network's.

    planning: of the network, where one is planned for; its layers are then those that deploy.

    Where ``--roofs`` gives the ceilings, their probes are left out, unless ``--only`` names them.
    Raises RidgelineError for options that contradict each other, or cannot be followed here.
    """
    _check(args)
    seconds = args.layer_seconds or SECONDS
    chosen = [] if args.roofs and not args.only else choose(args.only, args.full)
    chosen = [layers.probe([], seconds) if probe.name == "layers" else probe for probe in chosen]
    times_layers = args.layers is not None or _times_network(args)
    if times_layers and (reason := session.missing("cpu")):
        raise RidgelineError(f"layers cannot be timed: {reason}")
    if args.layers is not None:
        chosen.append(layers.probe(args.layers, seconds))
    if _times_network(args):
        with readable(args.model):
            probe = network.probe(planning.asked if planning else network_of(args))
        chosen.append(replace(probe, cases=partial(_cases, args.model, probe.cases)))
    if planning and PRECISION in planning.parts:
        chosen += choose(["conversion"])
    return chosen


def _times_network(args: argparse.Namespace) -> bool:
    """True if ONNX Runtime times the network of ``--model``."""
    return bool(args.model and not args.imported and not of_tensorrt(args))


def _check(args: argparse.Namespace) -> None:
    """Raise RidgelineError for options that contradict each other."""
    for option in ("shape", "batch", "precision", "input"):
        if getattr(args, option) and not args.model:
            raise RidgelineError(f"--{option} is of a network: give it with --model NET.onnx")
    for name in args.precision:
        if name not in network.PRECISIONS:
            raise RidgelineError(f"--precision {name!r}: there are {', '.join(network.PRECISIONS)}")
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
        for name in names:
            if names.count(name) > 1:
                raise RidgelineError(f"--{option} {name} is given twice")
    families = args.layers is not None or "layers" in (args.only or ())
    if args.layer_seconds and not (families or _times_network(args)):
        raise RidgelineError(
            "--layer-seconds is for layers that are timed here: give --layers or --model with it"
        )
    if args.roofs and not (families or args.model or args.imported or args.engine):
        raise RidgelineError("--roofs is for layers: give --layers, --model or --import with it")


def _nodes(args: argparse.Namespace) -> tuple[str, Nodes]:
    """The name of the network, and the work of its nodes in the precision of the profile."""
    precision = args.precision[0] if args.precision else ""
    if precision in ("fp32", "tf32"):
        precision = ""  # floats count with the type that the network stores
    asked = network_of(args)
    with readable(args.model):
        return storable(asked.name), nodes_of(asked.graph.nodes, precision)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever a damaged network makes go wrong inside into a RidgelineError.

    Such a file may hold anything anywhere, so any exception may come.
    """
    try:
        yield
    except (RidgelineError, MemoryError):
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {one_line(error)}"
        raise RidgelineError(f"{path} is no network that can be read: {why}") from None


def _cases(path: Path, cases: Callable[[Device], Iterable[Case]], device: Device) -> Iterator[Case]:
    """The cases of a network. Its file is read further as they are made, and may be damaged."""
    with readable(path):
        yield from cases(device)


def network_of(args: argparse.Namespace) -> network.Asked:
    """The network that is asked for. Raises RidgelineError where its path is no regular file."""
    regular(args.model)
    return network.Asked(
        path=args.model,
        shapes=dict(args.shape),
        batch=only_batch(args),
        precisions=args.precision,
        values=dict(args.input),
        seconds=args.layer_seconds or SECONDS,
    )


def device(
    args: argparse.Namespace, find: Callable[[str | None], tuple[Device, str]]
) -> tuple[Device, str, list[Measurement]]:
    """The device, why this one, and the rows of its ceilings that ``--roofs`` already has.

    Layers that others timed belong to the device of ``--roofs``, wherever that is. Raises
    RidgelineError where layers are to be timed here on the roofs of another device.
    """
    if not args.roofs:
        here, why = find(args.device)
        return here, why, []
    run = read_run(args.roofs)
    there = run.device
    ceilings = [row for row in run.measurements if row.quantity not in OF_NETWORKS]
    damage = tuple(f"--roofs {args.roofs}: {text}" for text in run.damage)
    whose_ceilings = f"its ceilings are those of {args.roofs}"
    measures_here = args.layers is not None or _times_network(args) or args.only
    if not measures_here:
        return replace(there, warnings=damage), whose_ceilings, ceilings
    here, why = find(args.device)
    if (here.name, here.arch, here.kind) != (there.name, there.arch, there.kind):
        theirs, ours = there.name, here.name
        if theirs == ours:
            theirs, ours = f"{theirs} ({there.arch})", f"{ours} ({here.arch})"
        raise RidgelineError(f"--roofs {args.roofs} is of {theirs}, not of {ours}: measure its own")
    here = replace(here, warnings=(*here.warnings, *damage))
    return here, f"{why}; {whose_ceilings}", ceilings


def imported(args: argparse.Namespace, run: Run) -> list[Measurement]:
    """The rows of ``--import``, with the work of ``--model`` where one is given.

    Nodes of the network whose work is in no row are a warning of the run. Raises RidgelineError
    where a file cannot be read.
    """
    if not args.imported:
        return []
    name = ""
    nodes: Nodes = {}
    if args.model:
        name, nodes = _nodes(args)
    rows = read_all(args.imported, run.device.name, run.started, name, nodes)
    engine = [row for row in rows if row.backend == "tensorrt" and row.probe == "importers/trtexec"]
    lost = left_out(engine, nodes) if engine else []
    if lost:
        names = ", ".join(lost[:MOST_NODES])
        if len(lost) > MOST_NODES:
            names += f" and {len(lost) - MOST_NODES} more"
        run.warnings.append(f"no layer of the profile names {names}: their work is in no row")
    return rows
