"""Jetson modules: what is on each, whatever a driver says of it. One row a module.

A module is known by its number in the device tree (``nvidia,p3767-0005`` in ``compatible``), never
by the board's marketing name, which several modules share. Standard library only, since whoever
reads a run needs it, on any machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

GIB = 1 << 30
TRANSFERS = 2
"""Transfers per memory clock and pin: LPDDR is double data rate."""
LEAST_SEEN = 0.75
"""Share of a module's memory that Linux reports at least: the rest is kept by firmware and video
(3.4 of 4 GiB on an Orin Nano 4GB, 61.4 of 64 on an AGX Orin)."""
NUMBER = re.compile(r"p(\d{4})(?:-(\d{4}))?")
"""A module's or a carrier board's number in a device tree: board, and variant (SKU)."""


@dataclass(frozen=True)
class Rating:
    """Clocks that a data sheet, or a power mode of the developer guide, gives a module."""

    product: str
    """The name by which ``--spec`` knows the module with these clocks."""
    gpu_hz: float
    """Highest clock of the GPU."""
    memory_hz: float
    """Highest clock of the memory."""


@dataclass(frozen=True)
class Modes:
    """Names of a module's power modes by their number, as a release of L4T ships them."""

    since: tuple[int, ...]
    """The first release that has them: (36, 4, 3)."""
    names: tuple[str, ...]
    """Name of each mode, the first one's number is 0."""


@dataclass(frozen=True, kw_only=True)
class Module:
    """One row."""

    numbers: tuple[str, ...]
    """Numbers in device trees: of the module, and of developer kits that hold no other."""
    chip: str
    """The chip's name in device trees."""
    capability: str
    """Compute capability of its GPU. Before CUDA 13 the one of Thor was 10.1."""
    sms: int
    """Multiprocessors that the module has; a power mode may switch some off."""
    bus_bits: int
    """Width of the memory's bus."""
    memory_type: str
    """Kind of memory."""
    memory_gib: tuple[int, ...]
    """Sizes of the memory that are sold."""
    ratings: tuple[Rating, ...]
    """What the module is rated at, the lowest first: a "Super" software raises it."""
    cpu: str
    """Core of the CPU, as in theory's table."""
    cpus: int
    """Cores that the module has."""
    modes: tuple[Modes, ...] = ()
    """Power modes by release, oldest first; empty where they are not known."""
    mode_ratings: tuple[Rating, ...] = ()
    """Lower clocks of power modes that a data sheet speaks of, for ``--spec`` only."""
    dla: int = 0
    """Deep-learning accelerators, which Ridgeline does not measure."""
    source: str
    """Where this is written."""

    @property
    def name(self) -> str:
        """The product's name at its lowest rating."""
        return self.ratings[0].product

    @property
    def bandwidths(self) -> tuple[float, float]:
        """Least and most B/s of the memory, by its ratings."""
        rates = [bandwidth(rating.memory_hz, self.bus_bits) for rating in self.ratings]
        return min(rates), max(rates)

    def fits(self, capability: str, units: int, memory_bytes: int | None) -> bool:
        """True if a driver that reports this may speak of this module."""
        if capability not in (self.capability, *RENAMED.get(self.capability, ())):
            return False
        return units <= self.sms and (memory_bytes is None or self.may_have(memory_bytes))

    def may_have(self, memory_bytes: int) -> bool:
        """True if so much memory, as Linux reports it, is that of a size of this module."""
        sizes = [size * GIB for size in self.memory_gib]
        return any(LEAST_SEEN * size <= memory_bytes <= size for size in sizes)

    def mode_name(self, number: int, release: tuple[int, ...]) -> str:
        """Name of a power mode in a release of L4T; empty if unknown."""
        names: tuple[str, ...] = ()
        for modes in self.modes:
            if release >= modes.since:
                names = modes.names
        return names[number] if number < len(names) else ""


RENAMED = {"11.0": ("10.1",)}
"""Older compute capabilities of the same GPU (CUDA 13.0 release notes: sm_101 is now sm_110)."""
TPCS = {"tegra194": 4, "tegra234": 8}
"""Texture processing clusters of a chip, of two SMs each: what ``tpc_pg_mask`` has bits for."""
SMS_OF_TPC = 2
SYSTEM_CACHE_BYTES = {"tegra194": 4 << 20, "tegra234": 4 << 20, "tegra264": 16 << 20}
"""Cache between all units and memory (technical briefs of AGX Xavier and AGX Orin, data sheet of
Thor). No driver reports it."""

