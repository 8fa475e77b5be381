"""A stand-in for TensorRT's trtexec: it answers like 8.6, 10.3 or 11.4, and runs nothing.

It is started as a program. Its layers are those of the ONNX network that it is given: a convolution
or product with the Relu behind it is one, and there are reformats. What it is to do wrong stands in
the environment: TRTEXEC_FAULT, and TRTEXEC_FAULT_AT says in which start.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

BANNERS = {"8.6": "v8601", "10.3": "v100300", "11.4": "v110400"}
COMMON = (
    "onnx saveEngine loadEngine profilingVerbosity skipInference timingCacheFile useCudaGraph "
    "useSpinWait noDataTransfers warmUp duration iterations exportTimes exportProfile "
    "exportLayerInfo device noTF32 shapes verbose help"
)
WEAK = {"8.6": "fp16 int8 best fp8", "10.3": "fp16 bf16 int8 fp8 best stronglyTyped", "11.4": ""}
MAGIC = b"ftrt"
FAULTS = {
    "memory": (
        1,
        "[E] Error[2]: [virtualMemoryBuffer.cpp::resizePhysical::140] Error Code 2: OutOfMemory "
        "(no further information)",
    ),
    "operation": (
        1,
        "[E] [TRT] 4: [pluginCreator] getPluginCreator could not find plugin Strange version: 1",
    ),
    "kernel": (
        1,
        "[E] Error[10]: [optimizer.cpp::computeCosts::3869] Error Code 10: Internal Error "
        "(Could not find any implementation for node conv1 + relu1.)",
    ),
    "version": (
        1,
        "[E] Error[1]: [stdArchiveReader.cpp::StdArchiveReaderInitCommon::46] Error Code 1: "
        "Serialization (Serialization assertion stdVersionRead == kSERIALIZATION_VERSION failed."
        "Version tag does not match. Note: Current Version: 236, Serialized Engine Version: 239)",
    ),
    "library": (
        127,
        "trtexec: error while loading shared libraries: libnvinfer.so.8: cannot open shared object "
        "file: No such file or directory",
    ),
    "driver": (
        1,
        "[E] Error[6]: CUDA initialization failure with error: 35. Please check your CUDA install",
    ),
    "silent": (3, ""),
}


def main(version: str, arguments: list[str]) -> int:
    """Answer one start; returns the exit code."""
    options = dict(argument.partition("=")[::2] for argument in arguments)
    step = "help"
    for name, flag in (("build", "--onnx"), ("layers", "--exportProfile"), ("whole", "--times")):
        if flag in options:
            step = name
    if "--exportTimes" in options:
        step = "whole"
    note_start(arguments)
    fault = os.environ.get("TRTEXEC_FAULT", "")
    if fault and os.environ.get("TRTEXEC_FAULT_AT", "build") == step:
        code = do_wrong(fault)
        if code is not None:
            return code
    tell(f"&&&& RUNNING TensorRT.trtexec [TensorRT {BANNERS[version]}] # {' '.join(arguments)}")
    known = [f"--{name}" for name in f"{COMMON} {WEAK[version]}".split()]
    if "--help" in options:
        tell("=== Model Options ===")
        for flag in known:
            tell(f"  {flag:34} words")
        return 0
    for flag in options:
        if flag not in known:
            tell(f"[01/02/2030-03:04:05] [E] Unknown option: {flag} ")
            return 1
    tell("[01/02/2030-03:04:05] [I] === Device Information ===")
    tell(f"[I] Selected Device: {os.environ.get('TRTEXEC_DEVICE', 'Made-up GPU')}")
    tell(f"[I] Compute Capability: {os.environ.get('TRTEXEC_ARCH', '9.0')}")
    if step == "build":
        build(version, options)
    elif "--loadEngine" in options:
        content = Path(options["--loadEngine"]).read_bytes()
        if not content.startswith(MAGIC):
            tell("[E] Error[1]: Serialization (magicTag does not match) Engine deserialization")
            return 1
        engine = json.loads(content[len(MAGIC) :])
        if engine["version"] != version:
            tell(FAULTS["version"][1])
            return 1
        run(version, engine, options)
    tell("&&&& PASSED TensorRT.trtexec")
    return 0


def note_start(arguments: list[str]) -> None:
    """Leave a line of this start, with the number of the process, for the test."""
    log = os.environ.get("TRTEXEC_LOG")
    if log:
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {' '.join(arguments)}\n")


def do_wrong(fault: str) -> int | None:
    """What a fault does; the exit code, or None where it goes on."""
    if fault == "hang":
        child = os.fork()
        tell("[I] building for ever")
        time.sleep(600)
        return child
    if fault in ("crash", "kill"):
        os.kill(os.getpid(), 11 if fault == "crash" else 9)
    if fault in FAULTS:
        code, line = FAULTS[fault]
        tell(line)
        return code
    return None


def build(version: str, options: dict[str, str]) -> None:
    """Write an engine: the layers it would have."""
    import onnx

    tell("[I] Start parsing network model.")
    model = onnx.load(options["--onnx"])
    tell("[I] Finished parsing network model.")
    integers = "--int8" in options or any(
        node.op_type == "QuantizeLinear" for node in model.graph.node
    )
    halves = "--fp16" in options or any(node.op_type == "Cast" for node in model.graph.node)
    dtype = "Int8" if integers else "Half" if halves else "Float"
    layers = list(layers_of(version, model, dtype))
    stored = {tensor.name for tensor in model.graph.initializer}
    fed = next(value for value in model.graph.input if value.name not in stored)
    batch = fed.type.tensor_type.shape.dim[0].dim_value
    for described in layers:
        for side in ("Inputs", "Outputs"):
            described[side][0]["Dimensions"] = [batch, 8, 16, 16]
    content = json.dumps({"version": version, "layers": layers}).encode()
    Path(options["--saveEngine"]).write_bytes(MAGIC + content)
    tell("[I] Engine built in 1.5 sec.")


def layers_of(version: str, model: Any, dtype: str) -> Any:
    """The layers of a network: weighted operations, each with its Relu."""
    dropped = {"QuantizeLinear", "DequantizeLinear", "Cast", "Dropout", "Identity", "Constant"}
    nodes = [node for node in model.graph.node if node.op_type not in dropped]
    yield layer("Reformatting CopyNode for Input Tensor 0 to first", "Reformat", "", "", dtype)
    if dtype == "Int8":
        yield layer("Reformatting CopyNode for Output Tensor 0 to last", "Reformat", "", "", "Half")
    while nodes:
        node = nodes.pop(0)
        if not nodes and dtype == "Int8":  # the last layer has no kernel on integers
            dtype = "Half"
        names = [node.name or f"node_of_{node.output[0]}"]
        if node.op_type in ("Conv", "Gemm") and nodes and nodes[0].op_type == "Relu":
            names.append(nodes.pop(0).name)
        kind = {"Conv": "CaskConvolution", "Gemm": "CaskGemmConvolution"}.get(node.op_type, "kgen")
        metadata = ""
        if not version.startswith("8"):
            metadata = "\x1f".join(f"[ONNX Layer: {name}]" for name in names)
        yield layer(" + ".join(names), kind, metadata, tactic(kind, dtype), dtype)


def tactic(kind: str, dtype: str) -> str:
    """A kernel's name as TensorRT has them."""
    if not kind.startswith("Cask"):
        return ""
    return {
        "Int8": "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_tensor16x8x32",
        "Half": "ampere_h16816cudnn_128x64_ldg8_relu_interior_nhwc_tn_v1",
        "Float": "maxwell_scudnn_128x64_relu_small_nn_v1",
    }[dtype]


