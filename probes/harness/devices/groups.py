"""The control groups that this process is in, and those above them, as far as it can see them.

/proc/self/cgroup names a group by its path in a hierarchy. /proc/self/mountinfo says which part of
that hierarchy is mounted, and where. Both paths start from the root of this process' namespace of
groups; what lies above that root begins with /.. .
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
    """A path in a hierarchy, from the namespace's root."""

    up: int
    """Steps up from the root, first of all."""
    names: tuple[str, ...]
    """Groups to go down through after that."""

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
    """A part of a hierarchy in the file system."""

    folder: Path
    """Where it is mounted."""
    top: Place
    """The group that this folder is."""


def folders(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process' groups that ``controller`` may limit, and of all groups above them.

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
    for read_mounts in (_from_mountinfo, _from_mounts):
        mounts = [mount for mount in read_mounts(root, controller) if os.path.isdir(mount.folder)]
        if mounts:
            return mounts
    return [Mount(folder, Place(0, ())) for folder in _usual_folders(root, controller)]


def _from_mountinfo(root: Path, controller: str) -> Iterator[Mount]:
    """Mounts by the kernel's full list (man 5 proc).

    A line is ``ID PARENT DEVICE TOP FOLDER OPTIONS [TAGS] - TYPE SOURCE OPTIONS``.
    """
    for line in read(root / "proc/self/mountinfo").splitlines():
        before, dash, after = line.partition(" - ")
        mount_fields = before.split()
        type_fields = after.split()
        if not dash or len(mount_fields) < 5 or not type_fields:
            continue
        if _is_of(controller, type_fields[0], type_fields[-1]):
            top = Place.parse(_unescaped(mount_fields[3]))
            yield Mount(_folder(root, mount_fields[4]), top)


def _from_mounts(root: Path, controller: str) -> Iterator[Mount]:
    """Mounts by the kernel's short list, whose lines are ``SOURCE FOLDER TYPE OPTIONS``.

    It does not say which part is mounted, so it is taken for the whole hierarchy.
    """
    for line in read(root / "proc/mounts").splitlines():
        fields = line.split()
        if len(fields) >= 4 and _is_of(controller, fields[2], fields[3]):
            yield Mount(_folder(root, fields[1]), Place(0, ()))


def _is_of(controller: str, kind: str, options: str) -> bool:
    """True if a file system of this type, with these options, is the controller's hierarchy.

    Without a controller: if it is version 2's.
    """
    if not controller:
        return kind == "cgroup2"
    return kind == "cgroup" and controller in options.split(",")


def _folder(root: Path, written: str) -> Path:
    """The folder of a mount, from its path in the kernel's list."""
    return root / _unescaped(written).lstrip("/")


def _unescaped(text: str) -> str:
    r"""A text of the kernel's list, where a space is written as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _usual_folders(root: Path, controller: str) -> list[Path]:
    """Where systems usually mount a controller's hierarchy, or version 2's.

    Version 1's folder has the names of its controllers, one or several (``cpu,cpuacct``).
    """
    if not controller:
        return [root / folder for folder in USUAL_V2]
    folders = (root / USUAL).glob("*")
    return sorted(folder for folder in folders if controller in folder.name.split(","))


def _upwards(root: Path, mount: Mount, place: Place) -> Iterator[Path]:
    """The folder of the group at ``place``, and those above it up to the mount's own."""
    for folder in _below(root, mount, place):
        while folder != mount.folder:
            yield folder
            folder = folder.parent
    yield mount.folder


def _below(root: Path, mount: Mount, place: Place) -> list[Path]:
    """Folders that may be those of the group at ``place``; none if it lies outside the mount."""
    top = mount.top
    depth = len(top.names)
    if top.up == place.up and place.names[:depth] == top.names:
        return [mount.folder.joinpath(*place.names[depth:])]
    if top.up <= place.up or top.names:
        return []
    # It is mounted from above the namespace: the names between are hidden, but the group lists
    # this process.
    hidden = ["*"] * (top.up - place.up)
    pattern = "/".join([*hidden, *place.names])
    this_process = read(root / "proc/self/stat").split(" ")[0]
    return [
        folder
        for folder in mount.folder.glob(pattern)
        if this_process in read(folder / "cgroup.procs").split()
    ]
