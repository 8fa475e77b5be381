// A window of memory read again and again while a stream passes: whether the L2 keeps it is the question.
//
// A block reads one chunk of the stream, and one of the window: UNROLL loads of 16 bytes of each in flight in a thread.

#include "clock.cuh"

__device__ __forceinline__ uint4 load(const uint4 *at) {
  uint4 r;
  asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(at));
  return r;
}

__device__ __forceinline__ unsigned total(uint4 v) { return (v.x + v.y) + (v.z + v.w); }

// window: of so many chunks; stream: a chunk for each block; sums: one word a thread of SLOTS blocks, to which every
// SLOTS-th adds; clocks: cycles and nanoseconds likewise.
extern "C" __global__ void __launch_bounds__(BLOCK)
    window(const uint4 *window, const uint4 *stream, unsigned *sums, u64 *clocks, unsigned chunks) {
  const uint4 *kept = window + (size_t)(blockIdx.x % chunks) * (BLOCK * UNROLL) + threadIdx.x;
  const uint4 *passing = stream + (size_t)blockIdx.x * (BLOCK * UNROLL) + threadIdx.x;
  unsigned sum = 0;
  moment begin = now();
  uint4 a[UNROLL], b[UNROLL];
#pragma unroll
  for (int u = 0; u < UNROLL; u++) a[u] = load(passing + u * BLOCK);
#pragma unroll
  for (int u = 0; u < UNROLL; u++) b[u] = load(kept + u * BLOCK);
#pragma unroll
  for (int u = 0; u < UNROLL; u++) sum += total(a[u]) + total(b[u]);
  __syncthreads();
  unsigned slot = blockIdx.x % SLOTS;
  if (threadIdx.x == 0) add_passed(begin, clocks + 2 * slot);
  atomicAdd(sums + (size_t)slot * BLOCK + threadIdx.x, sum);
}
