"""Working sets on a GPU: the kernels ``cache.cu`` and ``shared.cu``, and which sizes to ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Audit, Work
from kernels.cache.work import ARRAYS, WORD_LENGTH, words
from kernels.cuda import sass
from kernels.cuda.kernel import CudaKernel
from kernels.cuda.memory import Buffer
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device

VECTOR = 16
"""Bytes of one load of a set."""
WORD = 4
"""Bytes of one load that asks for a bank."""
SM_SHAPE = {"block": 1024, "per_sm": 1, "unroll": 4}
"""Where each block has a set of its own: of several blocks, one's miss would be the others' hit."""
SMALL_BLOCK = 512
"""Threads on a set smaller than a chunk of SM_SHAPE, which they load in one go."""
GRID_SHAPE = {"block": 256, "per_sm": 8, "unroll": 8, "visits": 4}
"""Where all blocks read one set: many small blocks never wait for one another."""
UNROLL = 8
"""Loads in flight from shared memory."""
SHARED_BLOCK, SHARED_BLOCKS = 1024, 2
"""Threads of a block that reads shared memory, and blocks of a multiprocessor."""
SHARED_BYTES = 16 << 10
"""Bytes of the set that each block reads in shared memory."""
BANK_BYTES = 4096
"""Bytes of the words of which lanes load some that share banks."""
WAYS = (1, 2, 4, 8, 16, 32)
"""Lanes of a warp that share a bank."""
SM_SIZES = [k << 10 for k in (16, 24, 32, 40, 48, 56, 64, 128, 192, 256, 320, 384, 512, 768, 1024)]
"""The smallest L1 that a device reports (64 KiB) holds three, also of the half that a short run
takes.
"""
SMALLEST_SHARE = 8
"""The smallest set of the whole device is such a part of the L2: where blocks often read one line
at once, requests are merged before they reach it."""
MULTIPLE = 1024 * VECTOR * 8
"""Bytes of whole chunks, and visits, of GRID_SHAPE."""
PAST_CACHE = 4
"""The largest set as a multiple of the L2."""
USUAL_CACHE = 16 << 20
"""Bytes of an L2 that the device does not tell."""

OPCODES = {"read": r"LDG.*\.128", "write": r"STG.*\.128", "copy": r"(LDG|STG).*\.128"}
"""What an operation on a set in global memory becomes, as a regular expression."""
MOVES = ("write", "copy")
"""Operations that leave a target."""
WRITTEN_BITS = int(np.float64(pattern.WRITTEN).view(np.uint64)) >> 32
"""The upper half of what is written; the lower one is 0."""
Point = tuple[dict[str, Any], bool]


def points(device: Device) -> Iterator[Point]:
    """(params, True for a full run only) of every set worth reading; ``mode`` says what is read."""
    yield _shared(device), False
    for ways in WAYS:
        yield _banks(device, ways), True
    for size in SM_SIZES:
        yield _params(device, size, "sm"), False
    sizes = list(grid_sizes(device))
    for size, full in sizes:
        yield _params(device, size, "grid"), full
    for op in MOVES:
        multiple = MULTIPLE * ARRAYS[op]
        whole = {size // multiple * multiple for size, _ in sizes[::2]}
        for size in sorted(whole - {0}):
            yield _params(device, size, op), True


def grid_sizes(device: Device) -> Iterator[tuple[int, bool]]:
    """(bytes, True for a full run only) of sets of the whole device.

    Four an octave (two in a short run), to well past the L2 where there is room. Each once: where
    the L2 is small, whole chunks lie farther apart than a quarter of an octave.
    """
    cache = device.last_cache_bytes or USUAL_CACHE
    largest = PAST_CACHE * cache
    largest = min(largest, (device.memory_free_bytes or largest) // 4)
    smallest = max(MULTIPLE, cache // SMALLEST_SHARE)
    sizes: dict[int, bool] = {}
    step = 0
    while (size := round(smallest * 2 ** (step / 4) / MULTIPLE) * MULTIPLE) <= largest:
        sizes[size] = bool(step % 2) and sizes.get(size, True)
        step += 1
    yield from sizes.items()


def _params(device: Device, size: int, mode: str) -> dict[str, Any]:
    shape = _sm_shape(size) if mode == "sm" else GRID_SHAPE
    blocks = device.units * shape["per_sm"]
    readers = blocks if mode == "sm" else 1
    sets = {"readers": readers, "copies": readers, "pass_bytes": size * readers}
    return {"set_bytes": size, "mode": mode, **shape, "blocks": blocks, **sets}


def _sm_shape(size: int) -> dict[str, int]:
    chunk = SM_SHAPE["block"] * SM_SHAPE["unroll"] * VECTOR
    if size >= chunk:
        return SM_SHAPE
    return {**SM_SHAPE, "block": SMALL_BLOCK, "unroll": size // (SMALL_BLOCK * VECTOR)}


def _shared(device: Device) -> dict[str, Any]:
    """Each block reads a set of SHARED_BYTES in shared memory UNROLL times."""
    shape = _shared_shape(device, bytes_read=VECTOR)
    return {
        **shape,
        "mode": "shared",
        "set_bytes": SHARED_BYTES,
        "readers": shape["blocks"] * UNROLL,
    }


def _banks(device: Device, ways: int) -> dict[str, Any]:
    """Each lane loads a word UNROLL times; ``ways`` lanes of a warp share a bank."""
    shape = _shared_shape(device, bytes_read=WORD)
    return {**shape, "mode": "banks", "ways": ways, "reads": UNROLL}


def _shared_shape(device: Device, bytes_read: int) -> dict[str, int]:
    """Launch of a kernel whose threads read so many bytes of shared memory UNROLL times."""
    blocks = device.units * SHARED_BLOCKS
    return {
        "block": SHARED_BLOCK,
        "unroll": UNROLL,
        "blocks": blocks,
        "pass_bytes": SHARED_BLOCK * UNROLL * bytes_read * blocks,
    }


class SetKernel(CudaKernel):
    """Passes over sets in global memory: ``op`` is read, write or copy.

    In ``mode`` sm of the params each block has a set of its own; else all blocks visit one set
    together. One launch does all repetitions.
    """

    source = Path(__file__).with_name("cache.cu")
    entry = "sweep"
    clocks: Buffer

    def __init__(self, op: str, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        super().__init__(device, dtype, params)
        self.op = op
        self.together = params["mode"] != "sm"

    @property
    def chunks(self) -> int:
        """Chunks of each set, of a copy's source: ``unroll`` vectors of each thread of a block."""
        chunk = self.params["block"] * VECTOR * self.params["unroll"]
        return int(self.params["set_bytes"] // ARRAYS[self.op] // chunk)

    def defines(self) -> dict[str, object]:
        """The operation, the shape of the launch, and the cache that a load asks."""
        params = self.params
        macros: dict[str, object] = {"BLOCK": params["block"], "UNROLL": params["unroll"]}
        macros["LOAD"] = ".cg" if self.together else ".ca"
        if self.together:
            macros |= {"TOGETHER": 1, "VISITS": params["visits"], "SLOTS": params["blocks"]}
        if self.op in MOVES:
            macros |= {f"OP_{self.op.upper()}": 1, "WRITTEN": f"{WRITTEN_BITS}u"}
        return macros

    def work(self) -> Work:
        """That of one pass over every set."""
        return Work(0, self.params["pass_bytes"])

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The hot loop must hold just the loads and stores whose bytes are declared."""
        loads = self.params["unroll"] * ARRAYS[self.op]
        return sass.bytes_moved(cubin, OPCODES[self.op], VECTOR, loads, work)

    def allocate(self) -> None:
        """The sets with their contents, a sum of words of each thread, two clocks of each block."""
        params = self.params
        number: Any = np.float64 if self.op in MOVES else np.uint32
        size = params.get("copies", 1) * params["set_bytes"]
        self.sets = self.new(size // np.dtype(number).itemsize, number)
        self.sums = self.new(params["block"] * params["blocks"], np.uint32)
        self.clocks = self.new(2 * params["blocks"], np.uint64)
        if self.op in MOVES:
            self.sets.repeat(pattern.tile("fp64", 0))
        else:
            self.sets.repeat(words(min(size // WORD, WORD_LENGTH)))

    def run(self, repeat: int) -> None:
        """One launch. Together, a block makes ``visits`` and ends, so their number is the work."""
        blocks = self.params["blocks"]
        if self.together:
            blocks = repeat * self.chunks // self.params["visits"]
            self.sums.clear()
            self.clocks.clear()
        self.launch(
            blocks,
            self.params["block"],
            self.sets.pointer,
            self.sums.pointer,
            self.clocks.pointer,
            np.uint64(repeat * self.chunks),
            np.uint32(self.chunks),
        )

    def fetch(self) -> np.ndarray:
        """The sum of the words read; of a write or a copy, samples of what it left in the target.

        A copy's target held other elements of the pattern before.
        """
        if self.op not in MOVES:
            return _word_sum(self.sums)
        elements = self.sets.count // ARRAYS[self.op]
        starts, width = pattern.sample_starts(elements, ITEMSIZE["fp64"])
        return self.sets.download_at(starts + self.sets.count - elements, width)


class SharedKernel(CudaKernel):
    """Reads of a set that each block has in shared memory. One launch does all repetitions."""

    source = Path(__file__).with_name("shared.cu")
    entry = "shared"
    clocks: Buffer
    opcode = r"LDS.*\.128"
    """Of a load, as a regular expression."""
    load_bytes = VECTOR
    """Bytes of one load."""

    @property
    def set_bytes(self) -> int:
        """Bytes of each block's set."""
        return int(self.params["set_bytes"])

    def defines(self) -> dict[str, object]:
        """The set, and the shape of the launch."""
        return {
            "BLOCK": self.params["block"],
            "UNROLL": self.params["unroll"],
            "SHARED_BYTES": self.set_bytes,
        }

    def work(self) -> Work:
        """That of all loads of a repetition."""
        return Work(0, self.params["pass_bytes"])

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The hot loop must hold just the loads whose bytes are declared."""
        return sass.bytes_moved(cubin, self.opcode, self.load_bytes, self.params["unroll"], work)

    def allocate(self) -> None:
        """The set's contents, a sum of words of each thread, and two clocks of each block."""
        params = self.params
        self.set = self.new(self.set_bytes // WORD, np.uint32)
        self.sums = self.new(params["block"] * params["blocks"], np.uint32)
        self.clocks = self.new(2 * params["blocks"], np.uint64)
        self.set.repeat(words(min(self.set_bytes // WORD, WORD_LENGTH)))

    def run(self, repeat: int) -> None:
        """One launch; a repetition is a trip of its loop."""
        self.launch(
            self.params["blocks"],
            self.params["block"],
            self.set.pointer,
            self.sums.pointer,
            self.clocks.pointer,
            np.uint64(repeat),
        )

    def fetch(self) -> np.ndarray:
        """The sum of the words read."""
        return _word_sum(self.sums)


class BanksKernel(SharedKernel):
    """Reads of words in shared memory so that ``ways`` lanes of a warp share each bank."""

    opcode = "LDS"
    load_bytes = WORD
    set_bytes = BANK_BYTES

    def defines(self) -> dict[str, object]:
        """The words, the lanes that share a bank, and the shape of the launch."""
        return super().defines() | {"WAYS": self.params["ways"]}


def _word_sum(sums: Buffer) -> np.ndarray:
    """The sum of all threads' words modulo 2**32, shape (1,)."""
    total = int(sums.download().sum(dtype=np.uint64)) % (1 << 32)
    return np.array([total], np.float64)
