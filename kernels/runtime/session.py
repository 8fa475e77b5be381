"""Layers through ONNX Runtime: a session for one provider, ready to be run again.

A run is one call of the runtime, on the harness's own stream where there is one.
"""

from __future__ import annotations

import io
import platform
import re
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels.base import Unavailable, one_line
from kernels.cuda.memory import Stream
from kernels.device import Device
from kernels.onnx.cut import SIZED_BY_DATA
from kernels.runtime.door import onnxruntime
from kernels.runtime.inputs import FREE, Chosen, Feeds, feeds
from kernels.runtime.launch import CAPTURED, PLAIN, PROVIDERS, OrtLaunch
from kernels.runtime.patience import SECONDS

if TYPE_CHECKING:
    from onnx import ModelProto

STATUS = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
"""The status with which an error of the runtime begins."""
SOURCE = re.compile(
    r"\S+\.(?:cc|cpp|cuh?|h):\d+ [^()]*(?:\((?:[^()]|\([^()]*\))*\))+(?: const)?(?: \[with "
    r"[^\]]*\])? "
)
"""The C++ file, line and function that an error of the runtime names."""
CRASHES = "onnxruntime 1.31 ends the whole process: it frees host memory where CUDA forbids it"


ARM = ("aarch64", "arm64")
"""64-bit Arm, as Python calls such a machine."""
ON_ARM = (
    "install onnxruntime-gpu on a server; no wheel of it has code for a Jetson, where TensorRT's "
    "times are taken (README, On a Jetson)"
)
"""What to do on Arm. The wheels of onnxruntime-gpu 1.31.1, for Python 3.11 and newer, hold code for
compute capabilities 8.9, 9.0, 12.0 and 12.1."""


def missing(backend: str) -> str:
    """Why this provider cannot run here, or nothing."""
    try:
        import onnx  # noqa: F401

        available = onnxruntime().get_available_providers()
    except ImportError as error:
        return f"{error.name} is not installed: pip install -e '.[layers]'"
    if PROVIDERS[backend] not in available:
        way_out = ON_ARM if platform.machine() in ARM else "install onnxruntime-gpu in its place"
        return f"this onnxruntime has no {PROVIDERS[backend]}: {way_out}"
    return ""


def build(
    model: ModelProto,
    dtype: str,
    backend: str,
    device: Device,
    queue: Any,
    how: str = "",
    chosen: Chosen = FREE,
    seconds: float = SECONDS,
    any_type: bool = False,
) -> OrtLaunch:
    """A launch of a ModelProto, fed as chosen.

    any_type: allow the provider to compute in another type than ``dtype``. On CUDA a layer whose
    every operation runs there is captured in a graph of the harness's stream, which leaves nothing
    of the runtime in its time; anything else is plain runs. ``how`` asks for one of the two.

    Raises Unavailable if the provider refuses it, or if a run on the CPU takes longer than
    ``seconds``.
    """
    if reason := missing(backend):
        raise Unavailable(reason)
    onnxruntime_quiet()
    inputs = feeds(model, chosen)
    if backend == "cpu":
        launch = _on_cpu(model, inputs, dtype, device, seconds)
    else:
        sized_by_data = sorted({node.op_type for node in model.graph.node} & SIZED_BY_DATA)
        if sized_by_data:
            raise Unavailable(f"{', '.join(sized_by_data)}: on a stream of ours {CRASHES}")
        preload()
        launch = _on_gpu(model, inputs, dtype, backend, device, queue, how or CAPTURED)
    launch.any_type = any_type
    return launch


def onnxruntime_quiet() -> None:
    """Keep the runtime from printing what it tried in vain; what matters is in the row."""
    onnxruntime().set_default_logger_severity(4)


@cache
def preload() -> None:
    """Load the vendor's libraries from their wheels: the runtime searches the system only."""
    if load := getattr(onnxruntime(), "preload_dlls", None):
        # It prints what it does not find. A session that cannot start says so.
        with redirect_stdout(io.StringIO()):
            load()


