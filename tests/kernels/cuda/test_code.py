"""Every CUDA kernel is compiled for every architecture, and does its declared work.

No GPU is needed for that.
"""

from __future__ import annotations

import errno
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernels import stream
from kernels.base import KernelError, Work
from kernels.cuda import cubins, disassembly, nvrtc, sass
from kernels.cuda import kernel as cuda_kernel
from kernels.fma import cuda as fma_cuda
from kernels.stream import cuda as stream_cuda
from kernels.stream.cuda import StreamKernel
from tests.devices import COMPILE_ONLY, GPU, SINCE_VOLTA, gpu
from tests.kernels.audits import read_at_once
from tests.kernels.made_up_cuda import Queue, installed

# bytes of an H100's shared memory: of a multiprocessor, and of the one block that takes most of it
H100_SHARED = 233472
H100_SHARED_OF_BLOCK = 232448
MORE_THAN_HALF = H100_SHARED // 2 + 1


def streamed(op: str, arch: str, params: dict[str, Any], dtype: str = "fp64") -> StreamKernel:
    """A stream's kernel over a small array, for an architecture."""
    return StreamKernel(op, gpu(arch), dtype, {"n": 1 << 12} | params)


def shared_facts(of_multiprocessor: int, of_block: int) -> dict[str, Any]:
    """What a device says of its shared memory, in bytes."""
    return {"shared_bytes_per_multiprocessor": of_multiprocessor, "shared_bytes_optin": of_block}


@pytest.mark.parametrize("arch", SINCE_VOLTA)
def test_chains_do_their_work_on_every_architecture(arch: str) -> None:
    device = gpu(arch)
    kernels = {}
    for dtype in fma_cuda.TYPES:
        if reason := fma_cuda.missing(device, dtype):
            assert dtype == "bf16", reason
            continue
        kernels[dtype] = fma_cuda.FmaKernel(device, dtype, fma_cuda.shape(device, dtype))
    with read_at_once(kernels.values()):
        for dtype, kernel in kernels.items():
            audit = kernel.audit(kernel.work())
            assert audit.problem == "", dtype
            if arch in COMPILE_ONLY:
                assert audit.note == f"not audited: nvdisasm refuses sm_{kernel.cubin.arch}"
            else:
                assert (audit.note, audit.instruction) != ("", ""), dtype


STREAMED = [
    *((arch, "fp64") for arch in ("5.0", "6.1", "7.0", "7.5", "9.0", "11.0", "12.0")),
    ("9.0", "fp32"),
]


@pytest.mark.parametrize(("arch", "dtype"), STREAMED)
def test_streams_move_whole_vectors(arch: str, dtype: str) -> None:
    device = replace(gpu(arch), facts=shared_facts(H100_SHARED, H100_SHARED_OF_BLOCK))
    launches = []
    for kernel in stream.KERNELS:
        for backend, params in stream_cuda.variants(kernel.name, device):
            if backend == "raw":
                launches.append(streamed(kernel.name, arch, params, dtype))
    with read_at_once(launches):
        for launch in launches:
            audit = launch.audit(launch.work())
            assert audit.problem == "", (launch.op, launch.params)
            bits = 8 * launch.width
            assert f".{bits}" in audit.instruction or arch in COMPILE_ONLY, launch.op


@pytest.mark.parametrize(
    ("op", "of_multiprocessor", "of_block", "expected_bytes"),
    [
        ("triad", H100_SHARED, H100_SHARED_OF_BLOCK, 116737),
        ("copy", H100_SHARED, H100_SHARED_OF_BLOCK, 77825),
        ("triad", 102400, 101376, 51201),  # compute capability 8.6
        ("triad", 65536, 32768, None),  # no block may have more than half
        ("copy", 65536, 32768, 21846),  # but a third
        ("copy", 0, 0, None),  # unknown
    ],
)
def test_blocks_take_so_much_shared_memory_that_one_more_has_no_room(
    op: str, of_multiprocessor: int, of_block: int, expected_bytes: int | None
) -> None:
    device = replace(GPU, facts=shared_facts(of_multiprocessor, of_block))
    variants = stream_cuda.variants(op, device)
    sizes = [params["shared_bytes"] for _, params in variants if params.get("shared_bytes")]
    assert sizes == ([expected_bytes] if expected_bytes else [])


