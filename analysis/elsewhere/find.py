"""Which machines a name means: a run's folder, a device of the atlas, or a product of theory."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from analysis.analyse import model
from analysis.atlas.devices import AtlasDevice, devices_of
from analysis.atlas.entry import ATLAS, is_entry, read_atlas, read_entry
from analysis.elsewhere.machine import measured, product
from analysis.elsewhere.placed import Found
from analysis.theory.products import find_products
from probes.records.given import shortened
from probes.records.measurement import RidgelineError
from probes.records.run import RUN_FILE, read_run


def find(name: str, atlas: Path = ATLAS) -> Found:
    """The machine of this name.

    A folder that holds a run, or an entry of an atlas; else a device of the atlas, which is
    measured; else a product, of which only theory is known. Raises RidgelineError if there is none.
    """
    folder = Path(name)
    if is_entry(folder):
        entry = read_entry(folder)
        return Found(name, measured(entry.run.device, entry.ceilings, 1, entry.day))
    if (folder / RUN_FILE).is_file():
        outcome = model(read_run(folder))
        run = outcome.run
        machine = measured(run.device, outcome.ceilings.values(), 1, run.started[:10])
        return Found(name, machine)
    devices = devices_of(read_atlas(atlas))
    if in_atlas := _named(name, devices):
        first, *others = in_atlas
        return Found(name, first.machine, tuple(device.full_name for device in others))
    try:
        first_product, *other_products = find_products(name)
    except RidgelineError:
        raise RidgelineError(_unknown(name, devices)) from None
    return Found(name, product(first_product), tuple(other_products))


def _named(name: str, devices: Sequence[AtlasDevice]) -> list[AtlasDevice]:
    """The devices that a name means: that of the same words, else those that have all of them.

    Architecture and number of units may be among the words.
    """
    wanted = _words(name)
    exact = [device for device in devices if _words(device.full_name) == wanted]
    same = exact or [device for device in devices if _words(device.name) == wanted]
    if same or not wanted:
        return same
    return [device for device in devices if set(wanted) <= set(_words(device.full_name))]


def _words(name: str) -> list[str]:
    """The words and numbers of a name in small letters, without the maker's name."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return [word for word in words if word and word != "nvidia"]


def _unknown(name: str, devices: Sequence[AtlasDevice]) -> str:
    """What to say of a name that means nothing."""
    shown = shortened(repr(name))
    if os.sep in name:
        return f"--on {shown} is no folder of a run: it has no {RUN_FILE}"
    known = ", ".join(dict.fromkeys(device.name for device in devices)) or "empty"
    return (
        f"--on {shown} is no folder of a run, no device of the atlas ({known}) and no product: "
        "python -m analysis.theory --spec list shows the products"
    )
