"""The command line of the main program, and what each word on it must look like."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from probes.records.measurement import RidgelineError

LARGEST = 2**31 - 1
"""Of a dimension: runtimes count in 32 bits."""


class Parser(argparse.ArgumentParser):
    """Bad arguments are bad input like any other: one line."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise RidgelineError(f"{message}; see --help")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help and version; what no one can read is an error, which argparse itself would
        pass over.
        """
        print(message, end="", file=file)


class Once(argparse.Action):
    """A value that is given once: of two that differ, one would be ignored."""

    given: Any = None

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Any,
        values: Any,
        option: str | None = None,
    ) -> None:
        if self.given not in (None, values):
            parser.error(f"{option} is given twice: {str(self.given)!r} and {str(values)!r}")
        self.given = values
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
        setattr(
            namespace, self.dest, tuple(dict.fromkeys((*getattr(namespace, self.dest), *values)))
        )


class Families(argparse.Action):
    """Names that add up; none at all means every one, whatever is named beside."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: Any,
        values: Any,
        option: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        every = not values or before == []
        setattr(
            namespace, self.dest, [] if every else list(dict.fromkeys((*(before or ()), *values)))
        )


def refuse_ignored(args: argparse.Namespace, defaults: Callable[[str], Any]) -> None:
    """Raise RidgelineError for an option that would have no effect beside the others. defaults: by
    an option's name.
    """
    given = [name for name, value in vars(args).items() if value != defaults(name)]
    for mode, taken in ALONE.items():
        if mode in given and (left := [name for name in given if name not in (mode, *taken)]):
            beside = f"only {' and '.join(map(_option, taken))}" if taken else "no other option"
            raise RidgelineError(
                f"{_option(left[0])} has no effect with {_option(mode)}, which takes {beside}"
            )
    measured = args.only or args.layers is not None or (args.model and not args.imported)
    if not args.roofs or args.only:
        return
    for name, of in OF_CEILINGS.items():
        if name in given and (of or not measured):
            raise RidgelineError(
                f"{_option(name)} has no effect: --roofs gives the ceilings, {of or NOTHING}"
            )


ALONE: Mapping[str, tuple[str, ...]] = {"replot": (), "list": ("device", "only")}
"""Options that measure nothing, and those that they take beside them."""
NOTHING = "and nothing is measured"
OF_CEILINGS = {
    "full": "of which this measures more",
    "sustained": "and no path to load is measured",
    "quick": "",
    "device": "",
}
"""Options of what is measured: what they are of where that is ceilings, else they are of layers,
too.
"""


def _option(name: str) -> str:
    return "--import" if name == "imported" else f"--{name.replace('_', '-')}"


def parser(version: str) -> argparse.ArgumentParser:
    """The command line of ``run_all.py``."""
    p = Parser(
        prog="run_all.py",
        description="Measure the roofline of this machine, and place layers on it.",
    )
    p.add_argument(
        "--device",
        action=Once,
        metavar="D",
        help="0, cuda:0 or cpu (default: CUDA device 0 if usable, else the CPU)",
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
    p.add_argument("--version", action="version", version=f"Ridgeline {version}")
    _layers(p.add_argument_group("layers on the roofline"))
    return p


def _layers(group: argparse._ArgumentGroup) -> None:
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
        type=positive,
        action=Once,
        metavar="N",
        help="first dimension of the network's inputs",
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
        help="layers another tool timed: trtexec, ONNX Runtime, Nsight Compute, CSV",
    )
    group.add_argument(
        "--roofs",
        type=path,
        action=Once,
        metavar="RUN_DIR",
        help="take the ceilings from this run, measure none",
    )


def path(text: str) -> Path:
    """A path; no text is none."""
    if not text:
        raise argparse.ArgumentTypeError("'' names nothing")
    return Path(text)


def seconds(text: str) -> float:
    """A positive number of seconds."""
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError
    return value


def positive(text: str) -> int:
    """A whole number above zero that a dimension can have."""
    if not text.strip().isdecimal() or not 0 < int(text) <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {LARGEST}")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """``fp16,int8`` as its parts, each once."""
    parts = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    if not parts:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing")
    return parts


def value(text: str) -> tuple[str, str]:
    """``name=16000`` as name and value; names may hold ``=`` themselves."""
    name, _, written = text.rpartition("=")
    if not name or not written.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not like NAME=16000")
    return name, written.strip()


def shape(text: str) -> tuple[str, tuple[int, ...]]:
    """``name=1x3x224x224`` as name and dimensions; names may hold ``=`` themselves."""
    name, _, dims = text.rpartition("=")
    if not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not like NAME=1x3x224x224")
    return name, tuple(
        0 if dim.strip() == "0" else positive(dim) for dim in dims.lower().split("x")
    )
