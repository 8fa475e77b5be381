"""The family of a layer, from an operation of ONNX or from the name of a kernel."""

from __future__ import annotations

import re

from kernels.onnx.work import OPERATIONS

FAMILIES = {
    "quantize": r"quantize(?!d)|fake quant",
    "attention": r"attention|\bf?mha\b|\bflash\b",
    "convolution": r"conv(?!er)|winograd|\b[fdw]prop\b|\b[dw]grad\b|\bs?cudnn (fp )?x",
    "softmax": r"soft ?max",
    "normalisation": r"\b(layer|batch|group|instance|rms) ?norm|normali[sz]",
    "pooling": r"pool",
    "image": r"resize|upsampl|bilinear|interpolat",
    "matmul": r"mat ?mul|gem[mv]|matrix multiply|fully ?connected|\b(fc|linear)\b|cutlass"
    r"|nvjet|wgmma|xmma|\b(add|b|badd)?b?mm\b"
    r"|split kreduce",
    "activation": r"re ?lu|sigmoid|tanh|ge ?lu|\berf\b|\bclip|swish|silu|activation",
    "elementwise": r"\b(add|mul|sub|div)\b|element ?wise|point ?wise|\bpwn\b",
    "movement": r"reshape|transpos|permut|concat|\bsplit|slice|reformat|shuffle|copy|gather"
    r"|flatten|squeeze|reorder"
    r"|\bcast|no ?op|\bpad|(nchw|nhwc) to",
}
"""Patterns of names in lower-case words, by family: the first that fits tells the family."""
HEAVIEST = (
    "convolution",
    "attention",
    "matmul",
    "softmax",
    "normalisation",
    "pooling",
    "image",
    "activation",
    "elementwise",
    "quantize",
    "movement",
)
"""Families in order: of those fused into one layer, the first is the layer's family."""
FUSED = re.compile(r" \+ | \|\| |\.\.\.")
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def family_of(name: str) -> str:
    """The family of an operation, layer or kernel by its name; empty if no word fits.

    It is ``convolution`` of ``FusedConv`` and of ``sm80_xmma_fprop_implicit_gemm``.
    """
    if name in OPERATIONS:
        return OPERATIONS[name].family
    families = []
    for part in FUSED.split(name):
        last_word = part.split("/")[-1]
        families.append(_of_words(last_word) or _of_words(part))
    return min(filter(None, families), key=HEAVIEST.index, default="")


def _of_words(name: str) -> str:
    text = " ".join(re.findall(r"[a-z]+", CAMEL.sub(" ", name).lower()))
    return next((family for family, words in FAMILIES.items() if re.search(words, text)), "")
