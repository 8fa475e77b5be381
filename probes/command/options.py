"""The command line of the main program, and what each word on it must look like."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from probes.accuracy.inputs import preprocessing
from probes.records.given import shortened
from probes.records.measurement import RidgelineError
from probes.records.shares import gate_share, share

LARGEST_DIMENSION = 2**31 - 1  # runtimes count in 32 bits
MOST_SECONDS = 1e6  # eleven days: more is a slip of the keyboard, or infinite

ONLY_WITH: Mapping[str, tuple[str, ...]] = {
    "replot": ("all", "on"),
    "list": ("device", "only"),
    "power_modes": ("out",),
    "doctor": ("device", "out", "all"),
    "lessons": ("device", "out", "all", "repeat", "note_host"),
}
"""Options that measure nothing or choose what is measured, and those with an effect beside each."""
ENGINES = ("slurm", "local")
"""What starts the jobs of a fleet."""
RUNTIMES = ("onnxruntime", "tensorrt")
TENSORRT = RUNTIMES[1]
NOT_MEASURED = "and nothing is measured"
"""Why an option of CEILING_OPTIONS that has no reason of its own has no effect."""
CEILING_OPTIONS = {
    "full": "of which this measures more",
    "sustained": "and no path to load is measured",
    "quick": "",
    "device": "",
}
"""Options without effect where --roofs gives the ceilings, and why.

Those with no reason here have an effect where layers are measured.
"""


class Parser(argparse.ArgumentParser):
    """A parser for which bad arguments are bad input like any other: one line."""

    def error(self, message: str) -> NoReturn:
        """Raise RidgelineError instead of printing the usage."""
        raise RidgelineError(f"{message}; see --help")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help or version, or raise OSError, which argparse itself would pass over."""
        print(message, end="", file=file)


PRECISION, PRUNE = "precision", "prune"
PLAN_PARTS = (PRECISION, PRUNE)
"""What ``--plan`` can find, in the order in which it is found."""


class Once(argparse.Action):
    """A value that may be given once: of two that differ, one would be ignored."""

    first: Any = None
    """The value it was given; an option has an action of its own, so each keeps its own."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Any,
        values: Any,
        option: str | None = None,
    ) -> None:
        if self.first not in (None, values):
            parser.error(f"{option} is given twice: {str(self.first)!r} and {str(values)!r}")
        self.first = values
        setattr(namespace, self.dest, values)


class Joined(argparse.Action):
    """Values that add up, each once."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Any,
        values: Any,
        option: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, tuple(dict.fromkeys((*before, *values))))


