"""The control groups this process is in, and those above them, as far as they can be seen from
here.

/proc/self/cgroup names a group by its path in a hierarchy; /proc/self/mountinfo says where which
part of that hierarchy is mounted. Both paths are told from the root of this process' namespace of
groups: what lies above it begins with /.. .
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from probes.harness.devices.reading import read

# where hierarchies are mounted when the kernel's list of mounts cannot be read
USUAL = "sys/fs/cgroup"
USUAL_V2 = (USUAL, f"{USUAL}/unified")


@dataclass(frozen=True)
class Place:
    """A path in a hierarchy: so many steps up from the namespace's root, then down by name."""

    up: int
    names: tuple[str, ...]

    @classmethod
    def parse(cls, path: str) -> Place:
        """``/../../box`` is two up, then ``box``."""
        names = [name for name in path.split("/") if name]
        up = 0
        while up < len(names) and names[up] == "..":
            up += 1
        return cls(up, tuple(names[up:]))


@dataclass(frozen=True)
class Mount:
    """A hierarchy in the file system: where, and which of its groups stands there."""

    folder: Path
    top: Place


def folders(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process' groups that ``controller`` may limit, each with all those above it
    that are mounted.

    Version 2 and version 1 both count: a machine may have some controllers in either.
    """
    for line in read(root / "proc/self/cgroup").splitlines():
        fields = line.split(":", 2)
        if len(fields) < 3:
            continue
        _, controllers, path = fields
        if controllers and controller not in controllers.split(","):
            continue
        for mount in _mounts(root, controller if controllers else ""):
            yield from _upwards(root, mount, Place.parse(path))


def _mounts(root: Path, controller: str) -> list[Mount]:
    """Mounts of the hierarchy of this version 1 controller, or of version 2 if there is none."""
    for source in (_from_mountinfo, _from_mounts):
        found = [mount for mount in source(root, controller) if os.path.isdir(mount.folder)]
        if found:
            return found
    return [Mount(folder, Place(0, ())) for folder in _usual(root, controller)]


def _from_mountinfo(root: Path, controller: str) -> Iterator[Mount]:
    """Lines of ``ID PARENT DEVICE TOP FOLDER OPTIONS [TAGS] - TYPE SOURCE OPTIONS`` (man 5
    proc).
    """
    for line in read(root / "proc/self/mountinfo").splitlines():
        before, dash, after = line.partition(" - ")
        own, system = before.split(), after.split()
        if not dash or len(own) < 5 or not system:
            continue
        if _is_of(controller, system[0], system[-1]):
            yield Mount(root / _unescaped(own[4]).lstrip("/"), Place.parse(_unescaped(own[3])))


def _from_mounts(root: Path, controller: str) -> Iterator[Mount]:
    """Lines of ``SOURCE FOLDER TYPE OPTIONS``, which do not tell the top: taken for the whole
    hierarchy.
    """
    for line in read(root / "proc/mounts").splitlines():
        fields = line.split()
        if len(fields) >= 4 and _is_of(controller, fields[2], fields[3]):
            yield Mount(root / _unescaped(fields[1]).lstrip("/"), Place(0, ()))


def _is_of(controller: str, kind: str, options: str) -> bool:
    """True if a file system of this type and these options is the hierarchy of the controller
    (none: version 2).
    """
    if not controller:
        return kind == "cgroup2"
    return kind == "cgroup" and controller in options.split(",")


def _unescaped(text: str) -> str:
    r"""A space stands there as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _usual(root: Path, controller: str) -> list[Path]:
    """Where systems mount it: version 1 in a folder named by its controllers, alone or several
    (``cpu,cpuacct``).
    """
    if not controller:
        return [root / place for place in USUAL_V2]
    return sorted(f for f in (root / USUAL).glob("*") if controller in f.name.split(","))


def _upwards(root: Path, mount: Mount, place: Place) -> Iterator[Path]:
    """The group's folder below this mount, and those above it up to the mount's own."""
    for folder in _below(root, mount, place):
        while folder != mount.folder:
            yield folder
            folder = folder.parent
    yield mount.folder


def _below(root: Path, mount: Mount, place: Place) -> list[Path]:
    """Folders that may be the group's; none where it lies outside what is mounted."""
    top = mount.top
    if top.up == place.up and place.names[: len(top.names)] == top.names:
        return [mount.folder.joinpath(*place.names[len(top.names) :])]
    if top.up <= place.up or top.names:
        return []
    # Mounted from above the namespace: the names between are hidden, but the group lists this
    # process.
    inside = "/".join(["*"] * (top.up - place.up) + list(place.names))
    myself = read(root / "proc/self/stat").split(" ")[0]
    return [
        folder
        for folder in mount.folder.glob(inside)
        if myself in read(folder / "cgroup.procs").split()
    ]
