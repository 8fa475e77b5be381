"""Which layer information belongs to which profile of trtexec: by the names of the files, or of the
layers.

Never by the order of the files, which a shell sorts. What fits two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.records.measurement import RidgelineError

WHAT = frozenset(
    (
        "profile",
        "profiles",
        "profiling",
        "perf",
        "time",
        "times",
        "timing",
        "graph",
        "layer",
        "layers",
        "info",
        "layerinfo",
        "engine",
        "export",
        "exportprofile",
        "exportlayerinfo",
        "json",
        "trt",
        "trtexec",
        "tensorrt",
    )
)
"""Words of a file's name that say which of the two it is, not of what."""
PRECISIONS = frozenset(("fp64", "fp32", "tf32", "fp16", "bf16", "int8", "fp8", "int4", "fp4"))
WAY_OUT = "call both of a pair NAME.profile.json and NAME.layers.json, or import one pair at a time"


@dataclass(frozen=True)
class Named:
    """A file and the names of the layers in it."""

    path: Path
    layers: frozenset[str]

    @property
    def stem(self) -> tuple[str, ...]:
        """What the file's name says it is of: ``resnet50``, ``fp16`` of
        resnet50-fp16.profile.json.
        """
        words = re.findall(r"[^\W_]+", self.path.name.lower())
        return tuple(word for word in words if word not in WHAT)

    def alike(self, other: Named) -> float:
        """Share of the layers of both that are in both; none where their names tell of two
        precisions.
        """
        mine, theirs = (PRECISIONS.intersection(each.stem) for each in (self, other))
        if mine and theirs and mine != theirs:
            return 0.0
        return len(self.layers & other.layers) / max(1, len(self.layers | other.layers))


def paired(profiles: Sequence[Named], infos: Sequence[Named]) -> dict[Path, Path]:
    """The layer information of each profile that has one. Raises RidgelineError where any could be
    of two, or of none.

    Files of one stem are a pair, those of one folder first; of the rest those whose layers are most
    alike.
    """
    found: dict[Path, Path] = {}
    for profile in profiles:
        same = [info for info in infos if info.stem == profile.stem]
        near = [info for info in same if info.path.parent == profile.path.parent] or same
        rivals = [
            other
            for other in profiles
            if other.stem == profile.stem and other.path.parent == profile.path.parent
        ]
        if len(near) == len(rivals) == 1:
            found[profile.path] = near[0].path
    taken = set(found.values())
    left = [info for info in infos if info.path not in taken]
    for profile in (each for each in profiles if each.path not in found):
        if info := _most_alike(profile, left):
            found[profile.path] = info.path
    _check(found, {each.path: each for each in (*profiles, *infos)}, infos)
    return found


def _most_alike(profile: Named, infos: Collection[Named]) -> Named | None:
    """The only information that shares most layers with a profile; None where none shares any."""
    most = max((profile.alike(info) for info in infos), default=0.0)
    best = [info for info in infos if most and profile.alike(info) == most]
    if len(best) > 1:
        raise RidgelineError(
            f"{profile.path} fits {best[0].path} and {best[1].path} alike: {WAY_OUT}"
        )
    return best[0] if best else None


def _check(found: Mapping[Path, Path], files: Mapping[Path, Named], infos: Sequence[Named]) -> None:
    """No information is of two profiles, or of none, and a pair has layers in common."""
    owners: dict[Path, Path] = {}
    for profile, info in found.items():
        if info in owners:
            raise RidgelineError(f"{info} fits {owners[info]} and {profile} alike: {WAY_OUT}")
        if not files[profile].layers & files[info].layers:
            raise RidgelineError(f"{info} describes none of the layers of {profile}: {WAY_OUT}")
        owners[info] = profile
    if lost := [info.path for info in infos if info.path not in owners]:
        raise RidgelineError(
            f"{lost[0]} says what layers are, and belongs to no profile that is given: add "
            "its profile"
        )
