"""Measure the roofline of this machine: detect, probe, save, model, place, plan, draw, report.

This is the whole program from top to bottom. Everything after the CSV works on any machine, so
``--replot`` draws a run again without measuring.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

# While modules are loaded, Ctrl-C ends the program at once, not with a traceback of theirs.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
if __name__ == "__main__":
    from probes.command import installed

    installed.end_if_missing(sys.argv)

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
from probes.command.every_gpu import ALL as ALL_GPUS
from probes.command.fleet import refuse_without_fleet
from probes.command.host import host_facts
from probes.command.options import PRECISION, PRUNE, names_of_options, parser, refuse_ignored
from probes.harness import interrupts
from probes.harness.case import Probe, all_probes, choose
from probes.harness.devices.choose import choose as choose_device
from probes.harness.load import Watch
from probes.harness.rounds import USUAL, Patience
from probes.records.given import reason, writing_to
from probes.records.measurement import FAILED, Measurement, RidgelineError
from probes.records.precision import (
    PLAN_FILE,
    RANKING,
    TEST,
    ErrorRow,
    Plan,
    Recipe,
    read_precision,
)
from probes.records.pruning import PRUNE_FILE, read_pruning
from probes.records.run import (
    COMPLETE,
    LESSONS,
    PARTIAL,
    Run,
    folders_of_runs,
    new_folder,
    new_folder_at,
    now,
    replace_file,
)

if TYPE_CHECKING:
    from analysis.compare.comparison import Comparison
    from analysis.elsewhere.placed import Found
    from analysis.outcome import Outcome
    from analysis.plan.costs import Timings
    from analysis.tell.console import Console
    from probes.accuracy.smaller import Layers
    from probes.command.planning import Planning
    from probes.harness.bench import GuardedBench
    from probes.harness.task import Task
    from probes.tensorrt.session import Asked as Engines

VERSION = "0.1.0"
NOTHING_TO_ASK = "nothing to ask of this kind of device"
LOOK_SECONDS = 0.3  # for what else runs on the machine, before anything is measured

# exit codes, beside CLOSED
DONE = 0
SOME_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130


@dataclass(frozen=True)
class Sitting:
    """A run while it is measured, with all that its steps share."""

    run: Run
    args: argparse.Namespace
    """What the user asked for."""
    folder: Path
    """Where the files of the run go."""
    console: Console
    watch: Watch
    """What else runs on the machine."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code.

    0 done, 1 some row failed, 2 bad input, 130 interrupted, 141 no one reads what is printed.
    """
    replace_unprintable()
    try:
        with interrupts.remembered():
            code = run_command(argv)
            interrupts.check()
            return code
    except RidgelineError as error:
        return end_early(str(error), BAD_INPUT)
    except KeyboardInterrupt as error:
        return end_early(str(error) or "interrupted", INTERRUPTED)
    except ReaderLeft as error:
        if not str(error):
            return CLOSED
        return end_early(str(error), CLOSED)
    except (MemoryError, Unheard) as error:
        return end_early(str(error) or "out of memory", SOME_FAILED)


def end_early(message: str, code: int) -> int:
    """Print why the program ends early; returns the exit code."""
    with suppress(OSError):  # standard error may be where standard output is
        print(f"run_all.py: {error_line(message)}", file=sys.stderr)
    return code


def run_command(argv: Sequence[str] | None) -> int:
    """List the probes, draw a run again, or measure; returns the exit code."""
    options = parser(VERSION)
    with heard():
        args = options.parse_args(argv)
    refuse_ignored(args, options.get_default)
    if args.list:
        return list_probes(args)
    if args.power_modes:
        return power_modes(args)
    if args.doctor:
        return doctor(args)
    if args.replot:
        return replot(args)
    words = sys.argv[1:] if argv is None else argv
    refuse_without_fleet(args)
    if args.fleet:
        return measure_fleet(args, words, names_of_options(options))
    if args.device == ALL_GPUS:
        return measure_every_gpu(args, words, names_of_options(options))
    return measure_and_compare(args)


def list_probes(args: argparse.Namespace) -> int:
    """Print each probe, its question, and whether it can run on the chosen device."""
    device, why = choose_device(args.device)
    with heard():
        print(plain(f"{device.name}: {why}"))
        probes = choose(args.only) if args.only else all_probes().values()
        for probe in probes:
            answer = can_run(probe, device)
            print(plain(f"  {probe.name:12} {probe.question}"))
            print(plain(f"  {'':12} {answer}"))
    return DONE


def can_run(probe: Probe, device: Device) -> str:
    """Whether a probe can run on a device, and if not why, in words."""
    skips = set[str]()
    for case in probe.cases(device):
        skips.add(case.skip)
        if not case.skip:  # one is enough: to ask all may take long, as of layers
            break
    if "" in skips:
        answer = "can run here"
    else:
        reasons = "; ".join(sorted(skips)) or NOTHING_TO_ASK
        answer = f"cannot run here: {reasons}"
    return answer if probe.default else f"{answer}, on request"


def power_modes(args: argparse.Namespace) -> int:
    """Hold runs that were made in several power modes side by side; returns the exit code."""
    from analysis.compared import write
    from analysis.modes import compare
    from analysis.tell.console import Console

    comparison = compare(args.power_modes)
    with writing_to(args.out):
        folder = write(comparison, args.out)
    Console().modes(comparison, folder)
    return DONE


def doctor(args: argparse.Namespace) -> int:
    """Print what would stop or spoil a run here; returns 0 if nothing stops it, else 1."""
    from analysis.tell.console import Console
    from probes.command.doctor.finding import FINE, answer, code, in_order
    from probes.command.doctor.look import look
    from probes.command.doctor.place import Place

    report = look(Place(out=args.out, spec=args.device))
    console = Console()
    console.note(answer(report.findings, report.device), style="bold")
    for finding in in_order(report.findings):
        if args.all or finding.weight != FINE:
            console.note(finding.line)
    return code(report.findings)


def replot(args: argparse.Namespace) -> int:
    """Judge, model and draw the run of ``--replot`` again; returns the code that measuring gives.

    With ``--on`` its networks are placed on other machines, too.
    """
    from analysis.analyse import analyse
    from analysis.elsewhere.on import find_all
    from analysis.tell.console import Console

    folder = args.replot
    others = find_all(args.on)
    try:
        outcome = analyse(folder, partial(place_on_others, others=others))
    except OSError as error:
        raise RidgelineError(f"cannot write to {folder}: {reason(error)}") from None
    console = Console(everything=args.all)
    console.result(outcome)
    tell_of_others(outcome, console)
    return code_of(outcome.run)


def place_on_others(outcome: Outcome, others: Sequence[Found]) -> None:
    """Place the networks of a run on other machines. Raises RidgelineError if it has none."""
    from analysis.elsewhere.on import on_others

    if others:
        outcome.elsewhere = on_others(outcome, others)


def tell_of_others(outcome: Outcome, console: Console) -> None:
    """Print what its networks would take on other machines."""
    from analysis.tell.elsewhere_columns import ELSEWHERE_FILE
    from analysis.tell.on_elsewhere import on_elsewhere

    for sentence in on_elsewhere(outcome.elsewhere):
        console.note(sentence)
    if outcome.elsewhere and outcome.folder:
        console.note(f"Layer by layer: {outcome.folder / ELSEWHERE_FILE}")


def measure_fleet(args: argparse.Namespace, words: Sequence[str], known: Sequence[str]) -> int:
    """Measure many nodes, a job each, and tell which are slow; returns the exit code.

    words: the command line. known: names of all options.
    """
    from analysis.tell.console import Console
    from probes.command import fleet

    asked = fleet.asked(args, words, known)
    fleet.check_engine(asked)
    nodes = fleet.nodes_of(asked)
    folder = new_place(args.out, fleet.FOLDER)
    engine = fleet.engine_of(asked, folder)
    console = Console(everything=args.all)
    console.note(fleet.in_words(asked, nodes, folder))
    code = DONE
    try:
        with console.saying("nodes") as say:
            jobs = fleet.launch(asked, folder.resolve(), engine, nodes, say)
        if any(job.problem for job in jobs):
            code = SOME_FAILED
    except KeyboardInterrupt:
        interrupts.answered()
        console.note(f"interrupted: jobs are cancelled; the runs so far are in {folder}")
        code = INTERRUPTED
    except OSError as error:
        raise RidgelineError(f"cannot write to --out {args.out}: {reason(error)}") from None
    tell_fleet(folder, args.out, console)
    return code


def tell_fleet(top: Path, out: Path, console: Console) -> None:
    """Print which nodes of a fleet are slow, and write its page.

    Raises RidgelineError where that cannot be written.
    """
    from analysis.fleet.files import write
    from analysis.fleet.fleet import fleet_of

    fleet = fleet_of(top)
    with writing_to(out):
        page_folder = write(fleet, out)
    console.fleet(fleet, page_folder)


def measure_every_gpu(args: argparse.Namespace, words: Sequence[str], known: Sequence[str]) -> int:
    """Measure every GPU of this machine, each by a process of its own; returns the exit code.

    words: the command line. known: names of all options.
    """
    from analysis.tell.console import Console
    from probes.command import every_gpu

    if args.only:
        choose(args.only, args.full)
    numbers = every_gpu.gpus()
    folder = new_place(args.out, every_gpu.FOLDER)
    console = Console(everything=args.all)
    runs = []
    alone = folder / every_gpu.ALONE
    console.note(f"{len(numbers)} GPUs, one after the other; runs go to {alone}", style="bold")
    for run in every_gpu.one_after_the_other(numbers, words, known, alone):
        if run.code not in (DONE, SOME_FAILED):
            console.note(f"GPU {run.gpu}: its process ended with {run.code}")
        runs.append(run)
    sides = [run.folder for run in runs if folders_of_runs(run.folder)]
    if len(sides) > 1:
        compare_sides_of(sides, args.out, console)
    if args.together:
        together = folder / every_gpu.TOGETHER
        console.note(f"All {len(numbers)} GPUs at once; runs go to {together}", style="bold")
        with console.working("measuring all GPUs"):
            at_once = every_gpu.at_once(numbers, words, known, together)
        for before, after in zip(runs, at_once, strict=True):
            pair = [before.folder, after.folder]
            if all(map(folders_of_runs, pair)):
                console.note(f"GPU {after.gpu}, all at once against alone:", style="bold")
                compare_sides_of(pair, args.out, console)
            else:
                console.note(f"GPU {after.gpu}: {after.folder}.log says why there is no run")
        runs += at_once
    return max(run.code for run in runs) if runs else DONE


def compare_sides_of(sides: Sequence[Path], out: Path, console: Console) -> None:
    """Print runs side by side, and write their page. Raises RidgelineError where that cannot be."""
    from analysis.compare.comparison import compare

    tell_comparison(compare(sides), out, console)


def tell_comparison(comparison: Comparison, out: Path, console: Console) -> None:
    """Write the page of a comparison, and print it. Raises RidgelineError where that cannot be."""
    from analysis.compare.files import write

    with writing_to(out):
        page_folder = write(comparison, out)
    console.comparison(comparison, page_folder)


def new_place(out: Path, name: str) -> Path:
    """A new folder for the time, ``<out>/<name>/<UTC time>``. Raises RidgelineError."""
    with writing_to(out / name):
        return new_folder_at(out / name, now())


def measure_and_compare(args: argparse.Namespace) -> int:
    """Measure once or several times, then compare if that is asked for; returns the exit code.

    That of the measurement, or else of the gate (3: it cannot tell).
    """
    from probes.command.repeated import check_earlier, out_of_set

    check_earlier(args)
    out = args.out
    if args.repeat > 1:
        args.out = out_of_set(out, now())
    folders: list[Path] = []
    worst = DONE
    for number in range(1, args.repeat + 1):
        if args.repeat > 1:
            with heard():
                print(f"Run {number} of {args.repeat}")
        code = measure(args, folders)
        if code not in (DONE, SOME_FAILED):
            return code
        worst = worst or code
    if args.repeat > 1:
        with heard():
            print(plain(f"The set of {len(folders)} runs: {args.out}"))
    if args.compare:
        worst = worst or compare_with(args.compare, folders, args.gate, out)
    return worst


def compare_with(
    earlier: Sequence[Path], folders: Sequence[Path], gate: float | None, out: Path
) -> int:
    """Compare the runs just made with earlier ones; returns the exit code of the gate."""
    from analysis.compare.comparison import compare_sides
    from analysis.compare.sides import sides_of_new
    from analysis.tell.console import Console

    comparison = compare_sides(sides_of_new(earlier, folders), gate)
    tell_comparison(comparison, out, Console())
    return comparison.code


def measure(args: argparse.Namespace, folders: list[Path]) -> int:
    """Measure the chosen device, leave the run in a new folder; returns the exit code.

    All rows so far are on disk at any time. The folder is added to ``folders``.
    """
    from analysis.elsewhere.on import find_all
    from analysis.lessons.frame.lesson import choose as choose_lessons
    from analysis.tell.console import Console
    from probes.command import asked, lessons, planning, tensorrt
    from probes.harness.bench import GuardedBench
    from probes.harness.task import tasks

    watch = Watch()
    console = Console(everything=args.all)
    others = find_all(args.on)
    asked_plan = planning.read(args)
    asked_engines = tensorrt.read(args)
    if asked_plan:
        with console.counting("reading the inputs") as count:
            asked_plan.check(count)
    tried = [] if args.lessons is None else choose_lessons(args.lessons)
    if tried:
        probes = lessons.probes(need for lesson in tried for need in lesson.needs)
    else:
        probes = asked.probes(args, asked_plan)
    started = now()

    def plan(device: Device) -> list[Task]:
        full = args.full or bool(args.only or tried)
        return tasks(probes, device, started, full=full, quick=args.quick)

    bench = GuardedBench(choose_device, plan)
    device, why, ceilings = asked.device(args, bench.find)
    if asked_engines:
        asked_engines = tensorrt.on(device, why, asked_engines, args)
    run = begin(device, started, probes, args)
    if tried:
        run.settings[LESSONS] = [lesson.name for lesson in tried]
    run.measurements = ceilings + asked.imported(args, run)
    todo = plan(device)
    warn_of_silent_probes(run, args.only or (), todo)

    parents = (args.out / device.slug, args.out)
    new_parents = [parent for parent in parents if not os.path.exists(parent)]
    folder = new_folder(args.out, device, run.started)
    folders.append(folder)
    with rows_named_at_early_end(folder, new_parents):
        console.device(device, why)
        if todo:
            run.load = {
                "before": watch.lap(LOOK_SECONDS).as_json(),
                "clock_limits": watch.clock_limits(),
            }
            console.load(run.load)
        sitting = Sitting(run, args, folder, console, watch)
        patience = lessons.PATIENCE if tried else USUAL
        measured_code = measure_tasks(sitting, todo, bench, patience=patience)
        if measured_code == INTERRUPTED:
            return INTERRUPTED
        if asked_plan and measured_code in (DONE, SOME_FAILED):
            planned_code = make_plans(sitting, asked_plan)
            if planned_code == INTERRUPTED:
                return INTERRUPTED
            measured_code = measured_code or planned_code
        if asked_engines and measured_code in (DONE, SOME_FAILED):
            engines_code = time_engines(sitting, asked_engines)
            if engines_code == INTERRUPTED:
                return INTERRUPTED
            measured_code = measured_code or engines_code
        finished_code = finish(sitting, others)
        interrupts.check()
    return measured_code if measured_code != DONE else finished_code


def begin(device: Device, started: str, probes: Sequence[Probe], args: argparse.Namespace) -> Run:
    """A run that has measured nothing yet."""
    from probes.command.versions import versions
    from probes.harness.plan import rounds

    settings = {
        "quick": args.quick,
        "full": args.full,
        "probes": [probe.name for probe in probes],
        "rounds": rounds(device.kind, args.quick),
    }
    if args.note_host:
        settings["fleet"] = host_facts()
    warnings = list(device.warnings)
    for probe in probes:
        warnings += probe.warnings
    return Run(device, started, settings, {"ridgeline": VERSION, **versions()}, warnings=warnings)


def warn_of_silent_probes(run: Run, named: Sequence[str], todo: Sequence[Task]) -> None:
    """Add a warning to the run about probes that were named and have no task.

    Raises RidgelineError where the run would have no row at all.
    """
    busy = {task.probe for task in todo}
    silent = [name for name in dict.fromkeys(named) if name not in busy]
    if not silent:
        return
    warning = f"{', '.join(silent)}: {NOTHING_TO_ASK}"
    if not todo and not run.measurements:
        raise RidgelineError(f"{warning}; --list says what can run here")
    run.warnings.append(warning)


@contextmanager
def rows_named_at_early_end(folder: Path, new_parents: Sequence[Path]) -> Iterator[None]:
    """Add to an exception that ends the program inside it where the rows so far are.

    Where there are no rows yet, the folder goes, and so do those of its parents that this run made
    (``new_parents``, the inner one first).
    """
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted{where_rows_are(folder, new_parents)}") from None
    except MemoryError:
        raise MemoryError(f"out of memory{where_rows_are(folder, new_parents)}") from None
    except ReaderLeft:
        rows = where_rows_are(folder, new_parents)
        raise ReaderLeft(f"no one reads what is printed{rows}" if rows else "") from None
    except Unheard as error:
        raise Unheard(f"{error}{where_rows_are(folder, new_parents)}") from None


def where_rows_are(folder: Path, new_parents: Sequence[Path]) -> str:
    """The end of a sentence that says where the rows are.

    An empty folder is removed with its ``new_parents``, and the end of the sentence is empty.
    """
    try:
        folder.rmdir()
    except OSError:
        return f"; the rows so far are in {folder}, --replot draws them"
    for parent in new_parents:
        with suppress(OSError):
            parent.rmdir()
    return ""


def measure_tasks(
    sitting: Sitting,
    todo: Sequence[Task],
    bench: GuardedBench,
    rounds: int | None = None,
    patience: Patience = USUAL,
) -> int:
    """Measure all tasks, or as many as can be; returns the exit code.

    An interrupt or a full disk ends the measuring with a note on the console. rounds: turns of
    each; None: as many as the run's settings say. patience: how long they may go on.
    """
    from analysis.model.judge import judged
    from probes.harness import session

    run = sitting.run

    def judge(rows: Sequence[Measurement]) -> list[Measurement]:
        return judged(rows, run.device)

    try:
        session.measure(
            run,
            todo,
            bench,
            sitting.folder,
            sitting.args.sustained,
            judge,
            sitting.console,
            sitting.watch,
            rounds,
            patience,
        )
    except (KeyboardInterrupt, OSError) as error:
        return ended_by(error, sitting)
    return code_of(run) if run.status == COMPLETE else SOME_FAILED


def make_plans(sitting: Sitting, asked: Planning) -> int:
    """Make each plan that is asked for; returns the exit code.

    What ends one early is told on the console. All that is found so far is on disk at any time.
    """
    folder, console = sitting.folder, sitting.console
    code = DONE
    try:
        for part in asked.parts:
            part_code = PLANNERS[part](sitting, asked)
            if part_code == INTERRUPTED:
                return INTERRUPTED
            code = code or part_code
        return code
    except KeyboardInterrupt:
        interrupts.answered()
        console.note(f"interrupted: the plan is not complete; what is known of it is in {folder}")
        return INTERRUPTED
    except RidgelineError as error:
        console.note(f"no plan: {error}")
        return SOME_FAILED
    except OSError as error:
        console.note(f"cannot write to {folder}: {reason(error)}; the plan ended there")
        return SOME_FAILED


def timings_of(run: Run, provider: str) -> Timings:
    """What a run has timed of layers on one provider, and the roofs above them."""
    from analysis.analyse import model
    from analysis.plan.costs import Timings

    outcome = model(run)
    return Timings(
        provider=provider,
        rows=outcome.run.measurements,
        placements=outcome.placements,
        model=outcome.model,
        device=run.device,
    )


def make_plan(sitting: Sitting, asked: Planning) -> int:
    """Plan the precision of each stage of a network, and prove the plan; returns the exit code.

    Errors of the stages; then recipes, by the times of stages alone; then their errors and times;
    then more recipes, by the times of wholes, and theirs; then the choice.
    """
    from analysis.plan.plan import contenders, decided, propose, refine
    from analysis.plan.solve import load_ahead
    from probes.accuracy import session as accuracy
    from probes.command import planning

    run, folder, console = sitting.run, sitting.folder, sitting.console
    provider = planning.provider_of(run.device)
    run.status = PARTIAL
    flaws = planning.flaws_in_words(asked)
    run.warnings += flaws
    for sentence in flaws:
        console.note(f"  {sentence}")
    run.save(folder)
    study = asked.study(provider)
    precisions = planning.ERRORS_IN[run.device.kind]
    load_ahead()
    known = accuracy.measure_stages(study, precisions, folder, console)
    timings = timings_of(run, provider)

    def prove(plan: Plan, recipes: Sequence[Recipe], beside: Sequence[Recipe] = ()) -> int:
        """Find the errors of these recipes, and time them in rounds with those beside."""
        replace_file(folder / PLAN_FILE, plan.as_json())
        model_of = partial(asked.kept_model_of, plan=plan)
        accuracy.measure_recipes(study, known, plan, recipes, model_of, folder, console)
        study.rest()
        timed = [*beside, *recipes]
        return time_recipes(sitting, asked, plan, timed, known.errors)

    plan = planning.with_stored(asked, propose(known, timings, asked.loss))
    code = prove(plan, plan.recipes)
    if code == INTERRUPTED:
        return INTERRUPTED
    timings = replace(timings, rows=run.measurements)
    refined = refine(plan, known, timings)
    added = refined.recipes[len(plan.recipes) :]
    if added:
        console.note(f"  {len(added)} more plans, by what the recipes took as wholes")
        code = prove(refined, added, contenders(plan, known.errors, run.measurements))
        if code == INTERRUPTED:
            return INTERRUPTED
    decision = decided(refined, known.errors, run.measurements)
    replace_file(folder / PLAN_FILE, decision.as_json())
    if decision.chosen:
        planning.emit(asked, decision, folder)
    return code


def make_pruning(sitting: Sitting, asked: Planning) -> int:
    """Find what of a network's weights can go, and prove it; returns the exit code.

    What each pattern of zeros makes of each layer, and what each group of channels that is smaller
    alone; then of the whole network on the inputs that rank; then the times and test errors of
    those worth it, also in lower precision where a plan of precisions has chosen; then the choice.
    """
    from analysis.prune.channels import ChannelStudy, small_layers, whole_as_trained, with_forecasts
    from analysis.prune.plan import (
        all_points,
        chosen_of,
        combined,
        proposed,
        with_loss_of,
        worth_a_run,
        worth_a_test,
    )
    from analysis.prune.recipes import by_share, with_plans
    from probes.accuracy import pruned
    from probes.command import planning

    run, folder, console = sitting.run, sitting.folder, sitting.console
    provider = planning.provider_of(run.device)
    run.status = PARTIAL
    run.save(folder)
    study = asked.study(provider)
    known = pruned.measure_patterns(study, folder, console)
    whole = whole_as_trained(run.measurements, provider)
    small = small_layers(run.measurements, provider)
    ran = whole.facts.ran if whole else {}
    layers = asked.smaller_layers(ran, small, run.device)
    pruned.measure_channels(study, asked.channels, known, layers, folder, console)
    channels = ChannelStudy(known.channels, (), provider)
    smaller = by_share(channels, asked.channels.has_scales)
    code = time_smaller_layers(sitting, asked, layers, smaller, provider)
    if code == INTERRUPTED:
        return INTERRUPTED
    channels = ChannelStudy(known.channels, run.measurements, provider)
    uniform, smaller = smaller, with_plans(channels, asked.loss, smaller)
    plans = [recipe for recipe in smaller if recipe not in uniform]
    operations = [asked.operations_of(recipe, run.device) for recipe in smaller]
    smaller = [replace(r, operations=n) for r, n in zip(smaller, operations, strict=True)]
    code = time_smaller_layers(sitting, asked, layers.further("plans"), plans, provider)
    if code == INTERRUPTED:
        return INTERRUPTED
    channels = ChannelStudy(known.channels, run.measurements, provider)
    quantized = read_precision(folder, run.guarded, [])
    precision = quantized.plan if quantized else None
    plan = proposed(known, provider, asked.loss, precision, smaller)
    seconds = whole.seconds_median if whole else None
    plan = replace(plan, recipes=with_forecasts(plan, channels, seconds))

    def find_errors(recipes: Sequence[Recipe], which: str) -> None:
        model_of = partial(asked.model_of, plan=plan)
        pruned.measure_pruned(study, known, plan, recipes, which, model_of, folder, console)

    sizes = planning.products(asked, known.patterns)
    if sizes and run.device.kind == "cuda":
        code = time_probe(sitting, sizes, None)
        if code == INTERRUPTED:
            return INTERRUPTED
    find_errors(plan.recipes, RANKING)
    plan = with_loss_of(plan, known.errors)
    timed = worth_a_run(plan, known.errors)
    if precision and precision.chosen:
        added = combined(plan, known.errors, precision)
        plan = replace(plan, recipes=[*plan.recipes, *added])
        find_errors(added, RANKING)
        timed += added
    replace_file(folder / PRUNE_FILE, plan.as_json())
    find_errors(worth_a_test(timed, plan, known.errors), TEST)
    study.rest()
    code = time_recipes(sitting, asked, plan, timed, known.errors)
    if code == INTERRUPTED:
        return INTERRUPTED
    points = all_points(plan, known.errors, run.measurements, ())
    plan = replace(plan, chosen=chosen_of(points, plan.loss_asked))
    replace_file(folder / PRUNE_FILE, plan.as_json())
    if plan.chosen and plan.recipe(plan.chosen).weights:
        planning.emit(asked, plan, folder)
    return code


def time_smaller_layers(
    sitting: Sitting,
    asked: Planning,
    layers: Layers,
    recipes: Sequence[Recipe],
    provider: str,
) -> int:
    """Time these layers, each alone, and those of these recipes; returns the exit code."""
    from probes.accuracy.pruned import add_layers
    from probes.command import planning

    add_layers(layers, recipes, asked.smaller_model)
    probe = layers.probe(provider)
    return time_probe(sitting, probe, planning.SESSIONS_IF_ALIKE) if probe else DONE


PLANNERS = {PRECISION: make_plan, PRUNE: make_pruning}
"""What makes each part of a plan."""


def time_recipes(
    sitting: Sitting,
    asked: Planning,
    plan: Plan,
    recipes: Sequence[Recipe],
    errors: Sequence[ErrorRow],
) -> int:
    """Time the whole network by each of these recipes, in rounds; returns the exit code."""
    from probes.command import planning

    probe = planning.recipes(asked, plan, recipes, errors)
    return time_probe(sitting, probe, planning.sessions(asked, sitting.run.device))


def time_probe(sitting: Sitting, probe: Probe, rounds: int | None) -> int:
    """Time all cases of a probe in a bench of its own; returns the exit code.

    rounds: turns of each; None: as many as the run's settings say.
    """
    from probes.harness.bench import GuardedBench
    from probes.harness.task import tasks

    run = sitting.run

    def todo_on(device: Device) -> list[Task]:
        return tasks([probe], device, run.started, full=True, quick=sitting.args.quick)

    bench = GuardedBench(choose_device, todo_on)
    return measure_tasks(sitting, todo_on(run.device), bench, rounds)


def time_engines(sitting: Sitting, asked: Engines) -> int:
    """Have TensorRT time what is asked for; returns the exit code.

    All that is timed so far is on disk at any time.
    """
    from probes.tensorrt import session

    try:
        is_timed = session.measure(asked, sitting.run, sitting.folder, sitting.console)
        return DONE if is_timed else SOME_FAILED
    except (KeyboardInterrupt, OSError) as error:
        return ended_by(error, sitting)


def ended_by(error: KeyboardInterrupt | OSError, sitting: Sitting) -> int:
    """Say what ended a measurement early, and where its rows are; returns the exit code."""
    folder, console = sitting.folder, sitting.console
    if isinstance(error, OSError):
        console.note(f"cannot write to {folder}: {reason(error)}; the measurement ended there")
        return SOME_FAILED if sitting.run.measured else BAD_INPUT
    interrupts.answered()
    console.note(
        f"interrupted: this run is partial; its rows so far are in {folder}, --replot draws them"
    )
    return INTERRUPTED


def code_of(run: Run) -> int:
    """The exit code that the rows of a run call for."""
    failed = any(row.status == FAILED for row in run.measurements)
    return SOME_FAILED if failed else DONE


def finish(sitting: Sitting, others: Sequence[Found]) -> int:
    """Model, place, draw and report what was measured; returns the exit code.

    With no space left on the disk, the result is printed all the same. others: machines on whose
    roofs its networks are placed, too.
    """
    from analysis.analyse import model, write

    run, folder, console = sitting.run, sitting.folder, sitting.console
    problem = ""
    with console.working("drawing the pictures and writing the page"):
        known = read_precision(folder, run.guarded, run.damage)
        outcome = model(run, known, read_pruning(folder, run.guarded, run.damage))
        if outcome.networks:
            place_on_others(outcome, others)
        try:
            write(outcome, folder)
        except OSError as error:
            why = reason(error)
            problem = f"cannot write to {folder}: {why}; free some space, then --replot {folder}"
    console.result(outcome)
    if problem:
        console.note(problem)
        return SOME_FAILED
    if not outcome.networks:
        for other in others:
            console.note(f"Nothing to place on {other.machine.name}: no layer was timed.")
        return DONE
    tell_of_others(outcome, console)
    return DONE


def without_traceback() -> int:
    """Run the program as its user starts it; returns the exit code.

    A fault of the program itself, too, is one line, which names its place.
    """
    with interrupts.raised():
        try:
            return main()
        except Exception as error:
            *_, place = traceback.extract_tb(error.__traceback__)
            where = f"{Path(place.filename).name} line {place.lineno}"
            fault = f"{type(error).__name__} in {where}: {error}"
            return end_early(f"a fault of this program, please report it: {fault}", SOME_FAILED)


if __name__ == "__main__":
    sys.exit(without_traceback())
