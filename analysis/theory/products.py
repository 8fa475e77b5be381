"""Devices nobody measured: a named product, or a CPU and a memory given by their numbers.

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
from probes.records.measurement import RidgelineError

GIVEN = "as given"


def products() -> dict[str, Any]:
    """The rows of specs.toml by product."""
    return tables("specs.toml")


def find_products(text: str) -> list[str]:
    """Products that ``text`` may mean, in the table's order. Raises RidgelineError if there is
    none.

    The one of that name; else those whose names have all its words (``A100``); else its letters
    (``2080ti``).
    """
    wanted, known = _words(text), {name: _words(name) for name in products()}
    same = [name for name, words in known.items() if words == wanted]
    whole = [name for name, words in known.items() if set(wanted) <= set(words)]
    part = [name for name, words in known.items() if "".join(wanted) in "".join(words)]
    found = (same or whole or part) if wanted else []
    if not found:
        raise RidgelineError(f"no product is called {text!r}; --spec list shows all {len(known)}")
    return found


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word and word != "nvidia"]


def spec_device(name: str) -> tuple[Device, dict[str, Any]]:
    """A named product as a device, and its architecture's row with what this product's own row says
    put in.
    """
    spec = products()[name]
    rate, bits = spec["memory"]
    device = Device(
        "cuda", 0, name, spec["cc"], spec["sms"], spec["clock"], rate, bits, memory_transfers=1
    )
    return device, _product_row(spec, tables()["cuda"][spec["cc"]])


def _product_row(spec: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    varying, tensor = row.get("varies", ()), row.get("tensor", {})
    clock = spec.get("tensor_clock")
    return {
        **row,
        "tensor": {
            key: ops * spec["share"] if key in varying else ops for key, ops in tensor.items()
        },
        "varies": (),
        "clocks": {key: clock for key in tensor if clock and key != "fp64"},
        "source": [spec["source"], *row["source"]],
        "memory_source": spec["source"],
    }


def cpu_device(
    core: str | None, cores: int | None, clock: float | None, memory: str | None
) -> Device:
    """A CPU given by its numbers (clock in Hz). Raises RidgelineError for an unknown core or a
    missing number.
    """
    known = tables()["cpu"]
    if core and core not in known:
        raise RidgelineError(f"no CPU core is called {core!r}; --core list shows all {len(known)}")
    if core and not (cores and clock):
        raise RidgelineError(f"--core {core} needs --cpu-cores and --clock too")
    if not core and (cores or clock):
        raise RidgelineError("--cpu-cores and --clock need --core too; --core list shows the names")
    rate, bits = parse_memory(memory) if memory else (None, None)
    name = f"{cores} x {core}" if core else "memory"
    return Device("cpu", 0, name, core or "", cores or 1, clock, rate, bits, 1 if memory else None)


def parse_memory(text: str) -> tuple[float, int]:
    """Transfers per second, and width in bits of all channels, of ``2666e6x8x6``. Raises
    RidgelineError.
    """
    try:
        rate, width, channels = (float(part) for part in text.split("x"))
    except ValueError:
        rate = width = channels = 0.0
    bits = width * channels * 8
    if not (rate > 0 and width > 0 and bits >= 1 and math.isfinite(rate * bits)):
        raise RidgelineError(f"--memory {text!r} is not RATExBYTESxCHANNELS, such as 2666e6x8x6")
    return rate, round(bits)
