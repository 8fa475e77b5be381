"""Matrix units compute several times as fast as vector units."""

from __future__ import annotations

from analysis.lessons.frame.charts import Bar, Bars
from analysis.lessons.frame.evidence import Evidence, Untried
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si
from probes.records.need import Need
from probes.records.tag import COMPUTE, Tag

TIMES = 3.0
"""The rate of matrix units over that of vector units, at least."""
DTYPE = "fp16"
VECTOR = Need("compute", tags=("compute/fp16",), kinds=("cuda",))
MATRIX = Need("tensor_core", tags=("compute/fp16/*mma-fp32",))


def judge(evidence: Evidence) -> Finding:
    if evidence.kind == "cpu":
        raise Untried("it holds a GPU's matrix units against its vector units: take a GPU")
    matrix = [
        ceiling.tag
        for ceiling in evidence.ceilings.values()
        if ceiling.rate and _is_matrix(Tag.parse(ceiling.tag))
    ]
    if not matrix:
        raise Untried("this GPU has no matrix units: take one since Volta")
    fastest = max(matrix, key=lambda tag: evidence.ceilings[tag].rate or 0.0)
    of_vector = evidence.reached(str(Tag(COMPUTE, DTYPE)))
    of_matrix = evidence.reached(fastest)
    gain = of_matrix.over(of_vector)
    words = (
        f"In {DTYPE.upper()} the vector units compute {si(of_vector.value, 'FLOP/s')}, the matrix "
        f"units {si(of_matrix.value, 'FLOP/s')}: {short(gain.value)} times as much."
    )
    bars = [Bar("vector units", of_vector), Bar("matrix units", of_matrix, marked=True)]
    chart = Bars(across=f"Rate in {DTYPE.upper()}", unit="FLOP/s", bars=bars)
    return Finding(gain.above(TIMES), words, chart)


def _is_matrix(tag: Tag) -> bool:
    """True for a tag of matrix units with dense random operands."""
    is_dense = not tag.variants and not tag.is_sparse
    return tag.whole == Tag(COMPUTE, DTYPE) and not tag.on_vector_units and is_dense


LESSON = Lesson(
    name="matrix-units",
    title="Matrix units are several times as fast",
    claim="Matrix units multiply several times as fast as vector units of the same type.",
    source="NVIDIA, Hopper Tuning Guide; Jia et al., Dissecting Volta, 2018.",
    rule=f"It holds if they compute more than {TIMES:g} times the rate of the vector units.",
    needs=(VECTOR, MATRIX),
    judge=judge,
)
