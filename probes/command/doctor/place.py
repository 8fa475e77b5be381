"""Where the doctor looks: this machine, or a made-up one in tests."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kernels.device import Device
from probes.command.installed import is_there
from probes.harness.devices import cpu


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Place:
    """All that a check may ask of its surroundings."""

    root: Path = Path("/")
    """The folder that holds proc and sys."""
    out: Path = Path("results")
    """Where runs go."""
    spec: str | None = None
    """The device as the user names it; None: the best there is."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    """Environment variables."""
    python: tuple[int, int] = sys.version_info[:2]
    """Version of Python."""
    installed: Callable[[str], bool] = is_there
    """installed(module): True if this Python has it."""
    may_use: Callable[[Path, int], bool] = os.access
    """may_use(path, mode of os.access): True if this user may."""
    free_bytes: Callable[[Path], int] = _free_bytes
    """free_bytes(folder): of its disk."""
    detect_cpu: Callable[[], Device] = cpu.detect
    """The CPU as a device."""