def layer(name: str, kind: str, metadata: str, tactic_name: str, dtype: str) -> dict[str, Any]:
    """One layer as the engine inspector describes it."""
    shape = {"Dimensions": [1, 8, 16, 16], "Format/Datatype": dtype}
    described: dict[str, Any] = {
        "Name": name,
        "LayerType": kind,
        "Inputs": [{"Name": "in", **shape}],
        "Outputs": [{"Name": "out", **shape}],
        "TacticName": tactic_name,
    }
    if metadata:
        described["Metadata"] = metadata
    return described


def run(version: str, engine: dict[str, Any], options: dict[str, str]) -> None:
    """Write the files of a timing."""
    layers = engine["layers"]
    tell("[I] Starting inference")
    batch = layers[0]["Inputs"][0]["Dimensions"][0]
    each = 0.004 + 0.002 * batch
    total = each * len(layers)
    if "--exportTimes" in options:
        runs = [{"computeMs": total * (1 + 0.001 * (i % 3)), "latencyMs": total} for i in range(40)]
        Path(options["--exportTimes"]).write_text(json.dumps(runs), encoding="utf-8")
        tell(f"[I] GPU Compute Time: min = {total} ms, max = 1 ms, median = {total} ms")
    if "--exportProfile" in options:
        profile: list[dict[str, Any]] = [{"count": 100}]
        for described in layers:
            times = {"timeMs": 100 * each, "averageMs": each, "medianMs": each}
            profile.append({"name": described["Name"], **times, "percentage": 1.0})
        Path(options["--exportProfile"]).write_text(json.dumps(profile), encoding="utf-8")
    if "--exportLayerInfo" in options:
        info: dict[str, Any] = {"Layers": layers, "Bindings": ["in", "out"]}
        if version.startswith("11"):
            info = {"Layers": layers, "I/O Tensors": []}
        Path(options["--exportLayerInfo"]).write_text(json.dumps(info), encoding="utf-8")


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
