// One pass over a large array in pieces of WIDTH bytes, VECS of them in flight in each thread: element after element,
// every STRIDE-th element, or segments of SEGMENT bytes at scattered places.
//
// OP_copy stores what it loads; anything else adds it up. LOAD and STORE are PTX cache hints. A grid of fewer blocks
// than chunks strides over the array, so that the number of blocks decides how much is in flight.

#include "text.cuh"

#ifndef LOAD
#define LOAD
#endif
#ifndef STORE
#define STORE
#endif

struct alignas(WIDTH) piece {
  float v[WIDTH / 4];
};

__device__ __forceinline__ piece load(const piece *at) {
  piece r;
#if WIDTH == 16
  asm volatile("ld.global" TEXT(LOAD) ".v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(r.v[0]), "=f"(r.v[1]), "=f"(r.v[2]), "=f"(r.v[3])
               : "l"(at));
#elif WIDTH == 8
  asm volatile("ld.global" TEXT(LOAD) ".v2.f32 {%0, %1}, [%2];" : "=f"(r.v[0]), "=f"(r.v[1]) : "l"(at));
#else
  asm volatile("ld.global" TEXT(LOAD) ".f32 %0, [%1];" : "=f"(r.v[0]) : "l"(at));
#endif
  return r;
}

__device__ __forceinline__ void store(piece *at, piece r) {
#if WIDTH == 16
  asm volatile("st.global" TEXT(STORE) ".v4.f32 [%4], {%0, %1, %2, %3};" ::"f"(r.v[0]), "f"(r.v[1]), "f"(r.v[2]),
               "f"(r.v[3]), "l"(at)
               : "memory");
#elif WIDTH == 8
  asm volatile("st.global" TEXT(STORE) ".v2.f32 [%2], {%0, %1};" ::"f"(r.v[0]), "f"(r.v[1]), "l"(at) : "memory");
#else
  asm volatile("st.global" TEXT(STORE) ".f32 [%1], %0;" ::"f"(r.v[0]), "l"(at) : "memory");
#endif
}

// Where piece i lies, in pieces. Scattered segments: a bijection of BITS-bit numbers, so that each is read once.
__device__ __forceinline__ size_t place(unsigned i) {
#if defined(SEGMENT)
  const unsigned per = SEGMENT / WIDTH, mask = (1u << BITS) - 1;
  unsigned s = i / per * FIRST_FACTOR & mask;
  s ^= s >> SHIFT;
  s = s * SECOND_FACTOR & mask;
  return (size_t)s * per + i % per;
#elif defined(STRIDE)
  return (size_t)i * STRIDE;
#else
  return i;
#endif
}

// x: source; y: target of a copy; sums: one double a block; chunks: of BLOCK x VECS pieces.
extern "C" __global__ void __launch_bounds__(BLOCK) access(const piece *x, piece *y, double *sums, unsigned chunks) {
  double sum = 0;
#pragma unroll 1
  for (unsigned chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    unsigned first = chunk * (BLOCK * VECS) + threadIdx.x;
    piece held[VECS];
#pragma unroll
    for (int k = 0; k < VECS; k++) held[k] = load(x + place(first + k * BLOCK));
#if defined(OP_copy)
#pragma unroll
    for (int k = 0; k < VECS; k++) store(y + place(first + k * BLOCK), held[k]);
#else
    float part = 0; // exact: small integers
#pragma unroll
    for (int k = 0; k < VECS; k++)
#pragma unroll
      for (int w = 0; w < WIDTH / 4; w++) part += held[k].v[w];
    sum += part;
#endif
  }
#if !defined(OP_copy)
#pragma unroll
  for (int lane = 16; lane; lane /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lane);
  __shared__ double warps[BLOCK / 32];
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
#pragma unroll
    for (int k = 1; k < BLOCK / 32; k++) sum += warps[k];
    sums[blockIdx.x] = sum;
  }
#endif
}
