// Hopper's warpgroup multiply-accumulate, m64n256: operands in shared memory (A also in registers), accumulators in
// registers. One accumulator tile a warpgroup, STEPS instructions on it in one trip of the loop.
//
// The instruction comes from table.py; operands come as the exact image of shared memory. SLICES parts of k stay
// there; two A alternate from one round of slices to the next.

#include "clock.cuh"
#include "operands.cuh"

#ifdef A_IN_REGISTERS
#define SOURCE_A(which, slice) OPERANDS(4, "r", av[which][slice])
#else
#define SOURCE_A(which, slice) "l"(descriptor(which * A_BYTES + slice * A_SLICE))
#endif
#ifdef SPARSE
#define SELECTED(slice) , "r"(kept[slice])
#else
#define SELECTED(slice)
#endif

extern __shared__ __align__(1024) unsigned char shared[];

// Matrix descriptor: address, leading and stride byte offsets in units of 16 bytes at bits 0, 16 and 32, swizzle at
// 62. FIELDS holds all but the address.
__device__ __forceinline__ u64 descriptor(unsigned offset) {
  return (FIELDS | (unsigned)__cvta_generic_to_shared(shared) >> 4) + (offset >> 4);
}

// b's slice: rows of 128 bytes make one panel, so a slice of 64 bytes sees two to a panel.
__device__ __forceinline__ constexpr unsigned b_offset(int slice) {
  return B_START + slice * B_SLICE / 128 * 128 * N + slice * B_SLICE % 128;
}

// image: shared memory as it must be. a: A as registers, metadata: one word a slice, both of a warpgroup.
// out: the tiles of the first and the last block. clocks: cycles and nanoseconds of each block.
extern "C" __global__ void __launch_bounds__(128 * GROUPS, BLOCKS_PER_SM)
    chains(const uint4 *image, const unsigned *a, const unsigned *metadata, const ACCUMULATOR *starts, ACCUMULATOR *out,
           u64 *clocks, int trips) {
  const int thread = threadIdx.x % 128, group = threadIdx.x / 128;
  for (int i = threadIdx.x; i < IMAGE_BYTES / 16; i += 128 * GROUPS) ((uint4 *)shared)[i] = image[i];
  asm volatile("fence.proxy.async;" ::: "memory");
#ifdef A_IN_REGISTERS
  unsigned av[2][SLICES][4];
#pragma unroll
  for (int i = 0; i < 8 * SLICES; i++) av[i / 4 / SLICES][i / 4 % SLICES][i % 4] = a[128 * i + thread];
#endif
#ifdef SPARSE
  unsigned kept[SLICES];
#pragma unroll
  for (int i = 0; i < SLICES; i++) kept[i] = metadata[128 * i + thread];
#endif
  ACCUMULATOR c[C_COUNT];
#pragma unroll
  for (int i = 0; i < C_COUNT; i++) c[i] = starts[0];

  __syncthreads();
  const u64 begin_ns = nanoseconds(), begin = cycles();
#pragma unroll 1
  for (int t = 0; t < trips; t++) {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
    for (int s = 0; s < STEPS; s++)
      asm volatile(MULTIPLY
                   : OPERANDS(C_COUNT, "+" ACCUMULATOR_KIND, c)
                   : SOURCE_A(s / SLICES % 2, s % SLICES), "l"(descriptor(b_offset(s % SLICES))) SELECTED(s % SLICES));
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  }
  __syncthreads();
  const u64 end = cycles(), end_ns = nanoseconds();
  if (threadIdx.x == 0) {
    clocks[2 * blockIdx.x] = end - begin;
    clocks[2 * blockIdx.x + 1] = end_ns - begin_ns;
  }

  const bool first = blockIdx.x == 0, last = blockIdx.x == gridDim.x - 1;
  if (!first && !last) return;
  ACCUMULATOR *tile = out + ((first ? 0 : GROUPS) + group) * C_COUNT * 128;
#pragma unroll
  for (int i = 0; i < C_COUNT; i++) tile[i * 128 + thread] = c[i];
}