def test_the_launch_takes_the_unused_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = installed(monkeypatch)
    taken: list[int] = []
    allowed: dict[str, int] = {}

    def kernel(grid: Any, block: Any, arguments: Any, shared_mem: int, stream: Any) -> None:
        taken.append(shared_mem)

    def function(path: Path, name: str, shared: int) -> Any:
        allowed[name] = shared
        return kernel

    monkeypatch.setattr(cuda_kernel, "function", function)
    for shared in (0, MORE_THAN_HALF):
        params = {"block": 1024, "vecs": 2}
        if shared:
            params["shared_bytes"] = shared
        launch = streamed("triad", "9.0", params)
        launch.ready(Queue(runtime))
        launch.run(2)
        launch.close()
        assert (allowed["stream"], taken[-2:]) == (shared, [shared, shared])


def test_a_stream_that_moves_less_or_in_smaller_pieces_is_caught() -> None:
    narrow = streamed("triad", "9.0", {"block": 256, "vecs": 2})
    wide = streamed("triad", "9.0", {"block": 256, "vecs": 4})
    problem = wide.inspect(narrow.build(), wide.work()).problem
    assert problem == "4 loads and 2 stores of 128 bits a thread, not 8 and 4"


# eight chains of multiply-adds in each thread, with places for a number of steps and for a store
SOURCE = """
extern "C" __global__ void f(float *out, int trips, float m, float c) {
  float x[8];
  #pragma unroll
  for (int k = 0; k < 8; k++) x[k] = 1.0f + k + threadIdx.x;
  #pragma unroll 1
  for (int t = 0; t < trips; t++) {
    #pragma unroll
    for (int s = 0; s < STEPS; s++) {
      #pragma unroll
      for (int k = 0; k < 8; k++) x[k] = x[k] * m + c;
    }
  }
  STORE
}
"""
STORE_ALL = "for (int k = 0; k < 8; k++) out[threadIdx.x * 8 + k] = x[k];"
# indices known only at run time: such an array has no place in registers
SPILL = (
    "float y[64]; for (int k = 0; k < 64; k++) y[k] = x[k & 7] + k; y[(int)c & 63] = 1; "
    "out[0] = y[(int)m & 63];"
)
STEPS = 128
SPEC = sass.Spec("FFMA", per_warp=64, warps=1, overhead=0.008)
WORK = Work(flops=8 * STEPS * 64)


def audited(
    folder: Path, steps: int = STEPS, store: str = STORE_ALL, work: Work = WORK
) -> sass.Audit:
    """Compile the source above with so many steps and this store, and audit it against the work."""
    source = folder / "planted.cu"
    source.write_text(SOURCE.replace("STEPS", str(steps)).replace("STORE", store))
    return sass.audit(nvrtc.compile_cubin(source, "90"), SPEC, work)


def test_an_honest_loop_passes(tmp_path: Path) -> None:
    assert audited(tmp_path) == sass.Audit("FFMA", operations=64)


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        ({"store": "if (m == 7) out[0] = 1;"}, "the compiler removed the work"),
        ({"store": "out[threadIdx.x] = x[0];"}, "operations a repetition, not"),
        ({"store": SPILL}, "local memory"),
        ({"steps": 64}, "32768 operations a repetition, not 65536"),
        ({"work": Work(flops=2 * WORK.flops)}, "65536 operations a repetition, not 131072"),
        (
            {"steps": 8, "work": Work(flops=WORK.flops / 16)},
            "of the loop's instructions are not FFMA",
        ),
    ],
    ids=["dead chains", "one live chain", "spill", "halved loop", "wrong count", "loop overhead"],
)
def test_planted_faults_are_caught(tmp_path: Path, planted: dict[str, Any], why: str) -> None:
    assert why in audited(tmp_path, **planted).problem


def test_a_compile_error_names_file_and_line(tmp_path: Path) -> None:
    source = tmp_path / "broken.cu"
    source.write_text("\n\nextern int f(;\n")
    with pytest.raises(KernelError, match=r"broken\.cu line 3: .*\(-arch=sm_90\)"):
        nvrtc.compile_cubin(source, "90")


def test_what_a_kernel_includes_counts_and_lines_stay_right(tmp_path: Path) -> None:
    source = tmp_path / "main.cu"
    header = tmp_path / "part.cuh"
    source.write_text(
        '#include "part.cuh"\n\nextern "C" __global__ void f(int *x) { *x = N + oops; }\n'
    )
    header.write_text("#define N 1\n#define M 2\n")
    with pytest.raises(KernelError, match=r"main\.cu line 3: .*oops"):
        nvrtc.compile_cubin(source, "90")
    source.write_text(source.read_text().replace(" + oops", ""))
    before = nvrtc.compile_cubin(source, "90")
    header.write_text("#define N 7\n")
    assert nvrtc.compile_cubin(source, "90").path != before.path


