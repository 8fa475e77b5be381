// One thread following addresses from line to line: each load must wait for the one before it.
//
// What the cache nearest to the multiprocessor held is lost between launches, so the block first reads WARM lines at
// once; beside the chase that takes no time. SHARED_BYTES: the set is copied to shared memory and followed there.
// LOAD .cg: past the L1, so that also a small set is met in the L2.

#include "clock.cuh"
#include "text.cuh"

#if defined(SHARED_BYTES)
typedef unsigned place;
#define HOP(at) asm volatile("ld.volatile.shared.u32 %0, [%0];" : "+r"(at))
#else
typedef u64 place;
#define HOP(at) asm volatile("ld.global" TEXT(LOAD) ".u64 %0, [%0];" : "+l"(at))
#endif

// base: of the set, in lines of LINE bytes, the first so many of them to be read before; end: address of the line
// reached, where the next launch goes on: from the same start each would find the lines that the one before brought
// near.
extern "C" __global__ void chase(const char *base, u64 *end, u64 *clocks, u64 warm, u64 hops) {
#if defined(SHARED_BYTES)
  __shared__ unsigned held[SHARED_BYTES / 4];
  place first = (place)__cvta_generic_to_shared(held);
#else
  u64 first = (u64)base;
#endif
  u64 sum = 0;
  for (u64 i = blockIdx.x * 32 + threadIdx.x; i < warm; i += gridDim.x * 32) {
    u64 v;
    asm volatile("ld.global" TEXT(LOAD) ".u64 %0, [%1];" : "=l"(v) : "l"(base + i * LINE));
    sum += v;
#if defined(SHARED_BYTES)
    held[i * LINE / 4] = first + (unsigned)(v - (u64)base);
#endif
  }
  sum = __syncthreads_or(sum == 1); // no address is 1: the lines are here, and nothing is added
  if (threadIdx.x || blockIdx.x) return;
  place at = first + (place)(*end - (u64)base) + (place)sum;
  u64 begin_ns = nanoseconds(), begin = cycles();
#pragma unroll 1
  for (u64 n = hops / 16; n; n--) {
#pragma unroll
    for (int u = 0; u < 16; u++) HOP(at);
  }
#pragma unroll 1
  for (u64 n = hops % 16; n; n--) HOP(at);
  u64 stop = cycles(), stop_ns = nanoseconds();
  *end = (u64)base + (at - first);
  clocks[0] = stop - begin;
  clocks[1] = stop_ns - begin_ns;
}

// How many cycles REPEATS loads of each line take, one after the other, by one thread: took[line].
extern "C" __global__ void each_line(const char *base, unsigned *took, unsigned lines) {
  for (unsigned i = 0; i < lines; i++) {
    const char *at = base + (u64)i * LINE;
    u64 v, begin = 0;
    for (int r = 0; r <= REPEATS; r++) { // the first brings the line near
      if (r == 1) begin = cycles();
      asm volatile("ld.global.cg.u64 %0, [%1];" : "=l"(v) : "l"(at));
      at += v >> 63; // nothing: no address is that high, but the next load has to wait for this one
    }
    u64 moved = at - (base + (u64)i * LINE); // nothing again, but a chain that leads nowhere would be removed
    took[i] = (unsigned)(cycles() - begin + moved);
  }
}
