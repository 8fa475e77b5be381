"""In which number type each stage of a plan runs, and which scale each activation has.

A plan says it of the stages that compute. Those that pass numbers on follow their neighbours: they
run on the codes (the 8-bit integers of an activation) where these come from an operation in INT8 or
go to one, and in FP16 or BF16 where their neighbours are. Their answers are the same: rounding
before them or after them gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.base import KernelError, Unavailable
from kernels.precision.narrow import NARROW
from kernels.precision.scales import scale_of
from kernels.precision.stages import FP8, FP32, INT8, Stage

CODES = "codes"
"""How a stage that passes numbers on runs on integers, as which it reads and leaves them."""
Range = tuple[float, float]
"""Least and largest number."""


@dataclass(frozen=True)
class Scale:
    """What the codes of an activation mean: value = scale · (code - zero point)."""

    scale: np.float32
    zero_point: int


def types_of(
    stages: Sequence[Stage], precisions: Mapping[str, str], read_as_floats: Collection[str]
) -> dict[str, str]:
    """How each stage runs, by its name: in fp32, fp16, bf16, int8 or fp8, or on codes.

    precisions: the plan, by stage; a stage that is not named is in FP32. read_as_floats: what
    others than stages read. Raises KernelError for a stage that there is not, and Unavailable for a
    precision that it cannot have.
    """
    known = {stage.name for stage in stages}
    for name in precisions:
        if name not in known:
            raise KernelError(f"{name}: no stage of that name in this network")
    flow = _Flow(stages, precisions, read_as_floats)
    flow.spread_codes()
    flow.spread_narrow()
    return flow.types


class _Flow:
    """The types of stages, as they spread from one to the next."""

    def __init__(
        self,
        stages: Sequence[Stage],
        precisions: Mapping[str, str],
        read_as_floats: Collection[str],
    ) -> None:
        self.stages = stages
        self.planned = {stage.name: _planned(stage, precisions) for stage in stages}
        self.types = {
            stage.name: FP32 if stage.passes and self.planned[stage.name] == INT8 else planned
            for stage, planned in zip(stages, self.planned.values(), strict=True)
        }
        self.read_as_floats = read_as_floats
        self.maker: dict[str, Stage] = {}
        self.readers: dict[str, list[Stage]] = {}
        for stage in stages:
            for name in stage.results:
                self.maker[name] = stage
            for name in stage.reads:
                self.readers.setdefault(name, []).append(stage)

    def spread_codes(self) -> None:
        """Let stages that pass numbers on run on codes, until no further one can."""
        passing = [stage for stage in self.stages if stage.passes and INT8 in stage.precisions]
        changed = True
        while changed:
            changed = False
            for stage in (*passing, *reversed(passing)):
                if self.types[stage.name] != CODES and self._may_run_on_codes(stage):
                    self.types[stage.name] = CODES
                    changed = True

    def _may_run_on_codes(self, stage: Stage) -> bool:
        """True if a stage that passes numbers on has neighbours on integers that make it one.

        A Concat gives all it reads one scale. So it is not enough that all of that is encoded: what
        reads its result must be on integers, too, or the plan must ask for it.
        """
        is_planned = self.planned[stage.name] == INT8
        if self.planned[stage.name] in NARROW:
            return False
        all_encoded = all(self._is_encoded(name) for name in stage.reads)
        if all_encoded and (len(stage.reads) == 1 or is_planned):
            return True
        integer_readers = [
            reader
            for name in stage.results
            for reader in self.readers.get(name, [])
            if self.types[reader.name] in (INT8, CODES)
        ]
        all_readers = [reader for name in stage.results for reader in self.readers.get(name, [])]
        has_float_readers = not self._are_read_by_stages_only(stage.results)
        only_integers = len(integer_readers) == len(all_readers) and not has_float_readers
        return bool(integer_readers) and (is_planned or only_integers)

    def _is_encoded(self, name: str) -> bool:
        """True if what makes an activation leaves codes."""
        maker = self.maker.get(name)
        return maker is not None and self.types[maker.name] in (INT8, CODES)

    def _are_read_by_stages_only(self, names: Iterable[str]) -> bool:
        return not any(name in self.read_as_floats for name in names)

    def spread_narrow(self) -> None:
        """Let stages that pass numbers on have the narrow type of their neighbours."""
        passing = [
            stage for stage in self.stages if stage.passes and self.types[stage.name] == FP32
        ]
        for stage in passing:
            self._follow(stage, {self._type_left(name) for name in stage.reads})
        for stage in reversed(passing):
            if not self._are_read_by_stages_only(stage.results):
                continue
            types_after = {
                self.types[reader.name]
                for name in stage.results
                for reader in self.readers.get(name, [])
            }
            self._follow(stage, types_after)

    def _type_left(self, name: str) -> str:
        """The type of the floats that what makes an activation leaves."""
        maker = self.maker.get(name)
        return FP32 if maker is None else self.types[maker.name]

    def _follow(self, stage: Stage, types: set[str]) -> None:
        """Give a stage the narrow type that all neighbours of a side have, if they have one."""
        if len(types) != 1 or self.types[stage.name] != FP32:
            return
        (dtype,) = types
        if dtype in NARROW and dtype in stage.precisions:
            self.types[stage.name] = dtype


def _planned(stage: Stage, precisions: Mapping[str, str]) -> str:
    """What the plan says of a stage. Raises Unavailable if the stage cannot have it."""
    precision = precisions.get(stage.name, FP32)
    if precision not in stage.precisions:
        choices = ", ".join(stage.precisions)
        raise Unavailable(f"{stage.op} {stage.name}: no {precision}, only {choices}")
    return precision


def scales_of(
    stages: Sequence[Stage],
    types: Mapping[str, str],
    ranges: Mapping[str, Range],
    bounded: Collection[str],
    form: str,
) -> dict[str, Scale]:
    """The scale of each activation that has integer codes, by its name.

    What a stage on codes reads and leaves has one scale, of all their ranges together. bounded:
    activations that a Relu keeps from falling below zero. form: u8 or s8. Raises KernelError for an
    activation without a range.
    """
    groups = _Groups()
    for stage in stages:
        if types[stage.name] == INT8:
            for name in (*stage.reads, *stage.results):
                groups.join(name)
        elif types[stage.name] == CODES:
            groups.join(*stage.reads, *stage.results)
    ranges_of_group: dict[str, list[Range]] = {}
    for name in groups.names():
        known = ranges_of_group.setdefault(groups.root(name), [])
        if name in ranges:
            low, high = ranges[name]
            known.append((max(low, 0.0) if name in bounded else low, high))
    scales: dict[str, Scale] = {}
    for name in groups.names():
        known = ranges_of_group[groups.root(name)]
        if not known:
            raise KernelError(f"activation {name} has no range: INT8 needs one")
        low = min(low for low, _ in known)
        high = max(high for _, high in known)
        scales[name] = Scale(*scale_of(low, high, form))
    return scales


def fp8_scales_of(
    stages: Sequence[Stage], types: Mapping[str, str], ranges: Mapping[str, Range]
) -> dict[str, Scale]:
    """The scale of each activation that a stage in FP8 reads. Raises KernelError likewise."""
    scales: dict[str, Scale] = {}
    for stage in stages:
        if types[stage.name] != FP8:
            continue
        for name in stage.reads:
            if name not in ranges:
                raise KernelError(f"activation {name} has no range: FP8 needs one")
            scales[name] = Scale(*scale_of(*ranges[name], FP8))
    return scales


class _Groups:
    """Names that are joined into groups."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def join(self, *names: str) -> None:
        """Put these names, and all that are in a group with one of them, into one group."""
        for name in names:
            self._above.setdefault(name, name)
        first = self.root(names[0])
        for name in names[1:]:
            self._above[self.root(name)] = first

    def root(self, name: str) -> str:
        """The name that stands for the group."""
        while self._above[name] != name:
            name = self._above[name]
        return name

    def names(self) -> list[str]:
        """All names, in the order in which they came."""
        return list(self._above)
