"""Find TensorRT's program ``trtexec``, its version, and the flags that it knows."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from probes.records.measurement import RidgelineError
from probes.tensorrt.process import Ended, NoStart, run_program
from probes.tensorrt.why import why_failed

NAME = "trtexec"
USUAL_PLACES = (Path("/usr/src/tensorrt/bin/trtexec"), Path("/opt/tensorrt/bin/trtexec"))
"""Where JetPack, Debian's packages and NVIDIA's containers put it."""
HELP_SECONDS = 120.0
"""How long it may take to say what it is: from a slow disk it loads a gigabyte."""
BANNER = re.compile(r"\[TensorRT v(\d+(?:\.\d+)*)\]")
"""In the first line that it prints: ``[TensorRT v8601]``, ``[TensorRT v100300]``."""
FLAG = re.compile(r"^\s*(--[A-Za-z]\w*)", re.MULTILINE)
"""A flag at the beginning of a line of its help."""
LEAST_LISTED = "--onnx"
"""The flag that every version lists, if it lists any."""
SINCE: Mapping[str, tuple[int, int]] = {"--skipInference": (8, 6), "--bf16": (9, 0)}
"""The version that brought a flag, of those that not all versions from 8 on have."""
UNTIL: Mapping[str, tuple[int, int]] = {
    "--buildOnly": (8, 6),
    "--fp16": (11, 0),
    "--int8": (11, 0),
    "--bf16": (11, 0),
    "--fp8": (11, 0),
    "--best": (11, 0),
}
"""The version that no longer has a flag (NVIDIA's guides on migration, 8 to 10 and 10 to 11)."""
OLDEST = (8, 0)


@dataclass(frozen=True)
class Tool:
    """A trtexec that can be started."""

    path: Path
    """Where it is."""
    version: tuple[int, ...]
    """Of TensorRT: (8, 6, 1)."""
    listed: frozenset[str] = frozenset()
    """Flags that its help lists; empty if it lists none."""

    @property
    def name(self) -> str:
        """``TensorRT 8.6.1``."""
        return f"TensorRT {'.'.join(map(str, self.version))}"

    @property
    def strongly_typed(self) -> bool:
        """True if it computes in the types that the network has, and takes no flag for another."""
        return not self.knows("--fp16")

    def knows(self, flag: str) -> bool:
        """True if it takes a flag: as its help lists, else as its version should."""
        if self.listed:
            return flag in self.listed
        version = self.version[:2]
        return SINCE.get(flag, OLDEST) <= version < UNTIL.get(flag, (version[0] + 1, 0))


def find(given: Path | None = None, seconds: float | None = None) -> Tool:
    """The trtexec at ``given``, else that of PATH, else one in its usual places.

    seconds: how long it may take to say what it is; None: HELP_SECONDS. Raises RidgelineError where
    there is none, or it does not start.
    """
    path = _place(given)
    try:
        ended = run_program([str(path), "--help"], seconds or HELP_SECONDS)
    except NoStart as error:
        raise RidgelineError(f"{path} cannot be started: {error}") from None
    version = _version(ended)
    if version is None:
        why = why_failed(ended, "saying what it is")
        if ended.code == 0 and not ended.late:
            why = "it does not say which version of TensorRT it is of"
        raise RidgelineError(f"{path} is no trtexec that works here: {why}")
    if version < OLDEST:
        raise RidgelineError(f"{path} is of TensorRT {version[0]}: this takes 8 or newer")
    flags = frozenset(FLAG.findall("\n".join(ended.lines)))
    return Tool(path, version, flags if LEAST_LISTED in flags else frozenset())


def _place(given: Path | None) -> Path:
    """Where it is. Raises RidgelineError where it is nowhere."""
    if given is not None:
        if not given.exists():
            raise RidgelineError(f"--trtexec {given}: no such file")
        if given.is_dir() or not os.access(given, os.X_OK):
            raise RidgelineError(f"--trtexec {given}: no program that may be started")
        return given.absolute()
    in_path = shutil.which(NAME)
    if in_path:
        return Path(in_path)
    for place in USUAL_PLACES:
        if os.access(place, os.X_OK):
            return place
    raise RidgelineError(
        f"--runtime tensorrt needs {NAME}, which is neither in PATH nor in "
        f"{USUAL_PLACES[0].parent}: install TensorRT, or give --trtexec PATH"
    )


def _version(ended: Ended) -> tuple[int, ...] | None:
    """The version in its banner; None if there is none.

    Up to 9 it counts in thousands and hundreds (8601), from 10 on in ten thousands (100300).
    """
    banners = (BANNER.search(line) for line in ended.lines)
    banner = next(filter(None, banners), None)
    if banner is None:
        return None
    if "." in banner[1]:
        return tuple(int(part) for part in banner[1].split(".")[:3])
    number = int(banner[1])
    major = 10_000 if number >= 10_000 else 1000
    return number // major, number % major // 100, number % 100
