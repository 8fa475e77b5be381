"""The chains again in Numba CUDA: how much of the rate Python reaches that way."""

from __future__ import annotations

from kernels.base import Audit, Work
from kernels.cuda.kernel import sm
from kernels.cuda.numba.fit import numba_that_fits
from kernels.fma.cuda import TYPES, FmaKernel


class NumbaFmaKernel(FmaKernel):
    """The chains of ``fma.cu``, compiled by Numba at the first launch."""

    def load(self) -> None:
        """Make the kernel, which is not compiled yet."""
        with numba_that_fits():
            from kernels.cuda.numba import launch as numba_launch
            from kernels.fma.jit import chains

            self.numba_launch = numba_launch
            self.function = chains(self.dtype, self.params["chains"], self.params["steps"])

    def allocate(self) -> None:
        """The same buffers; the kernel with its grid, on Numba's form of the stream."""
        super().allocate()
        number = TYPES[self.dtype].operand
        self.operands = [number(self.params["m"]), number(self.params["c"])]
        stream = self.numba_launch.stream(self.queue)
        self.configured = self.function[self.blocks, self.params["block"], stream]

    def run(self, repeat: int) -> None:
        """One launch; a repetition is a trip of its loop."""
        with numba_that_fits():  # the first launch compiles
            self.configured(self.out.address, self.clocks.address, repeat, *self.operands)

    def audit(self, work: Work) -> Audit:
        """Hold the machine code that Numba made against the declared work."""
        return self.numba_launch.audit(self.function, self.spec(), work, sm(self.device))
