"""Measure the roofline of this machine: detect, probe, save, model, draw, report.

The whole program from top to bottom. Everything behind the CSV works on any machine, so
``--replot`` draws a run again with nothing to measure.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # while modules are loaded, Ctrl-C would be a traceback of theirs

from analysis.tell.output import (
    CLOSED,
    ReaderLeft,
    Unheard,
    error_line,
    heard,
    plain,
    replace_unprintable,
)
from kernels.device import Device
from probes.command.options import parser, refuse_ignored
from probes.harness import interrupts
from probes.harness.case import Probe, all_probes, choose
from probes.harness.devices.choose import choose as choose_device
from probes.harness.load import Watch
from probes.records.given import reason
from probes.records.measurement import FAILED, RidgelineError
from probes.records.run import COMPLETE, Run, new_folder, now

if TYPE_CHECKING:
    from analysis.tell.console import Console
    from probes.harness.bench import GuardedBench
    from probes.harness.task import Task

VERSION = "0.1.0"
NOTHING = "nothing to ask of this kind of device"
LOOK_SECONDS = 0.3  # for what else runs on the machine, before anything is measured
DONE, SOME_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code.

    0 done, 1 some row failed, 2 bad input, 130 interrupted, 141 no one reads what is printed.
    """
    replace_unprintable()
    try:
        with interrupts.remembered():
            code = asked_for(argv)
            interrupts.check()
            return code
    except RidgelineError as error:
        return ended(str(error), BAD_INPUT)
    except KeyboardInterrupt as error:
        return ended(str(error) or "interrupted", INTERRUPTED)
    except ReaderLeft as error:
        return ended(str(error), CLOSED) if str(error) else CLOSED
    except (MemoryError, Unheard) as error:
        return ended(str(error) or "out of memory", SOME_FAILED)


def ended(line: str, code: int) -> int:
    """Say why the program ends early; returns the exit code."""
    with suppress(OSError):  # standard error may be where standard output is
        print(f"run_all.py: {error_line(line)}", file=sys.stderr)
    return code


def asked_for(argv: Sequence[str] | None) -> int:
    """Do what the command line asks; returns the exit code."""
    options = parser(VERSION)
    with heard():
        args = options.parse_args(argv)
    refuse_ignored(args, options.get_default)
    if args.list:
        return list_probes(args)
    return replot(args.replot) if args.replot else measure(args)


def list_probes(args: argparse.Namespace) -> int:
    """Print each probe, its question, and whether it can run on the chosen device."""
    device, why = choose_device(args.device)
    with heard():
        print(plain(f"{device.name}: {why}"))
        for probe in choose(args.only) if args.only else all_probes().values():
            reasons = {case.skip for case in probe.cases(device)}
            state = (
                "can run here"
                if "" in reasons
                else f"cannot run here: {'; '.join(sorted(reasons)) or NOTHING}"
            )
            on_request = "" if probe.default else ", on request"
            print(plain(f"  {probe.name:12} {probe.question}"))
            print(plain(f"  {'':12} {state}{on_request}"))
    return DONE


def replot(folder: Path) -> int:
    """Analyse, judge and draw the run in ``folder`` again; returns the exit code that measuring it
    gives.
    """
    from analysis.analyse import analyse
    from analysis.tell.console import Console

    try:
        outcome = analyse(folder)
    except OSError as error:
        raise RidgelineError(f"cannot write to {folder}: {reason(error)}") from None
    Console().result(outcome)
    return code_of(outcome.run)


def measure(args: argparse.Namespace) -> int:
    """Measure the chosen device, leaving a run directory; the rows so far are always on disk."""
    from analysis.tell.console import Console
    from probes.command import asked
    from probes.harness.bench import GuardedBench
    from probes.harness.task import tasks

    watch = Watch()
    probes = asked.probes(args)

    def plan(device: Device) -> list[Task]:
        return tasks(probes, device, started, full=args.full or bool(args.only), quick=args.quick)

    started = now()
    bench = GuardedBench(choose_device, plan)
    device, why, kept = asked.device(args, bench.find)
    run = begin(device, started, probes, args)
    run.measurements = kept + asked.imported(args, run)
    todo = plan(device)
    warn_of_silent(run, args.only or (), todo)
    absent = [above for above in (args.out / device.slug, args.out) if not os.path.exists(above)]
    folder = new_folder(args.out, device, run.started)
    with rows_in(folder, absent):
        console = Console()
        console.device(device, why)
        if todo:
            run.load = {
                "before": watch.lap(LOOK_SECONDS).as_json(),
                "clock_limits": watch.clock_limits(),
            }
            console.load(run.load)
        code = measured(run, todo, bench, args, folder, console, watch)
        if code == INTERRUPTED:
            return code
        left = finish(run, folder, console)
        interrupts.check()
    return code or left


