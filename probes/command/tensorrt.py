"""What ``--runtime tensorrt`` asks for: a network or an engine, a trtexec, a GPU."""

from __future__ import annotations

import argparse
from dataclasses import replace

from kernels.device import Device
from probes.command.asked import network_of, readable
from probes.command.options import TENSORRT, of_tensorrt
from probes.records.given import regular
from probes.records.measurement import RidgelineError
from probes.tensorrt.find import find
from probes.tensorrt.session import Asked

ONLY_HERE = ("trtexec", "trtexec_seconds")
"""Options that have an effect with TensorRT only."""
NOT_HERE = {
    "plan": "a plan is made by ONNX Runtime",
    "imported": "it times the network here",
    "input": "trtexec feeds the network itself",
    "layer_seconds": "--trtexec-seconds is the limit of its runs",
}
"""Options that TensorRT does not take, and why."""


def read(args: argparse.Namespace) -> Asked | None:
    """What TensorRT is to time; None where it is not asked.

    Raises RidgelineError for options that do not fit, a network that cannot be read, and where
    there is no trtexec that starts.
    """
    if not of_tensorrt(args):
        for option in ONLY_HERE:
            if getattr(args, option):
                spelled = option.replace("_", "-")
                raise RidgelineError(
                    f"--{spelled} is of TensorRT: give it with --runtime {TENSORRT}"
                )
        if len(args.batch) > 1:
            raise RidgelineError(
                f"--batch takes several sizes with --runtime {TENSORRT} only: give one"
            )
        return None
    _check(args)
    asked = Asked(
        tool=find(args.trtexec, args.trtexec_seconds),
        device=0,
        onnx=None,
        batches=args.batch,
        engine=args.engine,
        seconds=args.trtexec_seconds,
        quick=args.quick,
    )
    if not args.model:
        return asked
    asked = replace(asked, onnx=network_of(args))
    with readable(args.model):
        for sized, _ in asked.networks():
            sized.check()
            stored = sized.stored
    if args.precision and stored != "fp32" and args.precision != (stored,):
        raise RidgelineError(
            f"{args.model} is stored in {stored}: leave --precision out, or give the FP32 network"
        )
    return asked


def _check(args: argparse.Namespace) -> None:
    """Raise RidgelineError for options that do not fit."""
    for option, why in NOT_HERE.items():
        if getattr(args, option):
            spelled = "import" if option == "imported" else option.replace("_", "-")
            raise RidgelineError(f"--{spelled} has no effect with --runtime {TENSORRT}: {why}")
    if args.runtime not in (None, TENSORRT):
        raise RidgelineError(f"--engine is of TensorRT: leave --runtime {args.runtime} out")
    if not args.model and not args.engine:
        raise RidgelineError(
            f"--runtime {TENSORRT} times a network: give --model NET.onnx, or --engine NET.plan"
        )
    if args.engine:
        regular(args.engine)
        for option in ("batch", "precision"):
            if len(getattr(args, option)) > 1:
                raise RidgelineError(f"--engine has one {option}: give one --{option}, or none")


def on(device: Device, why: str, asked: Asked, args: argparse.Namespace) -> Asked:
    """The same on this device. why: this device was chosen.

    Raises RidgelineError for a CPU: what TensorRT times belongs on no roof of it.
    """
    if device.kind != "cuda":
        way_out = "give --roofs RUN_DIR of the GPU that it is to use"
        raise RidgelineError(
            f"TensorRT runs on a GPU, and this run is of {device.name} ({why}): {way_out}"
        )
    digits = "".join(letter for letter in args.device or "" if letter.isdigit())
    return replace(asked, device=int(digits) if digits else device.index)
