"""The command line of the main program, and what each word on it must look like."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from probes.harness.records import RidgelineError

LARGEST = 2**31 - 1
"""Of a dimension: runtimes count in 32 bits."""


class Parser(argparse.ArgumentParser):
    """Bad arguments are bad input like any other: one line."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise RidgelineError(f"{message}; see --help")


def parser(version: str) -> argparse.ArgumentParser:
    """The command line of ``run_all.py``."""
    p = Parser(prog="run_all.py", description="Measure the roofline of this machine, and place layers on it.")
    p.add_argument("--device", metavar="D", help="0, cuda:0 or cpu (default: CUDA device 0 if usable, else the CPU)")
    p.add_argument("--quick", action="store_true", help="one short round instead of several")
    p.add_argument("--full", action="store_true", help="also the long sweeps and ladders, and every probe on request")
    p.add_argument("--only", nargs="+", action="extend", metavar="PROBE", help="only these probes, in full")
    p.add_argument("--sustained", type=seconds, metavar="SECONDS", help="then load the fastest path for so long")
    p.add_argument("--list", action="store_true", help="list the probes and whether they can run here")
    p.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="where runs go (default: results)")
    p.add_argument("--replot", type=Path, metavar="RUN_DIR", help="analyse and draw a run again; measures nothing")
    p.add_argument("--version", action="version", version=f"Ridgeline {version}")
    _layers(p.add_argument_group("layers on the roofline"))
    return p


def _layers(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--layers", nargs="*", metavar="FAMILY", help="also time these families of layers (all)")
    group.add_argument("--model", type=Path, metavar="ONNX", help="also time each layer of this network, and the whole")
    group.add_argument(
        "--shape", type=shape, action="append", default=[], metavar="NAME=1x3x224x224", help="of an input"
    )
    group.add_argument("--batch", type=positive, metavar="N", help="first dimension of the network's inputs")
    group.add_argument(
        "--input", type=value, action="append", default=[], metavar="NAME=VALUE", help="every element of an input"
    )
    group.add_argument("--precision", type=names, default=(), metavar="P,P", help="fp32, tf32, fp16, bf16, int8")
    group.add_argument("--layer-seconds", type=seconds, metavar="S", help="skip a layer that takes longer (30)")
    group.add_argument("--import", dest="imported", type=Path, nargs="+", default=[], metavar="FILE",
                       help="layers another tool timed: trtexec, ONNX Runtime, Nsight Compute, CSV")  # fmt: skip
    group.add_argument("--roofs", type=Path, metavar="RUN_DIR", help="take the ceilings from this run, measure none")


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
    return name, tuple(0 if dim.strip() == "0" else positive(dim) for dim in dims.lower().split("x"))
