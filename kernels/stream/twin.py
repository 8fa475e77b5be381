"""The streams again in Numba CUDA: how much of the rate Python reaches that way."""

from __future__ import annotations

from kernels import pattern
from kernels.base import Audit, Work
from kernels.cuda.kernel import sm
from kernels.cuda.numba.fit import numba_that_fits
from kernels.pattern import FLOATS
from kernels.stream.cuda import StreamKernel


class NumbaStreamKernel(StreamKernel):
    """The pass of ``stream.cu``, compiled by Numba at the first launch."""

    def load(self) -> None:
        """Make the kernel, which is not compiled yet."""
        with numba_that_fits():
            from kernels.cuda.numba import launch as numba_launch
            from kernels.stream.jit import streams

            self.numba_launch = numba_launch
            self.function = streams(self.op, self.dtype, self.params["block"])

    def allocate(self) -> None:
        """The same buffers; the kernel with its grid, on Numba's form of the stream."""
        super().allocate()
        number = FLOATS[self.dtype]
        self.arguments = (
            *self.addresses(),
            self.sums.address,
            self.vectors,
            number(pattern.SCALE),
            number(pattern.WRITTEN),
        )
        stream = self.numba_launch.stream(self.queue)
        self.configured = self.function[self.blocks, self.params["block"], stream]

    def run(self, repeat: int) -> None:
        """A launch for each repetition."""
        with numba_that_fits():  # the first launch compiles
            for _ in range(repeat):
                self.configured(*self.arguments)

    def audit(self, work: Work) -> Audit:
        """Hold the machine code that Numba made against the vectors a thread should move."""
        cubin = self.numba_launch.cubin_of(self.function, sm(self.device))
        if cubin is None:
            return Audit(note=self.numba_launch.NOT_AUDITED)
        return self.inspect(cubin, work)
