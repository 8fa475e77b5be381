"""The probes of a run that tries lessons: of each probe only the cases that some lesson needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from kernels.device import Device
from kernels.layers import Layer
from probes import layers
from probes.harness.case import Case, Probe, all_probes
from probes.harness.plan import TWIN
from probes.harness.rounds import Patience
from probes.records.need import Asked, Need

LAYERS = "layers"
PATIENCE = Patience(more_rounds=8, more_time=1.0, limit_seconds=80.0)
"""A lesson needs each of its rows, so that what others disturbed is asked again for longer; all of
them are to end within two minutes."""


def probes(needs: Iterable[Need]) -> list[Probe]:
    """The probes that these needs name, in alphabetical order."""
    by_probe: dict[str, list[Need]] = {}
    for need in needs:
        by_probe.setdefault(need.probe, []).append(need)
    chosen = []
    for name, probe in all_probes().items():
        if name in by_probe:
            chosen.append(replace(probe, cases=partial(_cases, probe, tuple(by_probe[name]))))
    return chosen


def _cases(probe: Probe, needs: Sequence[Need], device: Device) -> Iterator[Case]:
    """The cases of a probe that some need wants."""
    of_kind = [need for need in needs if device.kind in need.kinds]
    if not of_kind:
        return
    for case in _all_cases(probe, of_kind, device):
        if case.backend == TWIN:
            continue
        asked = Asked(
            probe=probe.name,
            tag=case.ceiling,
            dtype=case.dtype,
            sweep=case.params.get("sweep", ""),
            series=case.params.get("series", ""),
            x=case.x,
        )
        if any(need.wants(asked) and (need.full or not case.full) for need in of_kind):
            yield case


def _all_cases(probe: Probe, needs: Sequence[Need], device: Device) -> Iterable[Case]:
    """The cases of a probe; of layers only those that can be wanted, since each is made first."""
    if probe.name != LAYERS:
        return probe.cases(device)
    families = dict.fromkeys(need.sweep for need in needs if need.sweep)

    def may_be_wanted(layer: Layer) -> bool:
        return any(_is_near(need, layer) for need in needs)

    return layers.cases(device, families, wanted=may_be_wanted)


def _is_near(need: Need, layer: Layer) -> bool:
    """True if a layer is one of those needed in some type."""
    return (
        need.sweep == layer.family
        and (not need.series or layer.series in need.series)
        and (not need.places or layer.x in need.places)
    )
