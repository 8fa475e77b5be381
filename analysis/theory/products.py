"""Devices nobody measured: a named product, or a GPU, CPU or memory given by its numbers.

They go through the same arithmetic as a measured device; only here does a product's name mean
anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from analysis.theory.tables import tables
from kernels.device import Device
from probes.records import jetsons
from probes.records.jetsons import Module, Rating
from probes.records.measurement import RidgelineError

AS_GIVEN = "as given"
"""Source of a number that the user gave."""


def products() -> dict[str, Any]:
    """Every product by name: the rows of specs.toml, and the Jetsons of the table of modules."""
    rows = dict(tables("specs.toml"))
    for module in jetsons.MODULES:
        for rating in (*module.ratings, *module.mode_ratings):
            rows[rating.product] = _jetson_row(module, rating)
    return rows


def _jetson_row(module: Module, rating: Rating) -> dict[str, Any]:
    """A Jetson module with the clocks of one rating, in the form of specs.toml."""
    return {
        "cc": module.capability,
        "sms": module.sms,
        "clock": rating.gpu_hz,
        "memory": [jetsons.TRANSFERS * rating.memory_hz, module.bus_bits],
        "source": module.source,
    }


def find_products(text: str) -> list[str]:
    """Products that ``text`` may mean, in the table's order.

    The one of that name; else those whose names have all its words (``A100``); else those whose
    names have its letters in a row (``2080ti``). Raises RidgelineError if there is none.
    """
    words_by_name = {name: _words(name) for name in products()}
    wanted = _words(text)
    letters = "".join(wanted)
    same = [name for name, words in words_by_name.items() if words == wanted]
    with_words = [name for name, words in words_by_name.items() if set(wanted) <= set(words)]
    with_letters = [name for name, words in words_by_name.items() if letters in "".join(words)]
    names = same or with_words or with_letters
    if not wanted or not names:  # no words at all would be found in every name
        number = len(words_by_name)
        raise RidgelineError(f"no product is called {text!r}; --spec list shows all {number}")
    return names


def _words(name: str) -> list[str]:
    """The words and numbers of a name in small letters, without the maker's name."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return [word for word in words if word and word != "nvidia"]


def spec_device(name: str) -> tuple[Device, dict[str, Any]]:
    """A named product as a device, and its row for ``peaks``, in the form of peaks.toml."""
    spec = products()[name]
    transfers_a_second, bus_bits = spec["memory"]
    device = Device(
        kind="cuda",
        index=0,
        name=name,
        arch=spec["cc"],
        units=spec["sms"],
        clock_hz=spec["clock"],
        memory_clock_hz=transfers_a_second,
        memory_bus_bits=bus_bits,
        memory_transfers=1,  # the table gives transfers, so each counts as a clock
    )
    return device, _product_row(spec, tables()["cuda"][spec["cc"]])


def _product_row(spec: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of an architecture, made that of one product by its row of specs.toml, ``spec``."""
    tensor = dict(row.get("tensor", {}))
    for key in row.get("varies", ()):
        if key in tensor:
            tensor[key] *= spec["share"]
    clocks = {}
    if "tensor_clock" in spec:
        # Vendors state the tensor rates of FP64 at the boost clock, all others at a lower one.
        clocks = {key: spec["tensor_clock"] for key in tensor if key != "fp64"}
    return {
        **row,
        "tensor": tensor,
        "varies": (),  # each rate is now this product's own
        "clocks": clocks,
        "source": [spec["source"], *row["source"]],
        "memory_source": spec["source"],
    }


def gpu_device(capability: str, sms: int | None, clock: float | None) -> Device:
    """A GPU given by its compute capability, multiprocessors and clock in Hz.

    Raises RidgelineError for an unknown capability or a missing number.
    """
    known = tables()["cuda"]
    if capability not in known:
        number = len(known)
        raise RidgelineError(
            f"no compute capability {capability!r} is known; --capability list shows all {number}"
        )
    if not (sms and clock):
        raise RidgelineError(f"--capability {capability} needs --sms and --clock too")
    return Device(
        kind="cuda",
        index=0,
        name=f"{sms} SMs of compute capability {capability}",
        arch=capability,
        units=sms,
        clock_hz=clock,
    )


def cpu_device(
    core: str | None, cores: int | None, clock: float | None, memory: str | None
) -> Device:
    """A CPU given by its numbers (clock in Hz), a memory as ``parse_memory`` reads it, or both.

    Raises RidgelineError for an unknown core or a missing number.
    """
    known_cores = tables()["cpu"]
    if core and core not in known_cores:
        number = len(known_cores)
        raise RidgelineError(f"no CPU core is called {core!r}; --core list shows all {number}")
    if core and not (cores and clock):
        raise RidgelineError(f"--core {core} needs --cpu-cores and --clock too")
    if not core and (cores or clock):
        raise RidgelineError("--cpu-cores and --clock need --core too; --core list shows the names")
    transfers_a_second, bus_bits = parse_memory(memory) if memory else (None, None)
    return Device(
        kind="cpu",
        index=0,
        name=f"{cores} x {core}" if core else "memory",
        arch=core or "",
        units=cores or 1,
        clock_hz=clock,
        memory_clock_hz=transfers_a_second,
        memory_bus_bits=bus_bits,
        memory_transfers=1 if memory else None,
    )


def parse_memory(text: str) -> tuple[float, int]:
    """Transfers a second, and width in bits of all channels together, of ``2666e6x8x6``.

    Raises RidgelineError for any other text.
    """
    try:
        transfers_a_second, bytes_wide, channels = (float(part) for part in text.split("x"))
    except ValueError:
        transfers_a_second = bytes_wide = channels = 0.0
    bits = bytes_wide * channels * 8
    is_positive = transfers_a_second > 0 and bytes_wide > 0 and bits >= 1
    if not is_positive or not math.isfinite(transfers_a_second * bits):
        raise RidgelineError(f"--memory {text!r} is not RATExBYTESxCHANNELS, such as 2666e6x8x6")
    return transfers_a_second, round(bits)
