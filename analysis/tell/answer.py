"""The answer: what was learnt, in about ten lines, for the end of a run and the top of its page.

Networks come before the device: whoever gave a model asked for those. What supports a sentence in
detail stands in the tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.model.trust import GOOD
from analysis.outcome import Outcome
from analysis.tell.on_device import on_device
from analysis.tell.on_networks import on_all_layers, on_networks
from analysis.tell.on_plan import on_plan
from analysis.tell.on_pruning import on_pruning

PYTHON = ".venv/bin/python"
"""As the README sets it up."""


@dataclass(frozen=True)
class Answer:
    """What a run says, in sentences."""

    networks: tuple[str, ...]
    """Of its networks: time, floor, what bounds it, what to gain, why a precision wins or not."""
    plan: tuple[str, ...]
    """What to quantize; empty where no plan was asked for."""
    pruning: tuple[str, ...]
    """What to prune; empty where that was not asked for."""
    device: tuple[str, ...]
    """Of the device: memory, arithmetic, what they mean, what limited them, what went ill."""
    trust: str
    """How far all of it can be trusted; empty if others timed all of its rows."""
    next: str
    """A command to copy."""


def answer(outcome: Outcome) -> Answer:
    """What a run says."""
    return Answer(
        networks=(*on_networks(outcome.networks), *on_all_layers(outcome)),
        plan=tuple(on_plan(outcome.plan)),
        pruning=tuple(on_pruning(outcome.pruning)),
        device=tuple(on_device(outcome)),
        trust=outcome.trust.line if outcome.trust else "",
        next=next_command(outcome),
    )


def next_command(outcome: Outcome) -> str:
    """A command that tells more, by what this run lacks.

    The same again if it cannot be trusted, else a model, else more precisions, else a larger batch.
    """
    run = outcome.run
    device = "cpu" if run.device.kind == "cpu" else str(run.device.index)
    command = f"{PYTHON} run_all.py --device {device}"
    is_good = outcome.trust is None or outcome.trust.level == GOOD
    if not outcome.networks:
        return f"{command} --model YOUR.onnx" if is_good else command
    command = f"{command} --model YOUR.onnx"
    if not is_good:
        return command
    precisions = {net.precision for net in outcome.networks}
    if len(precisions) > 1:
        return f"{command} --batch 8"
    to_compare = "fp32,int8" if device == "cpu" else "fp32,fp16,int8"
    return f"{command} --precision {to_compare}"