def warn_of_silent(run: Run, named: Sequence[str], todo: Sequence[Task]) -> None:
    """Warn of probes that were named and ask nothing. Raises RidgelineError where nothing else is
    in the run.
    """
    silent = [name for name in dict.fromkeys(named) if name not in {task.probe for task in todo}]
    if not silent:
        return
    told = f"{', '.join(silent)}: {NOTHING}"
    if not todo and not run.measurements:
        raise RidgelineError(f"{told}; --list says what can run here")
    run.warnings.append(told)


@contextmanager
def rows_in(folder: Path, absent: Sequence[Path]) -> Iterator[None]:
    """What ends the program within it says where the rows are; with none, no folder is left.

    absent: folders above it that this run made, the inner one first.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted{kept_in(folder, absent)}") from None
    except MemoryError:
        raise MemoryError(f"out of memory{kept_in(folder, absent)}") from None
    except ReaderLeft:
        left = kept_in(folder, absent)
        raise ReaderLeft(f"no one reads what is printed{left}" if left else "") from None
    except Unheard as error:
        raise Unheard(f"{error}{kept_in(folder, absent)}") from None


def kept_in(folder: Path, absent: Sequence[Path]) -> str:
    """What is left in a folder, as the end of a sentence; with nothing in it, it goes, and so do
    those above it.
    """
    try:
        folder.rmdir()
    except OSError:
        return f"; the rows so far are in {folder}, --replot draws them"
    for above in absent:
        with suppress(OSError):
            above.rmdir()
    return ""


def measured(
    run: Run,
    todo: Sequence[Task],
    bench: GuardedBench,
    args: argparse.Namespace,
    folder: Path,
    console: Console,
    watch: Watch,
) -> int:
    """Measure all there is to measure, or as much as can be; returns the exit code."""
    from analysis.model.judge import judged
    from probes.harness.session import measure_all

    try:
        measure_all(
            run,
            todo,
            bench,
            folder,
            args.sustained,
            lambda rows: judged(rows, run.device),
            console,
            watch,
        )
    except KeyboardInterrupt:
        interrupts.answered()
        console.note(
            f"interrupted: this run is partial; its rows so far are in {folder}, "
            "--replot draws them"
        )
        return INTERRUPTED
    except OSError as error:
        console.note(f"cannot write to {folder}: {reason(error)}; the measurement ended there")
        return SOME_FAILED if run.measured else BAD_INPUT
    return SOME_FAILED if run.status != COMPLETE else code_of(run)


def code_of(run: Run) -> int:
    """The exit code that the rows of a run call for."""
    failed = any(row.status == FAILED for row in run.measurements)
    return SOME_FAILED if failed else DONE


def begin(device: Device, started: str, probes: Sequence[Probe], args: argparse.Namespace) -> Run:
    """A run that has measured nothing yet."""
    from probes.command.versions import versions
    from probes.harness.plan import rounds

    settings = {
        "quick": args.quick,
        "full": args.full,
        "probes": [p.name for p in probes],
        "rounds": rounds(device.kind, args.quick),
    }
    warnings = [*device.warnings, *(warning for probe in probes for warning in probe.warnings)]
    return Run(device, started, settings, {"ridgeline": VERSION, **versions()}, warnings=warnings)


def finish(run: Run, folder: Path, console: Console) -> int:
    """Model, place, draw and report what was measured; with no space left, at least print it.

    Returns the exit code.
    """
    from analysis.analyse import model, write

    outcome, problem = model(run), ""
    try:
        write(outcome, folder)
    except OSError as error:
        problem = (
            f"cannot write to {folder}: {reason(error)}; free some space, then --replot {folder}"
        )
    console.result(outcome)
    if problem:
        console.note(problem)
    return SOME_FAILED if problem else DONE


def without_traceback() -> int:
    """The program as its user starts it: a fault of its own, too, is one line, which names the
    place.

    Returns the exit code.
    """
    with interrupts.raised():
        try:
            return main()
        except Exception as error:
            *_, place = traceback.extract_tb(error.__traceback__)
            where = f"{Path(place.filename).name} line {place.lineno}"
            told = f"{type(error).__name__} in {where}: {error}"
            return ended(f"a fault of this program, please report it: {told}", SOME_FAILED)


if __name__ == "__main__":
    sys.exit(without_traceback())
