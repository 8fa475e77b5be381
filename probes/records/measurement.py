"""The rows of a run's tables: a Measurement of each case, a Moment of a sustained load.

Standard library only, so that a run copied from another machine can be read anywhere. Raw facts are
stored; rates are properties derived from them, so a stored row can never disagree with itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from probes.records.layer import LayerFacts, read_params
from probes.records.tag import Sweep, Tag, parse_tag

SCHEMA_VERSION = 2
"""What this program writes; a higher one is refused. 2 has the columns ``x`` and ``emulated``."""
OK, SKIPPED, FAILED = "ok", "skipped", "failed"
"""What the status of a row can be."""
WIDEST_SPREAD = 0.20
"""The largest ``spread`` of a row that can be trusted: a wider interval says too little."""
FORMERLY_DISTURBED = "other load disturbed most samples; all were kept"
"""The remark, in runs without the column ``trusted``, on a row that cannot be trusted."""
FORMERLY_EMULATED = "emulated with "
"""How the remark begins, in runs of schema 1, on a path that was emulated."""
FORMERLY_WIDE = "not quiet: the median is known to ±"
"""How the remark begins, in runs without the column ``trusted``, on a wide interval. It is dropped:
the row has the interval itself.
"""


class RidgelineError(Exception):
    """Bad input or an unusable machine: one line to the user, and exit code 2.

    The line names the thing, the value and the way out. The class stands here since both probes and
    analysis may import it from here.
    """


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One timed, skipped or failed case: a row of ``measurements.csv``, a field a column.

    results/README.md has the units.
    """

    schema_version: int
    """Which columns there are, and what they mean."""
    device: str
    """Name of the device."""
    started: str
    """When the run began, in UTC."""
    probe: str
    """The probe that asked."""
    kernel: str
    """The operation."""
    backend: str
    """Its implementation: ``raw``, ``numba``, ``cpu``, or who ran a layer."""
    dtype: str
    """Type of its numbers."""
    ceiling: str
    """The tag it speaks for."""
    params: str
    """Size and launch of the case, and what was found of it, as JSON."""
    status: str
    """``ok``, ``skipped`` or ``failed``."""
    reason: str = ""
    """Why it was skipped or failed; of a row that is ok, a remark."""
    flops: float | None = None
    """Least operations of one repetition, of the row's type; None is unknown."""
    bytes: float | None = None
    """Least traffic of one repetition."""
    seconds_median: float | None = None
    """Time of one repetition: the median of all samples."""
    seconds_best: float | None = None
    """The shortest sample."""
    seconds_low: float | None = None
    """Lower end of the median's interval."""
    seconds_high: float | None = None
    """Upper end of the median's interval."""
    samples: int = 0
    """Timings used."""
    dropped: int = 0
    """Timings left out, since something disturbed them."""
    clock_hz: float | None = None
    """Clock of the units observed meanwhile; None where it could not be read clean."""
    instruction: str = ""
    """The opcode of the hot loop, as it was found in the machine code."""
    trusted: bool = True
    """False for a row that may be wrong though it is ok: it draws no roof and carries no
    verdict.
    """
    doubt: str = ""
    """Why it cannot be trusted."""
    x: float | None = None
    """Where a point of a sweep stands on its axis; None for all other rows."""
    emulated: bool = False
    """True if the compiler made other instructions of the path: the rate is not the unit's own."""
    power_w: float | None = None
    """Mean power of the device while this case alone ran, after its samples; None if unknown."""
    joules: float | None = None
    """Energy of one repetition during that time."""

    @cached_property
    def tag(self) -> Tag | Sweep:
        """What the row speaks of, with its parts. Raises ValueError if ``ceiling`` is no tag."""
        return parse_tag(self.ceiling)

    @property
    def sweep(self) -> Sweep | None:
        """The sweep that the row is a point of; None for all other rows."""
        return self.tag if isinstance(self.tag, Sweep) else None

    @property
    def quantity(self) -> str:
        """What was measured: ``bandwidth`` of bandwidth/dram/copy, and of a sweep of bandwidths."""
        return self.tag.quantity

    @property
    def work(self) -> float | None:
        """Bytes of a bandwidth or transfer, operations of compute or a layer; None of a time."""
        column = self.tag.counts
        return getattr(self, column) if column else None

    @property
    def value(self) -> float | None:
        """Its rate, or the median seconds of a latency or an overhead; None unless it is ok."""
        if self.tag.counts:
            return self.rate
        return self.seconds_median if self.status == OK else None

    @cached_property
    def facts(self) -> LayerFacts:
        """What the row says of the layer that was timed: its ``params``, else its own columns.

        The subject of a layer's tag is its family.
        """
        family = self.tag.subject if isinstance(self.tag, Tag) else ""
        return LayerFacts.read(
            self.params, op=self.kernel, family=family, provider=self.backend, precision=self.dtype
        )

    @property
    def beside(self) -> dict[str, float]:
        """Rates (FLOP/s, B/s) of other cases timed in turn with this row's samples, by tag.

        Most rows have none.
        """
        return dict(read_params(self.params).get("beside") or {})

    @property
    def together(self) -> dict[str, float]:
        """Rates in B/s of those who worked at once (``gpu``, ``cpu``), and of each ``…_alone``.

        Most rows have none.
        """
        return dict(read_params(self.params).get("together") or {})

    @property
    def layer(self) -> str:
        """Name of the layer that was timed, empty for anything else."""
        return self.facts.layer

    @property
    def rate(self) -> float | None:
        """Work over the median time, in B/s, FLOP/s or OP/s; None unless the row is ok."""
        if self.status != OK or not self.work or not self.seconds_median:
            return None
        return self.work / self.seconds_median

    @property
    def per_watt(self) -> float | None:
        """Work for each joule, which is its rate for each watt; None if its energy is unknown."""
        if self.status != OK or not self.work or not self.joules:
            return None
        return self.work / self.joules

    @property
    def spread(self) -> float | None:
        """Half-width of the median's interval over the median; None if there is no interval."""
        if self.seconds_low is None or self.seconds_high is None or not self.seconds_median:
            return None
        return (self.seconds_high - self.seconds_low) / 2 / self.seconds_median


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One point of the curve of a sustained load: a row of ``sustained.csv``. None is unknown."""

    schema_version: int
    """Which columns there are, and what they mean."""
    device: str
    """Name of the device."""
    started: str
    """When the run began, in UTC."""
    tag: str
    """The path under load."""
    seconds: float
    """Since the load began."""
    rate: float
    """Operations a second."""
    clock_hz: float | None
    """Clock of the units."""
    power_w: float | None
    """Power that the device draws."""
    temperature_c: float | None
    """Its temperature."""
