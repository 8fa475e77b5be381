"""Which layer information belongs to which profile of trtexec?

The names of the files tell, or those of the layers in them; never the order of the files, which a
shell sorts. What fits two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.records.measurement import RidgelineError

ROLE_WORDS = frozenset(
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
"""Words of a file's name that say which of the two it is, not of which network."""
PRECISIONS = frozenset(("fp64", "fp32", "tf32", "fp16", "bf16", "int8", "fp8", "int4", "fp4"))
WAY_OUT = "call both of a pair NAME.profile.json and NAME.layers.json, or import one pair at a time"


@dataclass(frozen=True)
class Named:
    """A file and the names of the layers in it."""

    path: Path
    layers: frozenset[str]

    @property
    def stem(self) -> tuple[str, ...]:
        """The words that name the network: resnet50 and fp16 of resnet50-fp16.profile.json."""
        words = re.findall(r"[^\W_]+", self.path.name.lower())
        return tuple(word for word in words if word not in ROLE_WORDS)

    def alike(self, other: Named) -> float:
        """Share of the layers of both that are in both; 0 if their names tell two precisions."""
        mine = PRECISIONS.intersection(self.stem)
        theirs = PRECISIONS.intersection(other.stem)
        if mine and theirs and mine != theirs:
            return 0.0
        in_both = len(self.layers & other.layers)
        in_either = len(self.layers | other.layers)
        return in_both / max(1, in_either)


def paired(profiles: Sequence[Named], infos: Sequence[Named]) -> dict[Path, Path]:
    """The path of the layer information of each profile that has one.

    Files of one stem are a pair, those of one folder first; of the rest those whose layers are most
    alike. Raises RidgelineError if one fits two, or belongs to none.
    """
    pairs: dict[Path, Path] = {}
    for profile in profiles:
        same = [info for info in infos if info.stem == profile.stem]
        near = [info for info in same if info.path.parent == profile.path.parent] or same
        rivals = [
            other
            for other in profiles
            if other.stem == profile.stem and other.path.parent == profile.path.parent
        ]
        if len(near) == len(rivals) == 1:
            pairs[profile.path] = near[0].path
    taken = set(pairs.values())
    free_infos = [info for info in infos if info.path not in taken]
    free_profiles = [profile for profile in profiles if profile.path not in pairs]
    for profile in free_profiles:
        if info := _most_alike(profile, free_infos):
            pairs[profile.path] = info.path
    files = {file.path: file for file in (*profiles, *infos)}
    _check(pairs, files, infos)
    return pairs


def _most_alike(profile: Named, infos: Collection[Named]) -> Named | None:
    """The layer information that shares most layers with a profile; None if none shares any.

    Raises RidgelineError if two share as many.
    """
    highest = max((profile.alike(info) for info in infos), default=0.0)
    if not highest:
        return None
    best = [info for info in infos if profile.alike(info) == highest]
    if len(best) > 1:
        raise RidgelineError(
            f"{profile.path} fits {best[0].path} and {best[1].path} alike: {WAY_OUT}"
        )
    return best[0]


def _check(pairs: Mapping[Path, Path], files: Mapping[Path, Named], infos: Sequence[Named]) -> None:
    """Raise RidgelineError unless each layer information has one profile that it describes."""
    owners: dict[Path, Path] = {}
    for profile, info in pairs.items():
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
