"""``--on``: the networks of a run on the roofs of other machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.atlas.devices import devices_of
from analysis.atlas.entry import ATLAS, read_atlas
from analysis.elsewhere.find import find
from analysis.elsewhere.left_out import as_measured, in_theory, leave_out_each
from analysis.elsewhere.machine import measured
from analysis.elsewhere.placed import Elsewhere, Found
from analysis.elsewhere.predict import predict
from analysis.elsewhere.work import work_of
from analysis.outcome import Outcome
from probes.records.measurement import RidgelineError


def find_all(names: Sequence[str], atlas: Path = ATLAS) -> list[Found]:
    """The machines of these names, each name once. Raises RidgelineError if one means nothing."""
    return [find(name, atlas) for name in dict.fromkeys(names)]


def on_others(outcome: Outcome, others: Sequence[Found], atlas: Path = ATLAS) -> list[Elsewhere]:
    """The networks of a run on each of these machines.

    Raises RidgelineError if the run has no network.
    """
    networks = [work_of(network) for network in outcome.networks]
    if not networks:
        raise RidgelineError(
            "--on places networks on the roofs of other machines, and this run has none: give "
            "--model, --import, or --replot a run that has one"
        )
    run = outcome.run
    here_measured = measured(run.device, outcome.ceilings.values(), 1, run.started[:10])
    known = [device.known for device in devices_of(read_atlas(atlas))]
    placed = []
    for other in others:
        there = other.machine
        here = here_measured.in_theory if there.is_theory else here_measured
        roofs = in_theory if there.is_theory else as_measured
        predictions = tuple(predict(network, here, there) for network in networks)
        placed.append(Elsewhere(here, other, predictions, leave_out_each(known, roofs)))
    return placed
