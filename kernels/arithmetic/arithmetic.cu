// Independent chains of one slow operation: CHAINS a thread, STEPS on each in one trip of the loop.
//
// STEP is the PTX of one step: x is %0, m is %1 and c is %2. It, and whether values are floats or whole numbers, come
// from the table in cuda.py.

#include "clock.cuh"

#if defined(FLOATS)
typedef float value;
#define REGISTER "f"
#define LANE 0.0f
#else
typedef unsigned value;
#define REGISTER "r"
#define LANE (threadIdx.x % 32)
#endif

__device__ __forceinline__ value step(value x, value m, value c) {
  asm volatile(STEP : "+" REGISTER(x) : REGISTER(m), REGISTER(c));
  return x;
}

// first: the start values of a thread's chains. Whole numbers differ between lanes, by the lane's number. out: CHAINS
// values of each thread, [chain][thread]. clocks: cycles and nanoseconds of each block.
extern "C" __global__ void __launch_bounds__(BLOCK, BLOCKS_PER_SM)
    chains(value *out, u64 *clocks, const value *first, int trips, value m, value c) {
  value x[CHAINS];
#pragma unroll
  for (int k = 0; k < CHAINS; k++) x[k] = first[k] + LANE;
  __syncthreads();
  moment begin = now();
#pragma unroll 1
  for (int t = 0; t < trips; t++) {
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
#pragma unroll
      for (int k = 0; k < CHAINS; k++) x[k] = step(x[k], m, c);
    }
  }
  __syncthreads();
  if (threadIdx.x == 0) passed(begin, clocks);
  long long thread = (long long)blockIdx.x * BLOCK + threadIdx.x, threads = (long long)gridDim.x * BLOCK;
#pragma unroll
  for (int k = 0; k < CHAINS; k++) out[k * threads + thread] = x[k];
}