VARIANT_WORDS = ("developer", "kit", "industrial", "super")
"""Words of products' names that do not tell one family of modules from another."""


def bandwidth(memory_hz: float, bus_bits: int) -> float:
    """B/s of a memory at this clock."""
    return TRANSFERS * memory_hz * bus_bits / 8


XAVIER_NX_MODES = (
    Modes(
        (32, 4),
        ("MODE_15W_2CORE", "MODE_15W_4CORE", "MODE_15W_6CORE", "MODE_10W_2CORE", "MODE_10W_4CORE"),
    ),
    Modes(
        (32, 6),
        (
            *("MODE_15W_2CORE", "MODE_15W_4CORE", "MODE_15W_6CORE"),
            *("MODE_10W_2CORE", "MODE_10W_4CORE", "MODE_10W_DESKTOP"),
            *("MODE_20W_2CORE", "MODE_20W_4CORE", "MODE_20W_6CORE"),
        ),
    ),
)
AGX_XAVIER_MODES = (
    Modes(
        (31,),
        (
            *("MAXN", "MODE_10W", "MODE_15W", "MODE_30W_ALL"),
            *("MODE_30W_6CORE", "MODE_30W_4CORE", "MODE_30W_2CORE"),
        ),
    ),
)
AGX_ORIN_MODES = (Modes((34,), ("MAXN", "MODE_15W", "MODE_30W", "MODE_50W")),)
ORIN_NANO_MODES = (
    Modes((35,), ("15W", "7W")),
    Modes((36, 4, 3), ("15W", "25W", "MAXN_SUPER", "7W")),
)
GUIDE = "Jetson Linux Developer Guide, Platform Power and Performance"