def test_an_architecture_no_compiler_knows_is_refused_with_what_there_is() -> None:
    with pytest.raises(KernelError, match=r"no NVRTC that compiles for sm_35 \(found: NVRTC 13"):
        nvrtc.compiler_for("35")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("libnvrtc.so.13", True),
        ("libnvrtc.so.11.2", True),  # of CUDA 11.2 to 11.8, so of JetPack 5
        ("libnvrtc.so", False),  # a link for linkers
        ("libnvrtc.so.11.4.300", False),  # what the link of that name leads to
        ("libnvrtc-builtins.so.11.4", False),
    ],
)
def test_a_compiler_is_known_by_the_name_of_its_file(
    name: str, is_one: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).touch()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert (tmp_path / name in set(nvrtc.libraries("libnvrtc"))) == is_one


def test_a_compiler_newer_than_the_driver_is_not_used() -> None:
    assert nvrtc.compiler_for("90").version[0] == 13
    assert nvrtc.compiler_for("90", newest_major=12).version[0] == 12
    with pytest.raises(KernelError, match="the driver supports CUDA 12, but only NVRTC 13"):
        nvrtc.compiler_for("110", newest_major=12)


def test_a_cubin_is_compiled_once_and_named_by_its_content(tmp_path: Path) -> None:
    source = tmp_path / "once.cu"
    source.write_text('extern "C" __global__ void f(int *x) { *x = N; }')
    first = nvrtc.compile_cubin(source, "90", {"N": 1})
    same = nvrtc.compile_cubin(source, "90", {"N": 1})
    other = nvrtc.compile_cubin(source, "90", {"N": 2})
    assert first.path == same.path != other.path
    assert first.path.read_bytes()[:4] == b"\x7fELF"


def test_without_a_disassembler_a_kernel_is_not_audited_and_does_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disassembly, "disassembler", lambda: None)
    audit = audited(tmp_path, steps=STEPS - 1)  # a kernel that no other test has audited
    assert (audit.problem, audit.note) == ("", sass.NOT_AUDITED)


def test_no_room_for_the_disassembler_is_not_called_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disassembly.tempfile, "NamedTemporaryFile", full)
    audit = audited(tmp_path, steps=STEPS - 2)  # a kernel that no other test has audited
    assert audit.note == "not audited: no space left on device"


def test_what_was_found_is_kept_beside_the_cubin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cubins, "cache_folder", lambda: tmp_path)
    planted = audited(tmp_path, steps=64)
    assert planted.problem
    monkeypatch.setattr(disassembly, "disassembler", lambda: None)
    assert audited(tmp_path, steps=64) == planted
    monkeypatch.setattr(sass, "audit_version", lambda: "another audit")
    sass.code_of.cache_clear()  # of this process, where the next answer would come from
    assert audited(tmp_path, steps=64).note == sass.NOT_AUDITED


def test_threads_that_need_one_kernel_compile_and_disassemble_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cubins, "cache_folder", lambda: tmp_path)
    source = tmp_path / "planted.cu"
    source.write_text(SOURCE.replace("STEPS", str(STEPS)).replace("STORE", STORE_ALL))
    calls: list[str] = []

    def counting(name: str, real: Any) -> Any:
        """The real function, which notes its name with each call."""

        def counted(*arguments: Any) -> Any:
            calls.append(name)
            return real(*arguments)

        return counted

    for module, name in ((nvrtc, "_build"), (sass, "disassemble")):
        monkeypatch.setattr(module, name, counting(name, getattr(module, name)))

    def ask(flops: int) -> sass.Audit:
        return sass.audit(nvrtc.compile_cubin(source, "90"), SPEC, Work(flops=flops))

    threads = 8
    with ThreadPoolExecutor(threads) as pool:
        audits = list(pool.map(ask, range(1, threads + 1)))
    assert sorted(calls) == ["_build", "disassemble"]
    assert len({audit.problem for audit in audits}) == threads
    answers = cubins.answers(next(tmp_path.glob("*.sass.json")))
    assert len(answers) == threads, "no answer overwrites another"


def test_no_room_for_a_cubin_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    message = r"cannot keep x\.cubin in .*: No space left on device; set XDG_CACHE_HOME"
    with pytest.raises(KernelError, match=message):
        cubins.store(tmp_path / "x.cubin", b"code")
    assert not list(tmp_path.iterdir())


def test_the_disassembler_is_there() -> None:
    assert disassembly.disassembler() or shutil.which("nvdisasm"), (
        "the checks above need it: pip install nvidia-cuda-nvdisasm"
    )
