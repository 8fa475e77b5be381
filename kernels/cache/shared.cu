// A set in shared memory read again and again inside one launch, UNROLL loads in flight in each thread.
//
// Loads of 16 bytes, one after another; with WAYS loads of 4 bytes that make WAYS lanes share each bank. They are
// volatile: a load whose address never changes would be moved out of the loop.

#include "clock.cuh"

#if defined(WAYS)
typedef unsigned value;
__device__ __forceinline__ value load(unsigned at) {
  value r;
  asm volatile("ld.volatile.shared.u32 %0, [%1];" : "=r"(r) : "r"(at));
  return r;
}
__device__ __forceinline__ unsigned total(value v) { return v; }
#define FIRST(thread) (thread % 32 * WAYS * 4)
#define NEXT(u) (u % WAYS * 4)
#else
typedef uint4 value;
__device__ __forceinline__ value load(unsigned at) {
  value r;
  asm volatile("ld.volatile.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w)
               : "r"(at));
  return r;
}
__device__ __forceinline__ unsigned total(value v) { return (v.x + v.y) + (v.z + v.w); }
#define FIRST(thread) (thread * 16)
#define NEXT(u) (u % (SHARED_BYTES / 16 / BLOCK) * BLOCK * 16)
#endif

// x: the set's contents; sums: one word a thread; clocks: cycles and nanoseconds of each block; trips: of the loop.
extern "C" __global__ void __launch_bounds__(BLOCK) shared(const uint4 *x, unsigned *sums, u64 *clocks, u64 trips) {
  unsigned sum = 0;
  __shared__ uint4 set[SHARED_BYTES / 16];
  for (unsigned i = threadIdx.x; i < SHARED_BYTES / 16; i += BLOCK) set[i] = x[i];
  unsigned first = (unsigned)__cvta_generic_to_shared(set) + FIRST(threadIdx.x);
  __syncthreads();
  moment begin = now();
#pragma unroll 1
  for (u64 t = 0; t < trips; t++) {
    value r[UNROLL];
#pragma unroll
    for (int u = 0; u < UNROLL; u++) r[u] = load(first + NEXT(u));
#pragma unroll
    for (int u = 0; u < UNROLL; u++) sum += total(r[u]);
  }
  __syncthreads();
  if (threadIdx.x == 0) passed(begin, clocks);
  sums[(size_t)blockIdx.x * BLOCK + threadIdx.x] = sum;
}
