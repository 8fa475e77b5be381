// Atomic additions of every thread: STEPS of them in one trip of the loop, to a word of its own or to one of all.
//
// ADD is the PTX of one addition: %0 is the address and %1 what is added. It comes from the table in cuda.py.

#include "clock.cuh"

#if defined(FLOATS)
typedef float value;
#define REGISTER "f"
#else
typedef unsigned value;
#define REGISTER "r"
#endif

#if defined(IN_SHARED)
#define ADDRESS "r"
typedef unsigned address;
#else
#define ADDRESS "l"
typedef unsigned long long address;
#endif

__device__ __forceinline__ void add(address where, value x) {
  asm volatile(ADD ::ADDRESS(where), REGISTER(x) : "memory");
}

// words: what global additions go to, and where those in shared memory are written at the end. added: what each thread
// of a block adds, and places: to which word of its block (of all, in global memory). The compiler must know neither,
// or it adds up a warp first. clocks: cycles and nanoseconds of each block.
extern "C" __global__ void __launch_bounds__(BLOCK, BLOCKS_PER_SM)
    additions(value *words, u64 *clocks, const value *added, const int *places, int trips) {
  long long thread = (long long)blockIdx.x * BLOCK + threadIdx.x;
  value x = added[threadIdx.x];
#if defined(IN_SHARED)
  __shared__ value own[BLOCK];
  own[threadIdx.x] = 0;
  int place = places[threadIdx.x];
  address where = (unsigned)__cvta_generic_to_shared(own + place);
#else
  address where = (address)(words + places[thread]);
#endif
  __syncthreads();
  moment begin = now();
#pragma unroll 1
  for (int t = 0; t < trips; t++) {
#pragma unroll
    for (int s = 0; s < STEPS; s++) add(where, x);
  }
  __syncthreads();
  if (threadIdx.x == 0) passed(begin, clocks);
#if defined(IN_SHARED)
  words[thread] = own[place];
#endif
}
