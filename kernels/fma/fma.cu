// Independent multiply-add chains in registers: CHAINS per thread, STEPS on each in one trip of the loop.
//
// TYPE, and what one step is, come from the table in cuda.py. 16-bit types hold two values in one register and
// INT8 is a dot product of four; they are written as PTX so that no header is needed.

#include "clock.cuh"

#ifndef BLOCKS_PER_SM
#define BLOCKS_PER_SM 1
#endif

#if defined(KIND_FP64)
typedef double value;
__device__ __forceinline__ value step(value x, value m, value c) { return fma(x, m, c); }
__device__ __forceinline__ value first(int chain) { return 1.0 + chain / 1024.0; }
#elif defined(KIND_FP32)
typedef float value;
__device__ __forceinline__ value step(value x, value m, value c) { return fmaf(x, m, c); }
__device__ __forceinline__ value first(int chain) { return 1.0f + chain / 1024.0f; }
#elif defined(KIND_FP16)
typedef unsigned value; // two halves
__device__ __forceinline__ value step(value x, value m, value c) {
  asm("fma.rn.f16x2 %0, %0, %1, %2;" : "+r"(x) : "r"(m), "r"(c));
  return x;
}
// 1 + i / 1024 for i = 2 chain and 2 chain + 1: the bits of 1 with i in the ten bits of the fraction.
__device__ __forceinline__ value first(int chain) { return (0x3c00u + 2 * chain) | ((0x3c01u + 2 * chain) << 16); }
#elif defined(KIND_BF16)
typedef unsigned value; // two bfloat16
__device__ __forceinline__ value step(value x, value m, value c) {
  asm("fma.rn.bf16x2 %0, %0, %1, %2;" : "+r"(x) : "r"(m), "r"(c));
  return x;
}
// 1 + i / 128: bfloat16 has seven bits of fraction.
__device__ __forceinline__ value first(int chain) { return (0x3f80u + 2 * chain) | ((0x3f81u + 2 * chain) << 16); }
#elif defined(KIND_INT32)
typedef int value;
__device__ __forceinline__ value step(value x, value m, value c) {
  asm("mad.lo.s32 %0, %0, %1, %2;" : "+r"(x) : "r"(m), "r"(c));
  return x;
}
__device__ __forceinline__ value first(int chain) { return 1 + chain; }
#elif defined(KIND_INT8)
typedef int value; // accumulator of four 8-bit products
__device__ __forceinline__ value step(value x, value m, value c) {
  asm("dp4a.s32.s32 %0, %1, %2, %0;" : "+r"(x) : "r"(m), "r"(c));
  return x;
}
__device__ __forceinline__ value first(int chain) { return 1 + chain; }
#endif

// out: CHAINS values of each thread, [chain][thread], so that writing them costs nothing beside the chains. clocks:
// cycles and nanoseconds of each block.
extern "C" __global__ void __launch_bounds__(BLOCK, BLOCKS_PER_SM)
    chains(value *out, u64 *clocks, int trips, value m, value c) {
  value x[CHAINS];
#pragma unroll
  for (int k = 0; k < CHAINS; k++) x[k] = first(k);
  __syncthreads();
  u64 begin_ns = nanoseconds(), begin = cycles();
#pragma unroll 1
  for (int t = 0; t < trips; t++) {
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
#pragma unroll
      for (int k = 0; k < CHAINS; k++) x[k] = step(x[k], m, c);
    }
  }
  __syncthreads();
  u64 end = cycles(), end_ns = nanoseconds();
  if (threadIdx.x == 0) {
    clocks[2 * blockIdx.x] = end - begin;
    clocks[2 * blockIdx.x + 1] = end_ns - begin_ns;
  }
  long long thread = (long long)blockIdx.x * BLOCK + threadIdx.x, threads = (long long)gridDim.x * BLOCK;
#pragma unroll
  for (int k = 0; k < CHAINS; k++) out[k * threads + thread] = x[k];
}
