"""The noun Tag: what a row speaks of. No other file takes a tag apart. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

SWEEP = "sweep"
COMPUTE, BANDWIDTH, LATENCY = "compute", "bandwidth", "latency"
OVERHEAD, LAYER, TRANSFER = "overhead", "layer", "transfer"
ARITHMETIC = "arithmetic"
"""Results of slow arithmetic: ``arithmetic/fp32/exp2``, by the type of a result."""
RECIPE, PRODUCT, SMALLER = "recipe", "product", "smaller"
OF_NETWORKS = frozenset((LAYER, RECIPE, PRODUCT, SMALLER))
"""Quantities of networks and their parts: their rows are times, and never ceilings."""
ONE_CORE, PER_SM, CHASE = "1core", "per-sm", "chase"
READ, LIBRARY, MAIN_MEMORY = "read", "gemm", "dram"
WORKING_SET, INTENSITY, BANK_CONFLICT = "working-set", "intensity", "bank-conflict"
BLOCKS_PER_SM, THREADS, STRIDE = "blocks-per-sm", "threads", "stride"
GATHER, SIZE, ELEMENTS, SIDE, CHAINS = "gather", "size", "elements", "side", "chains"
STEP = "step"
CLUSTER, WINDOW = "cluster", "window"
SHARED = "shared"
WORK_COUNTED = {
    COMPUTE: "flops",
    ARITHMETIC: "flops",
    LAYER: "flops",
    PRODUCT: "flops",
    BANDWIDTH: "bytes",
    TRANSFER: "bytes",
}
"""What a row's rate counts, by its quantity. Of any other quantity (latency, overhead) the row is a
time.
"""
SPARSE = "_sp"  # in the name of a path
OF_MATRICES = "mmla"  # how the names of a CPU's paths end that multiply tiles
VECTOR_PATHS = frozenset(("sve", "usdot"))
"""Paths of a CPU's vector units beside the usual one, which has no name."""
ZEROS, CONSTANT, PAGEABLE, WITH_CPU = "zeros", "constant", "pageable", "with-cpu"
HOST_TO_DEVICE, DEVICE_TO_HOST, BOTH, PEER = "h2d", "d2h", "both", "peer"
"""Ways of a transfer. That between two GPUs has their numbers, as peer-0-1."""


@dataclass(frozen=True)
class Variant:
    """A condition that is not the usual one. A tag ends with the names of its variants."""

    name: str
    """As tags hold it: ``zeros`` of compute/fp16/gemm/zeros."""
    meaning: str
    """What differs from the same tag without it."""
    draws_roof: bool = False
    """True if a program can expect this rate, so that it may be a roof of its own."""


VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant(ZEROS, "all operands are zero, which takes less power than random ones"),
        Variant(CONSTANT, "all operands are one, which takes less power than random ones"),
        Variant("sustained", "the load went on until clock and power were steady"),
        Variant(ONE_CORE, "one core of a CPU works alone"),
        Variant("e5m2", "FP8 with five bits of exponent, as fast as the usual four"),
        Variant("near", "the part of a GPU's L2 that is close to the multiprocessor"),
        Variant("far", "the part of a GPU's L2 that is on the other side"),
        Variant(PAGEABLE, "the host's memory is not pinned"),
        Variant(WITH_CPU, "CPU and GPU move bytes at once, and those of both count"),
        Variant("4B", "each access of a thread is 4 bytes wide"),
        Variant("8B", "each access of a thread is 8 bytes wide"),
        Variant("16B", "each access of a thread is 16 bytes wide"),
    )
}
"""Every variant there is, by name. A new one is one row here."""


@dataclass(frozen=True)
class Axis:
    """What a sweep goes over."""

    title: str
    """As pictures name it."""
    unit: str = ""
    """Unit of x: ``B`` for bytes, empty for counts and ratios."""
    listed: bool = False
    """True if x only counts, and the series is the name of the point."""
    through: str = ""
    """Memory inside the units that every byte of its sweeps passes; empty where there is none."""


AXES: Mapping[str, Axis] = {
    WORKING_SET: Axis("Working set", "B"),
    BANK_CONFLICT: Axis("Lanes of a warp that share a bank", through=SHARED),
    BLOCKS_PER_SM: Axis("Resident blocks per SM"),
    THREADS: Axis("Cores at work"),
    STRIDE: Axis("Stride in elements"),
    GATHER: Axis("Bytes read together at a random place", "B"),
    SIZE: Axis("Size of the transfer", "B"),
    ELEMENTS: Axis("Elements of the tensor"),
    CHAINS: Axis("Independent multiply-adds in flight"),
    CLUSTER: Axis("SMs of a cluster", through=SHARED),
    WINDOW: Axis("Memory that is read again while a stream passes", "B"),
    SIDE: Axis("Rows and columns of a square product"),
    STEP: Axis("Step around a network, in order", listed=True),
    INTENSITY: Axis("Operational intensity in operations per byte"),
}
"""Every axis that is called otherwise than its own name, by that name."""


@dataclass(frozen=True)
class _Spoken:
    """What tags and sweeps have in common."""

    quantity: str
    """What was measured: ``compute``, ``arithmetic``, ``bandwidth``, ``latency``, ``transfer``,
    ``overhead``, ``layer``, ``product`` (the matrix product that a layer is), or ``recipe``: a
    whole network with a precision for each of its stages."""

    @property
    def counts(self) -> str | None:
        """The work that its rate counts, ``flops`` or ``bytes``; None if its rows are times."""
        return WORK_COUNTED.get(self.quantity)