MODULES = (
    Module(
        numbers=("p3448-0000", "p3448-0002", "p3450-0000", "p3450-0002"),
        chip="tegra210",
        capability="5.3",
        sms=1,
        bus_bits=64,
        memory_type="LPDDR4",
        memory_gib=(4,),
        ratings=(Rating("Jetson Nano", 0.9216e9, 1.6e9),),
        cpu="cortex-a57",
        cpus=4,
        modes=(Modes((32,), ("MAXN", "5W")),),
        source="NVIDIA Jetson Nano data sheet: FP16 472 GFLOP/s, 25.6 GB/s",
    ),
    Module(
        numbers=("p3448-0003", "p3542-0000"),
        chip="tegra210",
        capability="5.3",
        sms=1,
        bus_bits=64,
        memory_type="LPDDR4",
        memory_gib=(2,),
        ratings=(Rating("Jetson Nano 2GB", 0.9216e9, 1.6e9),),
        cpu="cortex-a57",
        cpus=4,
        modes=(Modes((32,), ("MAXN", "5W")),),
        source="NVIDIA Jetson Nano 2GB Developer Kit: 128 cores, 64-bit LPDDR4, 25.6 GB/s",
    ),
    Module(
        numbers=("p2180-1000", "p2371-2180", "p2597-2180"),
        chip="tegra210",
        capability="5.3",
        sms=2,
        bus_bits=64,
        memory_type="LPDDR4",
        memory_gib=(4,),
        ratings=(Rating("Jetson TX1", 0.9984e9, 1.6e9),),
        cpu="cortex-a57",
        cpus=4,
        source="NVIDIA Jetson TX1 data sheet: 256 cores, 998 MHz, 25.6 GB/s",
    ),
    Module(
        numbers=("p3310-1000", "p2771-0000"),
        chip="tegra186",
        capability="6.2",
        sms=2,
        bus_bits=128,
        memory_type="LPDDR4",
        memory_gib=(8,),
        ratings=(Rating("Jetson TX2", 1.3e9, 1.866e9),),
        cpu="cortex-a57",
        cpus=6,
        modes=(Modes((27,), ("MAXN", "MAXQ", "MAXP_CORE_ALL", "MAXP_CORE_ARM")),),
        source="NVIDIA Jetson TX2 data sheet: FP16 1.33 TFLOP/s, 59.7 GB/s",
    ),
    Module(
        numbers=("p3489-0000",),
        chip="tegra186",
        capability="6.2",
        sms=2,
        bus_bits=128,
        memory_type="LPDDR4",
        memory_gib=(8,),
        ratings=(Rating("Jetson TX2i", 1.23e9, 1.6e9),),
        cpu="cortex-a57",
        cpus=6,
        source="NVIDIA Jetson TX2i data sheet: FP16 1.26 TFLOP/s, 51.2 GB/s",
    ),
    Module(
        numbers=("p3489-0888",),
        chip="tegra186",
        capability="6.2",
        sms=2,
        bus_bits=128,
        memory_type="LPDDR4",
        memory_gib=(4,),
        ratings=(Rating("Jetson TX2 4GB", 1.3e9, 1.6e9),),
        cpu="cortex-a57",
        cpus=6,
        source="NVIDIA Jetson TX2 series data sheet, TX2 4GB: 51.2 GB/s",
    ),
    Module(
        numbers=("p3636-0001",),
        chip="tegra186",
        capability="6.2",
        sms=2,
        bus_bits=128,
        memory_type="LPDDR4",
        memory_gib=(4,),
        ratings=(Rating("Jetson TX2 NX", 1.3e9, 1.6e9),),
        cpu="cortex-a57",
        cpus=6,
        source="NVIDIA Jetson TX2 NX data sheet: FP16 1.33 TFLOP/s, 51.2 GB/s",
    ),
    Module(
        numbers=("p2888-0001", "p2888-0003", "p2888-0004", "p2888-0005", "p2972-0000"),
        chip="tegra194",
        capability="7.2",
        sms=8,
        bus_bits=256,
        memory_type="LPDDR4X",
        memory_gib=(16, 32, 64),
        ratings=(Rating("Jetson AGX Xavier", 1.377e9, 2.133e9),),
        cpu="carmel",
        cpus=8,
        modes=AGX_XAVIER_MODES,
        dla=2,
        source=(
            "NVIDIA Jetson AGX Xavier technical brief: FP32 1.41 TFLOP/s, INT8 22.6 TOP/s; data "
            "sheet: 137 GB/s"
        ),
    ),
    Module(
        numbers=("p2888-0006", "p2972-0006"),
        chip="tegra194",
        capability="7.2",
        sms=6,
        bus_bits=256,
        memory_type="LPDDR4X",
        memory_gib=(8,),
        ratings=(Rating("Jetson AGX Xavier 8GB", 1.1e9, 1.333e9),),
        cpu="carmel",
        cpus=6,
        dla=2,
        source="NVIDIA Jetson AGX Xavier 8GB data sheet: 384 cores, 1.1 GHz, 85 GB/s",
    ),
    Module(
        numbers=("p2888-0008",),
        chip="tegra194",
        capability="7.2",
        sms=8,
        bus_bits=256,
        memory_type="LPDDR4X",
        memory_gib=(32,),
        ratings=(Rating("Jetson AGX Xavier Industrial", 1.211e9, 2.133e9),),
        cpu="carmel",
        cpus=8,
        dla=2,
        source="NVIDIA Jetson AGX Xavier Industrial data sheet: 512 cores, 1.21 GHz, 136.5 GB/s",
    ),
    Module(
        numbers=("p3668-0000", "p3668-0001", "p3668-0003"),
        chip="tegra194",
        capability="7.2",
        sms=6,
        bus_bits=128,
        memory_type="LPDDR4X",
        memory_gib=(8, 16),
        ratings=(Rating("Jetson Xavier NX", 1.1e9, 1.866e9),),
        cpu="carmel",
        cpus=6,
        modes=XAVIER_NX_MODES,
        mode_ratings=(
            Rating("Jetson Xavier NX 15W", 1.1e9, 1.6e9),
            Rating("Jetson Xavier NX 10W", 0.8e9, 1.6e9),
        ),
        dla=2,
        source=f"NVIDIA Jetson Xavier NX data sheet: 384 cores, 1.1 GHz, 59.7 GB/s; {GUIDE}",
    ),
    Module(
        numbers=("p3701-0005",),
        chip="tegra234",
        capability="8.7",
        sms=16,
        bus_bits=256,
        memory_type="LPDDR5",
        memory_gib=(64,),
        ratings=(Rating("Jetson AGX Orin 64GB", 1.3e9, 3.2e9),),
        cpu="cortex-a78ae",
        cpus=12,
        modes=AGX_ORIN_MODES,
        dla=2,
        source="NVIDIA Jetson AGX Orin technical brief: FP32 5.3 TFLOP/s, 204.8 GB/s",
    ),
    Module(  # the first developer kits; device trees of later ones say the same
        numbers=("p3701-0000", "p3701-0001", "p3701-0002"),
        chip="tegra234",
        capability="8.7",
        sms=16,
        bus_bits=256,
        memory_type="LPDDR5",
        memory_gib=(32, 64),
        ratings=(Rating("Jetson AGX Orin Developer Kit", 1.3e9, 3.2e9),),
        cpu="cortex-a78ae",
        cpus=12,
        modes=AGX_ORIN_MODES,
        dla=2,
        source="NVIDIA Jetson AGX Orin technical brief: FP32 5.3 TFLOP/s, 204.8 GB/s",
    ),
    Module(
        numbers=("p3701-0004",),
        chip="tegra234",
        capability="8.7",
        sms=14,
        bus_bits=256,
        memory_type="LPDDR5",
        memory_gib=(32,),
        ratings=(Rating("Jetson AGX Orin 32GB", 0.93e9, 3.2e9),),
        cpu="cortex-a78ae",
        cpus=8,
        modes=(Modes((34,), ("MAXN", "MODE_15W", "MODE_30W", "MODE_40W")),),
        dla=2,
        source="NVIDIA Jetson AGX Orin technical brief: 1792 cores, 930 MHz, 204.8 GB/s",
    ),
    Module(
        numbers=("p3701-0008",),
        chip="tegra234",
        capability="8.7",
        sms=16,
        bus_bits=256,
        memory_type="LPDDR5",
        memory_gib=(64,),
        ratings=(Rating("Jetson AGX Orin Industrial", 1.2e9, 3.2e9),),
        cpu="cortex-a78ae",
        cpus=12,
        dla=2,
        source="NVIDIA Jetson AGX Orin Industrial data sheet: 2048 cores, 1.2 GHz, 204.8 GB/s",
    ),
    Module(
        numbers=("p3767-0000", "p3767-0002"),
        chip="tegra234",
        capability="8.7",
        sms=8,
        bus_bits=128,
        memory_type="LPDDR5",
        memory_gib=(16,),
        ratings=(
            Rating("Jetson Orin NX 16GB", 0.918e9, 3.2e9),
            Rating("Jetson Orin NX 16GB Super", 1.173e9, 3.2e9),
        ),
        cpu="cortex-a78ae",
        cpus=8,
        modes=(
            Modes((35,), ("MAXN", "10W", "15W", "25W")),
            Modes((36, 4, 3), ("MAXN_SUPER", "10W", "15W", "25W", "40W")),
        ),
        dla=2,
        source=(
            "NVIDIA Jetson Orin NX data sheet: 1024 cores, 918 MHz (Super mode 1173 MHz), 102.4 "
            "GB/s"
        ),
    ),
    Module(
        numbers=("p3767-0001",),
        chip="tegra234",
        capability="8.7",
        sms=8,
        bus_bits=128,
        memory_type="LPDDR5",
        memory_gib=(8,),
        ratings=(
            Rating("Jetson Orin NX 8GB", 0.765e9, 3.2e9),
            Rating("Jetson Orin NX 8GB Super", 1.173e9, 3.2e9),
        ),
        cpu="cortex-a78ae",
        cpus=6,
        modes=(
            Modes((35,), ("MAXN", "10W", "15W", "20W")),
            Modes((36, 4, 3), ("MAXN_SUPER", "10W", "15W", "20W", "40W")),
        ),
        dla=1,
        source=(
            "NVIDIA Jetson Orin NX data sheet: 1024 cores, 765 MHz (Super mode 1173 MHz), 102.4 "
            "GB/s"
        ),
    ),
    Module(
        numbers=("p3767-0003", "p3767-0005"),
        chip="tegra234",
        capability="8.7",
        sms=8,
        bus_bits=128,
        memory_type="LPDDR5",
        memory_gib=(8,),
        ratings=(
            Rating("Jetson Orin Nano 8GB", 0.625e9, 2.133e9),
            Rating("Jetson Orin Nano 8GB Super", 1.02e9, 3.2e9),
        ),
        cpu="cortex-a78ae",
        cpus=6,
        modes=ORIN_NANO_MODES,
        source=(
            "NVIDIA Jetson Orin Nano data sheet: 1024 cores, 625 MHz, 68 GB/s; Super mode: sparse "
            "INT8 67 TOP/s, 102 GB/s"
        ),
    ),
    Module(
        numbers=("p3767-0004",),
        chip="tegra234",
        capability="8.7",
        sms=4,
        bus_bits=64,
        memory_type="LPDDR5",
        memory_gib=(4,),
        ratings=(
            Rating("Jetson Orin Nano 4GB", 0.625e9, 2.133e9),
            Rating("Jetson Orin Nano 4GB Super", 1.02e9, 3.2e9),
        ),
        cpu="cortex-a78ae",
        cpus=6,
        modes=(
            Modes((35,), ("10W", "7W_AI", "7W_CPU")),
            Modes((36, 4, 3), ("10W", "25W", "MAXN_SUPER")),
        ),
        source=(
            "NVIDIA Jetson Orin Nano data sheet: 512 cores, 625 MHz, 34 GB/s; Super mode: sparse "
            "INT8 34 TOP/s, 51 GB/s"
        ),
    ),
    Module(
        numbers=("p3834-0008", "p3834-0005"),
        chip="tegra264",
        capability="11.0",
        sms=20,
        bus_bits=256,
        memory_type="LPDDR5X",
        memory_gib=(128,),
        ratings=(Rating("Jetson AGX Thor", 1.575e9, 4.2665e9),),
        cpu="neoverse-v3ae",
        cpus=14,
        modes=(Modes((38,), ("MAXN", "120W", "90W", "70W")),),
        source="NVIDIA Jetson Thor data sheet (T5000): 2560 cores, FP8 517 TFLOP/s, 273 GB/s",
    ),
    Module(
        numbers=("p3834-0000",),
        chip="tegra264",
        capability="11.0",
        sms=12,
        bus_bits=256,
        memory_type="LPDDR5X",
        memory_gib=(64,),
        ratings=(Rating("Jetson T4000", 1.53e9, 4.2665e9),),
        cpu="neoverse-v3ae",
        cpus=12,
        source=(
            "NVIDIA Jetson Thor data sheet (T4000): 1536 cores, sparse FP4 1200 TFLOP/s, 273 GB/s"
        ),
    ),
)


