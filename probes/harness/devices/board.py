"""Which board this is, by its files: its module, its name, and its release of Linux for Tegra."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from probes.harness.devices import frequencies
from probes.harness.devices.reading import read
from probes.records import jetsons
from probes.records.jetsons import Module

DEVICE_TREES = ("proc/device-tree", "sys/firmware/devicetree/base", "run/device-tree")
"""Where a device tree may be: the kernel's places, and the one that ``PASS_IN`` gives it."""
MODELS = (*(f"{tree}/model" for tree in DEVICE_TREES), "tmp/nv_jetson_model")
"""Where a board's name may be; the last is how jetson-containers passes it in."""
RELEASE = "etc/nv_tegra_release"
PASS_IN = (
    "-v /proc/device-tree:/run/device-tree:ro",
    "-v /etc/nv_tegra_release:/etc/nv_tegra_release:ro",
    "-v /etc/nvpmodel.conf:/etc/nvpmodel.conf:ro",
    "-v /var/lib/nvpmodel:/var/lib/nvpmodel:ro",
)
"""Arguments of ``docker run`` that show a container its board. Docker hides the kernel's own place
of the device tree, and mounts nothing into /proc."""
SIGNS = ("sys/kernel/nvpmodel_clk_cap", "sys/kernel/nvpmodel_emc_cap")
"""Folders that the kernels of Jetsons alone have, and that containers see."""

JETPACK = {
    "32.4.2": "4.4 DP",
    "32.4.3": "4.4",
    "32.4.4": "4.4.1",
    "32.5.0": "4.5",
    "32.5.1": "4.5.1",
    "32.5.2": "4.5.1",
    "32.6.1": "4.6",
    "32.7.1": "4.6.1",
    "32.7.2": "4.6.2",
    "32.7.3": "4.6.3",
    "32.7.4": "4.6.4",
    "32.7.5": "4.6.5",
    "32.7.6": "4.6.6",
    "34.1.0": "5.0 DP",
    "34.1.1": "5.0.1 DP",
    "35.1.0": "5.0.2",
    "35.2.1": "5.1",
    "35.3.1": "5.1.1",
    "35.4.1": "5.1.2",
    "35.5.0": "5.1.3",
    "35.6.0": "5.1.4",
    "35.6.1": "5.1.5",
    "35.6.2": "5.1.5",
    "35.6.4": "5.1.6",
    "36.2.0": "6.0 DP",
    "36.3.0": "6.0",
    "36.4.0": "6.1",
    "36.4.2": "6.1 rev. 1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5.0": "6.2.2",
    "36.5.2": "6.2.3",
    "38.2.0": "7.0",
    "38.2.1": "7.0",
    "38.2.2": "7.0",
    "38.4.0": "7.1",
    "39.2.0": "7.2",
    "39.2.1": "7.2.1",
    "39.2.2": "7.2.2",
}
"""JetPack by its L4T release, from NVIDIA's JetPack archive."""
JETPACK_OF_MAJOR = {32: "4", 34: "5", 35: "5", 36: "6", 38: "7", 39: "7"}
"""JetPack by the first number of its L4T release, for those not above, such as 35.6.3 and 39.0.0,
which the archive does not give a JetPack of their own."""