@dataclass(frozen=True)
class Tag(_Spoken):
    """What a row speaks of: ``compute/fp8/wgmma-fp32/e5m2/zeros``, with its parts."""

    subject: str
    """Of what: a number format (``fp8``), a level of memory (``dram``), a direction (``h2d``), a
    family of layers.
    """
    path: str = ""
    """By which instruction, operation or library: ``wgmma-fp32``, ``copy``, ``gemm``. Empty for the
    usual one.
    """
    variants: tuple[str, ...] = ()
    """Names of its variants, in the order in which the tag is written."""

    def __post_init__(self) -> None:
        """Raise ValueError for a variant that VARIANTS lacks: read back, it would be a path."""
        unknown = [name for name in self.variants if name not in VARIANTS]
        if unknown:
            raise ValueError(f"no variant is called {unknown[0]!r}: add a row to VARIANTS")

    @staticmethod
    def parse(text: str) -> Tag:
        """The tag written so. Raises ValueError for any other text, and for the tag of a sweep."""
        tag = parse_tag(text)
        if isinstance(tag, Sweep):
            raise ValueError(f"{text} is the tag of a sweep")
        return tag

    def __str__(self) -> str:
        parts = (self.quantity, self.subject, self.path, *self.variants)
        return "/".join(part for part in parts if part)

    @property
    def operands(self) -> str:
        """The number format of a compute tag."""
        return self.subject

    @property
    def whole(self) -> Tag:
        """The same without path and variants: ``bandwidth/dram`` of bandwidth/dram/copy."""
        return Tag(self.quantity, self.subject)

    @property
    def is_sparse(self) -> bool:
        """True if its path skips operands that are zero by 2:4 sparsity."""
        return SPARSE in self.path

    @property
    def on_vector_units(self) -> bool:
        """True if a compute path uses the vector units or CUDA cores, and none for matrices."""
        return not self.path or self.path in VECTOR_PATHS

    @property
    def draws_roof(self) -> bool:
        """True if its ceiling may be a roof: compute, or a whole level, with no variant against."""
        if not all(VARIANTS[name].draws_roof for name in self.variants):
            return False
        if self.quantity == BANDWIDTH:
            return not self.path
        return self.quantity == COMPUTE

    def with_variant(self, name: str) -> Tag:
        """The same under one more condition."""
        return replace(self, variants=(*self.variants, name))


@dataclass(frozen=True)
class Sweep(_Spoken):
    """What a point speaks of: ``sweep/bandwidth/working-set/read-1core``, with its parts."""

    over: str
    """What x is: a name of ``AXES``, or one of its own."""
    series: str
    """Which curve the point is on: an operation, a precision with its path, and who took part."""

    @staticmethod
    def parse(text: str) -> Sweep:
        """The sweep written so. Raises ValueError for any other text."""
        tag = parse_tag(text)
        if isinstance(tag, Tag):
            raise ValueError(f"{text} is no tag of a sweep")
        return tag

    def __str__(self) -> str:
        return "/".join((SWEEP, self.quantity, self.over, self.series))

    @property
    def operands(self) -> str:
        """The number format of a series that is one: ``fp16`` of fp16-mma-fp32."""
        return self.series.partition("-")[0]

    @property
    def axis(self) -> Axis:
        """Title and unit of what it goes over."""
        return AXES.get(self.over) or Axis(self.over.replace("-", " ").capitalize())

    @property
    def one_core(self) -> bool:
        """True if one core of a CPU worked alone."""
        return self.series.endswith(f"-{ONE_CORE}")

    @property
    def per_sm(self) -> bool:
        """True if every multiprocessor had a working set of its own."""
        return self.series.endswith(f"-{PER_SM}")

    @property
    def chases(self) -> bool:
        """True if each load waited for the one before, so that the points are latencies."""
        return self.series.startswith(CHASE)

    @property
    def operation(self) -> str:
        """What was done at each point: ``read`` of read-1core; empty for a chase."""
        if self.chases:
            return ""
        return self.series.removesuffix(f"-{ONE_CORE}").removesuffix(f"-{PER_SM}")

    @property
    def flat(self) -> Tag:
        """The tag of the flat roof over a sweep of intensities: ``compute/fp16/mma-fp32``."""
        operands, _, path = self.series.partition("-")
        return Tag(self.quantity, operands, path)

    def at_level(self, level: str) -> Tag:
        """The tag of what this sweep says of a level of memory: ``bandwidth/l2/read/1core``."""
        return Tag(self.quantity, level, self.operation, (ONE_CORE,) if self.one_core else ())


@lru_cache(maxsize=1 << 12)
def parse_tag(text: str) -> Tag | Sweep:
    """The tag or the sweep written so. Raises ValueError for a text that is neither."""
    quantity, *parts = text.split("/")
    is_sweep = quantity == SWEEP
    fewest = 3 if is_sweep else 1
    if len(parts) < fewest or not all((quantity, *parts)):
        raise ValueError(f"{text!r} is no tag")
    if is_sweep:
        of, over, *series = parts
        return Sweep(of, over, "/".join(series))
    subject, *path = parts
    variants: list[str] = []
    while path and path[-1] in VARIANTS:
        variants.insert(0, path.pop())
    return Tag(quantity, subject, "/".join(path), tuple(variants))
