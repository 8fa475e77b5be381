// Addresses of shared memory, a block's own and others' of its cluster, and the barriers that await bulk copies there.

#ifndef CLUSTER
#define CLUSTER 1
#endif

__device__ __forceinline__ unsigned shared_address(const void *p) { return (unsigned)__cvta_generic_to_shared(p); }

// The number of this block in its cluster.
__device__ __forceinline__ unsigned rank_in_cluster() {
  unsigned rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

// The address that ``own`` of this block has in block ``rank`` of the cluster.
__device__ __forceinline__ unsigned address_in(unsigned own, unsigned rank) {
  unsigned there;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(own), "r"(rank));
  return there;
}

// All threads of the cluster meet; what they wrote before is seen by all.
__device__ __forceinline__ void meet() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}

// A barrier whose phase ends when so many arrived and all bytes came that were expected.
__device__ __forceinline__ void barrier_init(unsigned barrier, unsigned arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

// What was initialised is seen by the cluster and by copies.
__device__ __forceinline__ void barriers_made() {
  asm volatile("fence.mbarrier_init.release.cluster;\nfence.proxy.async;" ::: "memory");
}

__device__ __forceinline__ void arrive_expecting(unsigned barrier, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

// Arrive at a barrier of any block of the cluster, after what was read; writes of other blocks need not be seen.
__device__ __forceinline__ void arrive_at(unsigned barrier) {
  asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(barrier) : "memory");
}

// Wait until the phase of this parity has ended.
__device__ __forceinline__ void await(unsigned barrier, unsigned parity) {
  asm volatile("{\n.reg .pred ended;\nagain:\n"
               "mbarrier.try_wait.parity.shared::cta.b64 ended, [%0], %1;\n"
               "@!ended bra again;\n}" ::"r"(barrier),
               "r"(parity)
               : "memory");
}