def _on_cpu(
    model: ModelProto, inputs: Feeds, dtype: str, device: Device, seconds: float
) -> OrtLaunch:
    cpus = tuple(device.facts.get("cpus") or range(device.units))[: device.units]
    session = _session(model, "cpu", _options(cpus), [PROVIDERS["cpu"]])
    launch = OrtLaunch(session, model, inputs, dtype, "cpu", seconds=seconds)
    try:
        launch.pin(cpus[0])
        # The second run refuses an output of another shape than its buffer was made for.
        _look(launch, "cpu", 2)
    except BaseException:
        launch.close()
        raise
    return launch


def _on_gpu(
    model: ModelProto,
    inputs: Feeds,
    dtype: str,
    backend: str,
    device: Device,
    queue: Stream,
    how: str,
) -> OrtLaunch:
    """A launch on a GPU, captured in a graph if ``how`` asks for that and it can be."""
    options = {"device_id": str(device.index), "user_compute_stream": str(queue.ptr)}
    if backend == "cuda":
        options["use_tf32"] = str(int(dtype == "tf32"))
    else:
        options["trt_fp16_enable"] = str(int(dtype == "fp16"))
        options["trt_int8_enable"] = str(int(dtype == "int8"))
    session = _session(model, backend, _options(), [(PROVIDERS[backend], options)])
    launch = OrtLaunch(session, model, inputs, dtype, backend, queue)
    try:
        _look(launch, backend, 2)  # the first run chooses algorithms
    except BaseException:
        launch.close()
        raise
    try:
        if how == CAPTURED and launch.on_device:
            launch.capture()
    except Exception:  # the driver's own types: a new session is run plainly
        launch.close()
        return _on_gpu(model, inputs, dtype, backend, device, queue, PLAIN)
    return launch


def _look(launch: OrtLaunch, backend: str, runs: int) -> None:
    """Run the launch under its profile. Raises Unavailable for every failure."""
    try:
        launch.look(runs)
    except Unavailable:
        raise
    except Exception as error:  # the runtime's own types, or the driver's
        raise Unavailable(f"{backend} provider cannot run it: {line_of(error)}") from None


@cache
def profiles() -> tempfile.TemporaryDirectory[str]:
    """The folder of profiles, removed when the program ends.

    A session that never ran leaves a profile, too.
    """
    return tempfile.TemporaryDirectory(prefix="ridgeline-")


def _options(cpus: Sequence[int] = (0,)) -> Any:
    """Options of a session with one thread for each of these processors.

    The first is the caller's thread. The others are pinned: unpinned, two of them may share a
    processor for longer than a layer is timed.
    """
    options = onnxruntime().SessionOptions()
    options.intra_op_num_threads = len(cpus)
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_profiling = True
    options.profile_file_prefix = str(Path(profiles().name) / "run")
    if len(cpus) > 1:
        others = ";".join(str(cpu + 1) for cpu in cpus[1:])  # the runtime counts processors from 1
        options.add_session_config_entry("session.intra_op_thread_affinities", others)
    return options


def _session(model: ModelProto, backend: str, options: Any, providers: Any) -> Any:
    """A session on the provider asked for. Raises Unavailable if that does not start."""
    try:
        session = onnxruntime().InferenceSession(
            model.SerializeToString(), options, providers=providers
        )
    except Exception as error:  # the runtime's own types, one for each status
        raise Unavailable(f"{backend} provider: {line_of(error)}") from None
    if session.get_providers()[0] != PROVIDERS[backend]:
        raise Unavailable(
            f"{PROVIDERS[backend]} does not start here: its libraries are missing or do not fit"
        )
    return session


def line_of(error: Exception) -> str:
    """An error of the runtime in one line, without its status and the C++ function."""
    text = " ".join(str(error).split())
    text = STATUS.sub("", text)
    return one_line(SOURCE.sub("", text))


def providers(device: Device) -> list[str]:
    """Backends worth asking on this device; TensorRT only where its library is."""
    if device.kind == "cpu":
        return ["cpu"]
    import importlib.util

    return ["cuda", "tensorrt"] if importlib.util.find_spec("tensorrt") else ["cuda"]