class Families(argparse.Action):
    """Names that add up; an empty list means all, and stays all whatever else is named."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Any,
        values: Any,
        option: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        if not values or before == []:
            families = []
        else:
            families = list(dict.fromkeys((*(before or ()), *values)))
        setattr(namespace, self.dest, families)


def refuse_ignored(args: argparse.Namespace, default_of: Callable[[str], Any]) -> None:
    """Raise RidgelineError for an option that would have no effect beside the others.

    default_of: the default value of an option, by its name.
    """
    used = [name for name, value in vars(args).items() if value != default_of(name)]
    for mode, companions in ONLY_WITH.items():
        if mode not in used:
            continue
        ignored = [name for name in used if name not in (mode, *companions)]
        if ignored:
            takes = "no other option"
            if companions:
                takes = f"only {' and '.join(map(_spelled, companions))}"
            raise RidgelineError(
                f"{_spelled(ignored[0])} has no effect with {_spelled(mode)}, which takes {takes}"
            )
    if args.on and not (args.replot or args.model or args.imported or args.engine):
        raise RidgelineError(
            "--on places networks on the roofs of other machines: give --model, --import, or "
            "--replot a run that has one"
        )
    if not args.roofs or args.only:
        return
    measures_layers = args.layers is not None or (args.model and not args.imported)
    for name, why in CEILING_OPTIONS.items():
        has_effect = measures_layers and not why
        if name in used and not has_effect:
            raise RidgelineError(
                f"{_spelled(name)} has no effect: --roofs gives the ceilings, {why or NOT_MEASURED}"
            )


def _spelled(name: str) -> str:
    """An option as a user writes it, from its name in the namespace."""
    if name == "imported":
        return "--import"
    return f"--{name.replace('_', '-')}"


def names_of_options(options: argparse.ArgumentParser) -> list[str]:
    """Names of all options, such as ``--device``."""
    return list(options._option_string_actions)


def parser(version: str) -> argparse.ArgumentParser:
    """The parser of the command line of ``run_all.py``."""
    p = Parser(
        prog="run_all.py",
        description="Measure the roofline of this machine, and place layers on it.",
    )
    p.add_argument(
        "--device",
        action=Once,
        metavar="D",
        help="0, cuda:0, cpu, or all: every GPU, one after the other (default: CUDA device 0 if "
        "usable, else the CPU)",
    )
    p.add_argument("--quick", action="store_true", help="one short round instead of several")
    p.add_argument(
        "--full",
        action="store_true",
        help="also the long sweeps and ladders, and every probe on request",
    )
    p.add_argument(
        "--only", nargs="+", action="extend", metavar="PROBE", help="only these probes, in full"
    )
    p.add_argument(
        "--sustained",
        type=seconds,
        action=Once,
        metavar="SECONDS",
        help="then load the fastest path for so long",
    )
    p.add_argument(
        "--list", action="store_true", help="list the probes and whether they can run here"
    )
    p.add_argument(
        "--power-modes",
        type=path,
        nargs="+",
        action="extend",
        default=[],
        metavar="RUN_DIR",
        help="hold runs of one board in several power modes side by side; changes no mode itself",
    )
    p.add_argument(
        "--doctor",
        action="store_true",
        help="say what would stop or spoil a run here, and how to mend it",
    )
    p.add_argument(
        "--lessons",
        nargs="*",
        action=Families,
        metavar="NAME",
        help="try what the textbook says on this machine: these claims, or all",
    )
    p.add_argument(
        "--out",
        type=path,
        action=Once,
        default=Path("results"),
        metavar="DIR",
        help="where runs go (default: results)",
    )
    p.add_argument(
        "--replot",
        type=path,
        action=Once,
        metavar="RUN_DIR",
        help="analyse and draw a run again; measures nothing",
    )
    p.add_argument(
        "--repeat",
        type=positive,
        action=Once,
        default=1,
        metavar="N",
        help="make so many runs, a set: three tell how far runs differ by chance",
    )
    p.add_argument(
        "--compare",
        type=path,
        nargs="+",
        action="extend",
        default=[],
        metavar="RUN_DIR",
        help="then hold the new runs against this one, or against a folder of several",
    )
    p.add_argument(
        "--gate",
        type=gate_share,
        action=Once,
        metavar="3%",
        help="with --compare: exit code 1 if a row is slower than that beyond doubt, 3 if that "
        "cannot be told",
    )
    p.add_argument(
        "--on",
        nargs="+",
        action="extend",
        default=[],
        metavar="MACHINE",
        help="also place the networks on the roofs of these: a product, a device of the atlas, "
        "or the folder of a run",
    )
    p.add_argument(
        "--all", action="store_true", help="print every ceiling and layer, not only the answer"
    )
    p.add_argument("--version", action="version", version=f"Ridgeline {version}")
    _add_layer_options(p.add_argument_group("layers on the roofline"))
    _add_plan_options(p.add_argument_group("what to quantize and to prune (with --model)"))
    _add_fleet_options(p.add_argument_group("many machines"))
    return p


def _add_layer_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--layers",
        nargs="*",
        action=Families,
        metavar="FAMILY",
        help="also time these families of layers (all)",
    )
    group.add_argument(
        "--model",
        type=path,
        action=Once,
        metavar="ONNX",
        help="also time each layer of this network, and the whole",
    )
    group.add_argument(
        "--shape",
        type=shape,
        action="append",
        default=[],
        metavar="NAME=1x3x224x224",
        help="of an input",
    )
    group.add_argument(
        "--batch",
        type=batches,
        action=Once,
        default=(),
        metavar="N",
        help="first dimension of the network's inputs (of TensorRT several: 1,8,32)",
    )
    group.add_argument(
        "--input",
        type=value,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="every element of an input",
    )
    group.add_argument(
        "--precision",
        type=names,
        action=Joined,
        default=(),
        metavar="P,P",
        help="fp32, tf32, fp16, bf16, int8",
    )
    group.add_argument(
        "--layer-seconds",
        type=seconds,
        action=Once,
        metavar="S",
        help="skip a layer that takes longer (30)",
    )
    group.add_argument(
        "--import",
        dest="imported",
        type=path,
        nargs="+",
        action="extend",
        default=[],
        metavar="FILE",
        help="layers another tool timed: trtexec, ONNX Runtime, ncu, nsys, PyTorch, CSV",
    )
    group.add_argument(
        "--runtime",
        choices=RUNTIMES,
        action=Once,
        metavar="RUNTIME",
        help="what times the network: onnxruntime (default) or tensorrt, by trtexec",
    )
    group.add_argument(
        "--trtexec",
        type=path,
        action=Once,
        metavar="PATH",
        help="TensorRT's program (default: of PATH, or /usr/src/tensorrt/bin/trtexec)",
    )
    group.add_argument(
        "--trtexec-seconds",
        type=seconds,
        action=Once,
        metavar="S",
        help="end a trtexec that takes longer (3600 to build, 600 to time)",
    )
    group.add_argument(
        "--engine",
        type=path,
        action=Once,
        metavar="PLAN",
        help="time this engine of TensorRT, build none",
    )
    group.add_argument(
        "--roofs",
        type=path,
        action=Once,
        metavar="RUN_DIR",
        help="take the ceilings from this run, measure none",
    )


def plan_parts(text: str) -> tuple[str, ...]:
    """What a plan is to find: ``prune,precision``, in the order of PLAN_PARTS."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in PLAN_PARTS:
            raise argparse.ArgumentTypeError(
                f"{shortened(repr(name))} is nothing that is planned: {', '.join(PLAN_PARTS)}, or "
                f"both: {PRUNE},{PRECISION}"
            )
    return tuple(part for part in PLAN_PARTS if part in names)