def of_device_tree(compatible: Iterable[str]) -> tuple[Module, ...]:
    """The modules that a device tree names; one where it names the whole number of one.

    compatible: its words, such as ``nvidia,p3768-0000+p3767-0005-super``. A number without its
    variant may mean all variants that have a row.
    """
    words = list(compatible)
    named = [match for word in words for match in NUMBER.finditer(word)]
    numbers = {match[0] for match in named}
    boards = {f"p{match[1]}" for match in named}
    exact = tuple(module for module in MODULES if numbers & set(module.numbers))
    if exact:
        return exact
    return tuple(module for module in MODULES if boards & set(_boards(module)))


def of_chip(compatible: Iterable[str]) -> tuple[Module, ...]:
    """The modules with the chip that a device tree names."""
    words = list(compatible)
    return tuple(module for module in MODULES if any(module.chip in word for word in words))


def _boards(module: Module) -> Iterator[str]:
    """The board numbers of a module, without its variants."""
    for number in module.numbers:
        yield number.partition("-")[0]


def number_in(compatible: Iterable[str]) -> str:
    """The number by which a device tree names a module that has a row; empty if it names none.

    It names the developer kit first, then the module in it.
    """
    known = {number for module in MODULES for number in module.numbers}
    named = [match[0] for word in compatible for match in NUMBER.finditer(word)]
    return next((number for number in reversed(named) if number in known), "")


def of_model(model: str) -> tuple[Module, ...]:
    """The modules that a board's name may speak of: those of which it has the most words."""
    words = set(_words(model))
    alike = [module for module in MODULES if _family(module) <= words]
    most = max((len(_family(module)) for module in alike), default=0)
    return tuple(module for module in alike if len(_family(module)) == most)


def _family(module: Module) -> set[str]:
    """The words of a module's name but those of its size and variant: jetson, orin, nano."""
    return {word for word in _words(module.name) if word not in VARIANT_WORDS}


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if not word.endswith("gb")]


def of_cpu(core: str) -> tuple[Module, ...]:
    """The modules whose CPU has cores of this name; none of an unknown one."""
    return tuple(module for module in MODULES if module.cpu == core)


def of_driver(capability: str, units: int, memory_bytes: int | None) -> tuple[Module, ...]:
    """The modules whose integrated GPU a driver may speak of."""
    return tuple(module for module in MODULES if module.fits(capability, units, memory_bytes))
