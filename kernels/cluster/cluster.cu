// The shared memory of a cluster's blocks, read by one another: each block reads the set of the one after it, again and
// again, UNROLL loads of 16 bytes in flight in each thread.
//
// With LINES one thread of the first block follows addresses instead, from line to line in the memory of the others, in
// no order: each load must wait for the one before it. A cluster of one block reads its own memory by the same loads.

#include "clock.cuh"
#include "cluster.cuh"

#if defined(LINES)
#define LINE 128
#define OTHERS (CLUSTER > 1 ? CLUSTER - 1 : 1)
#define FIRST_OTHER (CLUSTER > 1 ? 1 : 0)

#define HOP(at) asm volatile("ld.shared::cluster.u32 %0, [%0];" : "+r"(at))

// next: the line after each; end: the line reached, where the next launch goes on; clocks: cycles and nanoseconds.
extern "C" __global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__(32)
    chase(const unsigned *next, unsigned *end, u64 *clocks, u64 hops) {
  __shared__ __align__(128) unsigned held[LINES * LINE / 4];
  const unsigned base = shared_address(held), rank = rank_in_cluster();
  for (unsigned i = threadIdx.x; i < LINES && rank >= FIRST_OTHER; i += 32) {
    unsigned line = next[(rank - FIRST_OTHER) * LINES + i];
    held[i * LINE / 4] = address_in(base, FIRST_OTHER + line / LINES) + line % LINES * LINE;
  }
  meet();
  if (rank == 0 && threadIdx.x == 0) {
    unsigned at = address_in(base, FIRST_OTHER + *end / LINES) + *end % LINES * LINE;
    u64 begin_ns = nanoseconds(), begin = cycles();
#pragma unroll 1
    for (u64 n = hops / 16; n; n--) {
#pragma unroll
      for (int u = 0; u < 16; u++) HOP(at);
    }
#pragma unroll 1
    for (u64 n = hops % 16; n; n--) HOP(at);
    u64 stop = cycles(), stop_ns = nanoseconds();
    for (unsigned r = 0; r < OTHERS; r++) {
      unsigned offset = at - address_in(base, FIRST_OTHER + r);
      if (offset < LINES * LINE) *end = r * LINES + offset / LINE;
    }
    clocks[0] = stop - begin;
    clocks[1] = stop_ns - begin_ns;
  }
  meet(); // no block may end while its memory is read
}
#else
#define SET (BLOCK * UNROLL)

__device__ __forceinline__ uint4 load(unsigned at) {
  uint4 r;
  asm volatile("ld.shared::cluster.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w)
               : "r"(at));
  return r;
}

// x: the sets of a cluster's blocks; sums: one word a thread; clocks: cycles and nanoseconds of each block; trips: of
// all clusters together, in each of which a block reads a whole set.
extern "C" __global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__(BLOCK)
    neighbours(const uint4 *x, unsigned *sums, u64 *clocks, u64 trips) {
  extern __shared__ __align__(256) uint4 set[];
  const unsigned rank = rank_in_cluster(), clusters = gridDim.x / CLUSTER;
  for (unsigned i = threadIdx.x; i < SET; i += BLOCK) set[i] = x[rank * SET + i];
  unsigned from = address_in(shared_address(set), (rank + 1) % CLUSTER) + threadIdx.x * 16;
  unsigned sum = 0;
  meet();
  moment begin = now();
#pragma unroll 1
  for (u64 t = blockIdx.x / CLUSTER; t < trips; t += clusters) {
    from ^= 128; // another place of the set: loads of one address would be moved out of the loop
    uint4 r[UNROLL];
#pragma unroll
    for (int u = 0; u < UNROLL; u++) r[u] = load(from + u * BLOCK * 16);
#pragma unroll
    for (int u = 0; u < UNROLL; u++) sum += (r[u].x + r[u].y) + (r[u].z + r[u].w);
  }
  __syncthreads();
  if (threadIdx.x == 0) passed(begin, clocks);
  sums[(size_t)blockIdx.x * BLOCK + threadIdx.x] = sum;
  meet(); // no block may end while its memory is read
}
#endif
