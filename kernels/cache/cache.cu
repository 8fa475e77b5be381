// A working set read again and again inside one launch, from the multiprocessor's own memory or from caches.
//
// MODE_GLOBAL: UNROLL loads of 16 bytes in flight in each thread, one chunk of BLOCK x UNROLL of them after another.
// Each block reads a set of its own, so that its L1 holds it; of one set that all read, a line would be fetched once
// for several of them. TOGETHER, all read one set, a block VISITS chunks of it, and ends: passes over the set follow
// one another in the order in which multiprocessors come free, so that only the L2 can hold it and no two read it in
// step. With OP_WRITE it stores instead, with OP_COPY it loads from the set's first half and stores to the second. LOAD
// is .ca or .cg. MODE_SHARED: the same loads from shared memory. MODE_BANKS: 4-byte loads that make WAYS lanes share
// each bank. Both are volatile: a load whose address never changes would be moved out of the loop.

#include "clock.cuh"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

#if defined(MODE_GLOBAL)
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
#elif defined(MODE_SHARED)
__device__ __forceinline__ uint4 load(unsigned at) {
  uint4 r;
  asm volatile("ld.volatile.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w)
               : "r"(at));
  return r;
}
#else
__device__ __forceinline__ unsigned load(unsigned at) {
  unsigned r;
  asm volatile("ld.volatile.shared.u32 %0, [%1];" : "=r"(r) : "r"(at));
  return r;
}
#endif

__device__ __forceinline__ unsigned total(uint4 v) { return (v.x + v.y) + (v.z + v.w); }
__device__ __forceinline__ unsigned total(unsigned v) { return v; }

// x: each set, of so many chunks (a copy's source); sums: one word a thread; clocks: cycles and nanoseconds of each
// block; reads: chunks each block reads. TOGETHER, every SLOTS-th block adds to the same sums and clocks.
extern "C" __global__ void __launch_bounds__(BLOCK)
    sweep(uint4 *x, unsigned *sums, u64 *clocks, u64 reads, unsigned chunks) {
  unsigned sum = 0;
#if defined(MODE_GLOBAL)
#if defined(TOGETHER)
  unsigned chunk = blockIdx.x % (chunks / VISITS) * VISITS;
  u64 visits = VISITS;
#else
  unsigned chunk = 0;
  u64 visits = reads;
  x += (size_t)blockIdx.x * chunks * (BLOCK * UNROLL);
#endif
  x += threadIdx.x;
#else
  u64 visits = reads;
  __shared__ uint4 held[SHARED_BYTES / 16];
  for (unsigned i = threadIdx.x; i < SHARED_BYTES / 16; i += BLOCK) held[i] = x[i];
  unsigned base = (unsigned)__cvta_generic_to_shared(held);
#if defined(MODE_SHARED)
  base += threadIdx.x * 16;
#else
  base += threadIdx.x % 32 * WAYS * 4;
#endif
#endif
  __syncthreads();
  moment begin = now();
#pragma unroll 1
  for (u64 v = 0; v < visits; v++) {
#if defined(MODE_GLOBAL)
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
#elif defined(MODE_SHARED)
    uint4 r[UNROLL];
#pragma unroll
    for (int u = 0; u < UNROLL; u++) r[u] = load(base + u % (SHARED_BYTES / 16 / BLOCK) * BLOCK * 16);
#else
    unsigned r[UNROLL];
#pragma unroll
    for (int u = 0; u < UNROLL; u++) r[u] = load(base + u % WAYS * 4);
#endif
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
