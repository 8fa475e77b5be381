// Working sets in global memory read again and again inside one launch, from caches.
//
// UNROLL loads of 16 bytes in flight in each thread, one chunk of BLOCK x UNROLL of them after another. Each block
// reads a set of its own, so that its L1 holds it; of one set that all read, a line would be fetched once for several
// of them. TOGETHER, all read one set, a block VISITS chunks of it, and ends: passes over the set follow one another in
// the order in which multiprocessors come free, so that only the L2 can hold it and no two read it in step. With
// OP_WRITE it stores instead, with OP_COPY it loads from the set's first half and stores to the second. LOAD is .ca or
// .cg.

#include "clock.cuh"
#include "text.cuh"

__device__ __forceinline__ uint4 load(const uint4 *at) {
  uint4 r;
  asm volatile("ld.global" TEXT(LOAD) ".v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w)
               : "l"(at));
  return r;
}

__device__ __forceinline__ void store(uint4 *at, uint4 v) {
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(at), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}

__device__ __forceinline__ unsigned total(uint4 v) { return (v.x + v.y) + (v.z + v.w); }

// x: each set, of so many chunks (a copy's source); sums: one word a thread; clocks: cycles and nanoseconds of each
// block; reads: chunks each block reads. TOGETHER, every SLOTS-th block adds to the same sums and clocks.
extern "C" __global__ void __launch_bounds__(BLOCK)
    sweep(uint4 *x, unsigned *sums, u64 *clocks, u64 reads, unsigned chunks) {
  unsigned sum = 0;
#if defined(TOGETHER)
  unsigned chunk = blockIdx.x % (chunks / VISITS) * VISITS;
  u64 visits = VISITS;
#else
  unsigned chunk = 0;
  u64 visits = reads;
  x += (size_t)blockIdx.x * chunks * (BLOCK * UNROLL);
#endif
  x += threadIdx.x;
  __syncthreads();
  moment begin = now();
#pragma unroll 1
  for (u64 v = 0; v < visits; v++) {
    uint4 *at = x + (size_t)chunk * (BLOCK * UNROLL);
    uint4 r[UNROLL];
#pragma unroll
#if defined(OP_WRITE)
    for (int u = 0; u < UNROLL; u++) r[u] = make_uint4(0, WRITTEN, 0, WRITTEN);
#else
    for (int u = 0; u < UNROLL; u++) r[u] = load(at + u * BLOCK);
#endif
#if defined(OP_WRITE) || defined(OP_COPY)
#if defined(OP_COPY)
    at += (size_t)chunks * (BLOCK * UNROLL);
#endif
#pragma unroll
    for (int u = 0; u < UNROLL; u++) store(at + u * BLOCK, r[u]);
#endif
    if (++chunk >= chunks) chunk = 0;
#if !defined(OP_WRITE) && !defined(OP_COPY)
#pragma unroll
    for (int u = 0; u < UNROLL; u++) sum += total(r[u]);
#endif
  }
  __syncthreads();
#if defined(TOGETHER)
  unsigned slot = blockIdx.x % SLOTS;
  if (threadIdx.x == 0) add_passed(begin, clocks + 2 * slot);
  atomicAdd(sums + (size_t)slot * BLOCK + threadIdx.x, sum);
#else
  if (threadIdx.x == 0) passed(begin, clocks);
  sums[(size_t)blockIdx.x * BLOCK + threadIdx.x] = sum;
#endif
}