def _add_plan_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--plan",
        nargs="?",
        type=plan_parts,
        const=(PRECISION,),
        default=(),
        action=Once,
        metavar="WHAT",
        help="precision (also without WHAT): find the fastest precision of each layer within "
        "--loss, prove it by running it, and write that network; prune: what of its weights can "
        "go; prune,precision: both, and both together",
    )
    group.add_argument(
        "--data",
        type=path,
        action=Once,
        metavar="NPZ|DIR",
        help="real inputs: arrays by input name, or a folder of images",
    )
    group.add_argument(
        "--preprocess",
        type=preprocessing,
        action=Once,
        metavar="size=224x224,mean=..",
        help="of images: size, mean, scale (value = (pixel - mean) * scale), layout, order",
    )
    group.add_argument(
        "--labels",
        type=path,
        action=Once,
        metavar="FILE",
        help="the true class of each input, a line each or as .npy",
    )
    group.add_argument(
        "--loss",
        type=share,
        action=Once,
        metavar="1%",
        help="the most that may be lost: accuracy, or answers that differ (1%%)",
    )
    group.add_argument(
        "--calibration",
        type=positive,
        action=Once,
        metavar="N",
        help="inputs that find the ranges of activations (16)",
    )
    group.add_argument(
        "--ranking",
        type=positive,
        action=Once,
        metavar="N",
        help="inputs that find the error of each layer (16)",
    )
    group.add_argument(
        "--test",
        type=positive,
        action=Once,
        metavar="N",
        help="the most inputs that test the plan (all that are left; fewer of a large network)",
    )