@dataclass(frozen=True)
class Board:
    """A Jetson, as far as its files tell."""

    model: str = ""
    """The board's name; empty if hidden."""
    number: str = ""
    """The module's number, such as p3767-0005; empty if hidden, or not in the table."""
    modules: tuple[Module, ...] = ()
    """The modules that it may be: one if it is known."""
    words: tuple[str, ...] = ()
    """The words of ``compatible``, by which its device tree names it; none if hidden."""
    is_listed: bool = True
    """False of a device tree that names no module of the table: only the chip is known then."""
    l4t: str = ""
    """Release of Linux for Tegra, such as 36.4.3; empty if hidden."""

    @property
    def module(self) -> Module | None:
        """The module; None if several fit, or none."""
        return self.modules[0] if self.is_listed and len(self.modules) == 1 else None

    @property
    def is_hidden(self) -> bool:
        """True in a container that does not show the device tree."""
        return not self.words

    @property
    def release(self) -> tuple[int, ...]:
        """``l4t`` as numbers, to compare; empty if unknown."""
        return tuple(int(part) for part in self.l4t.split(".")) if self.l4t else ()

    @property
    def jetpack(self) -> str:
        """The JetPack of this release; empty if unknown."""
        if not self.release:
            return ""
        return JETPACK.get(self.l4t) or JETPACK_OF_MAJOR.get(self.release[0], "")

    def with_gpu(self, capability: str, units: int, memory_bytes: int | None) -> Board:
        """The board, its modules narrowed to those that the driver's words on the GPU allow.

        What the files say is not doubted: the driver only chooses among several modules.
        """
        if self.module:
            return self
        modules = self.modules or jetsons.MODULES
        for count in (units, 1):  # a driver may report more than any module of the table has
            of_gpu = [module for module in modules if module.fits(capability, count, None)]
            if of_gpu:
                return replace(self, modules=_of_memory(of_gpu, memory_bytes))
        return self

    def with_cpu(self, core: str, memory_bytes: int | None) -> Board:
        """The board, its modules narrowed to those with this core, or with so much memory.

        In a container /proc/meminfo may be made up (as lxcfs does), so that memory tells nothing.
        """
        if self.is_hidden:
            return replace(self, modules=self.modules or jetsons.of_cpu(core))
        return replace(self, modules=_of_memory(self.modules, memory_bytes))


def _of_memory(
    modules: tuple[Module, ...] | list[Module], memory_bytes: int | None
) -> tuple[Module, ...]:
    """Those of these modules that have so much memory; all of them if it fits none."""
    if memory_bytes is None:
        return tuple(modules)
    of_size = tuple(module for module in modules if module.may_have(memory_bytes))
    return of_size or tuple(modules)


def find(root: Path = Path("/")) -> Board | None:
    """The Jetson whose files are below ``root``; None if they are no Jetson's."""
    words = _compatible(root)
    model = next((model for path in MODELS if (model := read(root / path))), "")
    release = read(root / RELEASE)
    is_tegra = any("nvidia,tegra" in word for word in words)
    is_named = "jetson" in model.lower()
    has_signs = any(os.path.isdir(root / sign) for sign in SIGNS) or frequencies.has_gpu(root)
    if not (is_tegra or is_named or release or has_signs):
        return None
    if not jetsons.number_in(words):
        words = (*words, *_file_of_tree(root))
    modules = jetsons.of_device_tree(words)
    is_listed = bool(modules) or not words
    if not modules:
        modules = jetsons.of_chip(words) or jetsons.of_model(model)
    return Board(
        model=model,
        number=jetsons.number_in(words),
        modules=modules,
        words=words,
        is_listed=is_listed,
        l4t=_l4t(release),
    )


def _compatible(root: Path) -> tuple[str, ...]:
    """The words of the device tree's ``compatible``, which zero bytes part; () if hidden."""
    for tree in DEVICE_TREES:
        words = re.split(r"[\0\s]+", read(root / tree / "compatible"))
        if any(words):
            return tuple(word for word in words if word)
    return ()


def _file_of_tree(root: Path) -> tuple[str, ...]:
    """The file that the device tree was made of, which older releases name; () if hidden.

    ``tegra194-p2888-0006-p2822-0000`` says more than the tree's ``nvidia,p2888``.
    """
    for tree in DEVICE_TREES:
        name = PurePosixPath(read(root / tree / "nvidia,dtsfilename")).stem
        if name:
            return (name,)
    return ()


def _l4t(release: str) -> str:
    """``# R36 (release), REVISION: 4.0, ...`` becomes ``36.4.0``."""
    match = re.search(r"R(\d+).*?REVISION:\s*(\d+)(?:\.(\d+))?", release)
    if not match:
        return ""
    major, minor, patch = match.groups(default="0")
    return f"{major}.{minor}.{patch}"
