// A set in global memory brought into shared memory by bulk copies, STAGES tiles of TILE bytes on their way to a block.
//
// One thread copies; WARPS warps add up each tile that has come, and free its stage. With CLUSTER blocks in a cluster
// each copies one part of every tile, into the shared memory of all.

#include "clock.cuh"
#include "cluster.cuh"

#define PART (TILE / CLUSTER)
#define THREADS (WARPS * 32)

extern __shared__ __align__(128) unsigned char ring[];

__device__ __forceinline__ void copy(unsigned to, const unsigned char *from, unsigned barrier) {
#if CLUSTER > 1
  const unsigned short all = (unsigned short)((1u << CLUSTER) - 1);
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster"
               " [%0], [%1], %2, [%3], %4;" ::"r"(to),
               "l"(from), "r"(PART), "r"(barrier), "h"(all)
               : "memory");
#else
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(PART), "r"(barrier)
               : "memory");
#endif
}

// x: the set, of so many tiles; sums: one word a thread that adds; clocks: cycles and nanoseconds of each block;
// reads: tiles that all clusters read together, passes over the set one after the other.
#if CLUSTER > 1
#define IN_CLUSTERS __cluster_dims__(CLUSTER, 1, 1)
#else
#define IN_CLUSTERS
#endif
extern "C" __global__ void IN_CLUSTERS __launch_bounds__(THREADS + 32)
    bulk(const unsigned char *x, unsigned *sums, u64 *clocks, u64 reads, unsigned tiles) {
  __shared__ __align__(8) u64 full[STAGES], empty[STAGES];
  const unsigned rank = CLUSTER > 1 ? rank_in_cluster() : 0;
  const unsigned clusters = gridDim.x / CLUSTER, first = blockIdx.x / CLUSTER;
  if (threadIdx.x == 0) {
    for (int k = 0; k < STAGES; k++) {
      barrier_init(shared_address(full + k), 1);
      barrier_init(shared_address(empty + k), CLUSTER * WARPS);
    }
    barriers_made();
  }
  meet();
  moment begin = now();
  unsigned stage = 0, parity = 0, sum = 0;
  if (threadIdx.x >= THREADS) { // the warp that copies
    if (threadIdx.x == THREADS) {
      u64 tile = first;
#pragma unroll 1
      for (u64 t = first; t < reads; t += clusters) {
        while (tile >= tiles) tile -= tiles;
        await(shared_address(empty + stage), parity ^ 1); // at first it is as if they had been freed
        arrive_expecting(shared_address(full + stage), TILE);
        copy(shared_address(ring + stage * TILE + rank * PART), x + tile * TILE + rank * PART,
             shared_address(full + stage));
        tile += clusters;
        if (++stage == STAGES) stage = 0, parity ^= 1;
      }
    }
  } else {
#pragma unroll 1
    for (u64 t = first; t < reads; t += clusters) {
      await(shared_address(full + stage), parity);
      const uint4 *at = (const uint4 *)(ring + stage * TILE) + threadIdx.x;
#pragma unroll
      for (int i = 0; i < TILE / 16 / THREADS; i++) {
        uint4 v = at[i * THREADS];
        sum += (v.x + v.y) + (v.z + v.w);
      }
      __syncwarp();
      unsigned lane = threadIdx.x % 32;
      if (lane < CLUSTER) arrive_at(address_in(shared_address(empty + stage), lane));
      if (++stage == STAGES) stage = 0, parity ^= 1;
    }
    sums[(size_t)blockIdx.x * THREADS + threadIdx.x] = sum;
  }
  meet(); // no block may end while another copies to it, or frees a stage of it
  if (threadIdx.x == 0) passed(begin, clocks);
}