def _add_fleet_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--together",
        action="store_true",
        help="with --device all: then all GPUs at once, too, and what that costs each",
    )
    group.add_argument(
        "--fleet",
        choices=ENGINES,
        action=Once,
        metavar="ENGINE",
        help="measure many nodes, a job each: slurm, or local (here, one after the other)",
    )
    group.add_argument(
        "--nodes",
        type=positive,
        action=Once,
        metavar="N",
        help="so many nodes (all of the partition that are up; of local: 1)",
    )
    group.add_argument(
        "--partition", action=Once, metavar="NAME", help="of Slurm (default: its usual one)"
    )
    group.add_argument(
        "--node-minutes",
        type=seconds,
        action=Once,
        metavar="M",
        help="end a node that takes longer (30)",
    )
    group.add_argument(
        "--sbatch",
        type=sbatch_option,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another option of sbatch, such as gres=gpu:8 or account=lab",
    )
    group.add_argument(
        "--note-host",
        action="store_true",
        help="write the host's name and rack into run.json (fleets do)",
    )


# The types of options. Of a ValueError, argparse makes "invalid seconds value: '0'", with the name
# of the function; the text of an ArgumentTypeError it prints as it is.


def path(text: str) -> Path:
    """A path, which an empty text is not."""
    if not text:
        raise argparse.ArgumentTypeError("'' names nothing")
    return Path(text)


def seconds(text: str) -> float:
    """A positive number of seconds."""
    value = float(text)
    if not 0 < value < MOST_SECONDS:
        raise ValueError
    return value


def positive(text: str) -> int:
    """A whole number above zero that a dimension can have."""
    if not text.strip().isdecimal() or not 0 < int(text) <= LARGEST_DIMENSION:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number from 1 to {LARGEST_DIMENSION}"
        )
    return int(text)


def batches(text: str) -> tuple[int, ...]:
    """``1,8,32`` as its numbers, each once."""
    parts = [part for part in text.split(",") if part.strip()]
    if not parts:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing")
    return tuple(dict.fromkeys(positive(part) for part in parts))


def of_tensorrt(args: argparse.Namespace) -> bool:
    """True if TensorRT times the network, or an engine that is given."""
    return bool(args.runtime == TENSORRT or args.engine)


def only_batch(args: argparse.Namespace) -> int | None:
    """The one batch size of a network that is not timed over several; None if none is given."""
    return args.batch[0] if args.batch else None


def names(text: str) -> tuple[str, ...]:
    """``fp16,int8`` as its parts, each once."""
    parts = [part.strip().lower() for part in text.split(",") if part.strip()]
    if not parts:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing")
    return tuple(dict.fromkeys(parts))


def value(text: str) -> tuple[str, str]:
    """``name=16000`` as name and value; a name may hold ``=`` itself."""
    name, _, written = text.rpartition("=")
    if not name or not written.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not like NAME=16000")
    return name, written.strip()


def sbatch_option(text: str) -> tuple[str, str]:
    """``gres=gpu:8`` as key and value."""
    key, _, written = text.partition("=")
    key = key.strip().lstrip("-")
    if not key or not written.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not like gres=gpu:8")
    return key, written.strip()


def shape(text: str) -> tuple[str, tuple[int, ...]]:
    """``name=1x3x224x224`` as name and dimensions, which may be 0; a name may hold ``=`` itself."""
    name, _, written = text.rpartition("=")
    if not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not like NAME=1x3x224x224")
    return name, tuple(_dimension(part) for part in written.lower().split("x"))


def _dimension(text: str) -> int:
    return 0 if text.strip() == "0" else positive(text)
