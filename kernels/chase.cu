// One thread following addresses from line to line: each load must wait for the one before it.
//
// What the cache nearest to the multiprocessor held is lost between launches, so the block first reads WARM lines at
// once; beside the chase that takes no time.

#include "clock.cuh"

// base: of the set, in lines of LINE bytes, the first so many of them to be read before; end: address of the line
// reached, where the next launch goes on: from the same start each would find the lines that the one before brought
// near.
extern "C" __global__ void chase(const char *base, u64 *end, u64 *clocks, u64 warm, u64 hops) {
  u64 sum = 0;
  for (u64 i = blockIdx.x * 32 + threadIdx.x; i < warm; i += gridDim.x * 32) {
    u64 v;
    asm volatile("ld.global.ca.u64 %0, [%1];" : "=l"(v) : "l"(base + i * LINE));
    sum += v;
  }
  sum = __any_sync(0xffffffffu, sum == 1); // no address is 1: the lines are here, and nothing is added
  if (threadIdx.x || blockIdx.x) return;
  u64 at = *end + sum;
  u64 begin_ns = nanoseconds(), begin = cycles();
#pragma unroll 1
  for (u64 n = hops / 16; n; n--) {
#pragma unroll
    for (int u = 0; u < 16; u++) asm volatile("ld.global.ca.u64 %0, [%0];" : "+l"(at));
  }
#pragma unroll 1
  for (u64 n = hops % 16; n; n--) asm volatile("ld.global.ca.u64 %0, [%0];" : "+l"(at));
  u64 stop = cycles(), stop_ns = nanoseconds();
  *end = at;
  clocks[0] = stop - begin;
  clocks[1] = stop_ns - begin_ns;
}
