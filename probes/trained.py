"""What do integers do to the layers and activations of a trained network?

The network is rapidocr's classifier of the direction of a word. Each case tries one thing on all of
its layers or activations, exactly, on the host's CPU; what it found stands in its row. Its time is
that of one word in FP32 without optimisation, and of no interest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from kernels.base import Audit, Kernel, Unavailable, Work, no_memory, no_work
from kernels.device import Device
from kernels.runtime.answers import DEPLOYED, answers
from probes.accuracy import textbook, trained
from probes.accuracy.exact import Exact
from probes.accuracy.textbook import LayerFact
from probes.harness.case import Case, run_alone
from probes.records.tag import RECIPE, Tag

DEFAULT = FULL = False
STUDY_SECONDS = 30.0
"""What a study may be expected to take."""
TOLERANCE = 1e-3
"""Between the scores with and without the runtime's optimisations, over the largest."""
STUDIES: Mapping[str, Callable[[], Iterator[LayerFact]]] = {
    "weights": textbook.weights_by_channel,
    "calibration": textbook.calibrations,
    "layers": textbook.sensitivities,
}
"""What is tried, by the name of its case."""


def cases(device: Device) -> Iterator[Case]:
    """Every study, on the host whatever the device is."""
    skip = trained.missing()
    for name, study in STUDIES.items():
        kernel = Kernel(
            "direction",
            no_work,
            _scores,
            {"cpu": partial(_build, study)},
            {"fp32": TOLERANCE},
            footprint=no_memory,
            slow_seconds=STUDY_SECONDS,
        )
        params = {"network": textbook.NAME, "study": name}
        yield Case(kernel, "fp32", "cpu", Tag(RECIPE, textbook.NAME, name), params, skip)


def _scores(dtype: str, repeat: int, **_: Any) -> np.ndarray:
    """The scores of the first word, by the runtime with all its optimisations."""
    network = textbook.network()
    outputs = answers(network.observed, network.test[0], DEPLOYED)
    names = [value.name for value in network.observed.graph.output]
    return np.concatenate([outputs[names.index(name)].ravel() for name in network.scores])


class StudyLaunch:
    """The network in FP32 on one word; its audit is the study."""

    def __init__(self, study: Callable[[], Iterator[LayerFact]]) -> None:
        self._study = study
        self._network = textbook.network()
        self._exact: Exact | None = Exact(self._network.observed)
        self._scores = np.zeros(0)

    def run(self, repeat: int) -> None:
        """One answer after the other."""
        assert self._exact is not None
        for _ in range(repeat):
            answer = self._exact.run(self._network.test[0])
        self._scores = np.concatenate([answer[name].ravel() for name in self._network.scores])

    def result(self) -> np.ndarray:
        """The scores of the last answer."""
        return self._scores

    def clock_hz(self) -> float | None:
        """Not observed."""
        return None

    def audit(self, work: Work) -> Audit:
        """What the study finds, for the row's params."""
        facts = [asdict(fact) for fact in self._study()]
        return Audit(facts={"found": facts}, note="computed exactly, on the CPU")

    def close(self) -> None:
        """Let the session go."""
        self._exact = None


def _build(
    study: Callable[[], Iterator[LayerFact]],
    device: Device,
    dtype: str,
    params: Mapping[str, Any],
    queue: Any,
) -> StudyLaunch:
    if reason := trained.missing():
        raise Unavailable(reason)
    return StudyLaunch(study)


if __name__ == "__main__":
    run_alone(__file__)
