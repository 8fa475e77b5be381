// One pass of a stream over global memory in vectors of VECTOR bytes (8 or 16), VECS of them in flight in each thread.
//
// OP_x chooses the operation, LOAD and STORE are PTX cache hints such as .cs or .nc.L1::no_allocate. LOAD_POLICY and
// STORE_POLICY (evict_first, evict_last; both or none, from 8.0 on) say what the L2 keeps: a stream reuses nothing, but
// which lines leave first decides in what order DRAM is read and written.

#include "text.cuh"

#ifndef LOAD
#define LOAD
#endif
#ifndef STORE
#define STORE
#endif

#if defined(KIND_FP64)
typedef double value;
#define TYPE ".f64"
#define LETTER "d"
#define WIDTH (VECTOR / 8)
#else
typedef float value;
#define TYPE ".f32"
#define LETTER "f"
#define WIDTH (VECTOR / 4)
#endif

struct alignas(VECTOR) vec {
  value v[WIDTH];
};

#ifdef LOAD_POLICY
#define HINT ".L2::cache_hint"
#define POLICY(n) ", %" #n ";"
#define WITH(policy) , "l"(policy)
#else
#define HINT ""
#define POLICY(n) ";"
#define WITH(policy)
#endif

struct policies {
  unsigned long long load, store;
};

__device__ __forceinline__ policies choose() {
  policies p = {0, 0};
#ifdef LOAD_POLICY
  asm("createpolicy.fractional.L2::" TEXT(LOAD_POLICY) ".b64 %0, 1.0;" : "=l"(p.load));
  asm("createpolicy.fractional.L2::" TEXT(STORE_POLICY) ".b64 %0, 1.0;" : "=l"(p.store));
#endif
  return p;
}

__device__ __forceinline__ vec load(const vec *at, policies p) {
  vec r;
#if WIDTH == 1
  asm volatile("ld.global" TEXT(LOAD) HINT TYPE " %0, [%1]" POLICY(2) : "=" LETTER(r.v[0]) : "l"(at)WITH(p.load));
#elif WIDTH == 2
  asm volatile("ld.global" TEXT(LOAD) HINT ".v2" TYPE " {%0, %1}, [%2]" POLICY(3)
               : "=" LETTER(r.v[0]), "=" LETTER(r.v[1])
               : "l"(at)WITH(p.load));
#else
  asm volatile("ld.global" TEXT(LOAD) HINT ".v4" TYPE " {%0, %1, %2, %3}, [%4]" POLICY(5)
               : "=" LETTER(r.v[0]), "=" LETTER(r.v[1]), "=" LETTER(r.v[2]), "=" LETTER(r.v[3])
               : "l"(at)WITH(p.load));
#endif
  return r;
}

__device__ __forceinline__ void store(vec *at, vec r, policies p) {
#if WIDTH == 1
  asm volatile("st.global" TEXT(STORE) HINT TYPE " [%1], %0" POLICY(2)::LETTER(r.v[0]), "l"(at)WITH(p.store)
               : "memory");
#elif WIDTH == 2
  asm volatile("st.global" TEXT(STORE) HINT ".v2" TYPE " [%2], {%0, %1}" POLICY(3)::LETTER(r.v[0]), LETTER(r.v[1]),
               "l"(at)WITH(p.store)
               : "memory");
#else
  asm volatile("st.global" TEXT(STORE) HINT ".v4" TYPE " [%4], {%0, %1, %2, %3}" POLICY(5)::LETTER(r.v[0]),
               LETTER(r.v[1]), LETTER(r.v[2]), LETTER(r.v[3]), "l"(at)WITH(p.store)
               : "memory");
#endif
}

#define EACH(expression) _Pragma("unroll") for (int w = 0; w < WIDTH; w++) expression

// x, y: sources; z: target; vectors: length of each array in vectors; sums: one double per block (read only).
extern "C" __global__ void __launch_bounds__(BLOCK)
    stream(const vec *x, const vec *y, vec *z, double *sums, unsigned vectors, value s, value written) {
  unsigned first = blockIdx.x * (BLOCK * VECS) + threadIdx.x;
  vec a[VECS], b[VECS];
  const policies p = choose();
#if !defined(OP_write)
#pragma unroll
  for (int k = 0; k < VECS; k++) {
    unsigned i = first + k * BLOCK;
    EACH(a[k].v[w] = 0);
    if (i < vectors) a[k] = load(x + i, p);
#if defined(OP_add) || defined(OP_triad)
    if (i < vectors) b[k] = load(y + i, p);
#endif
  }
#endif
#if defined(OP_read)
  double sum = 0;
#pragma unroll
  for (int k = 0; k < VECS; k++) {
    value part = 0; // exact: small integers
    EACH(part += a[k].v[w]);
    sum += part;
  }
#pragma unroll
  for (int lane = 16; lane; lane /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lane);
  __shared__ double warps[BLOCK / 32];
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int k = 1; k < BLOCK / 32; k++) sum += warps[k];
    sums[blockIdx.x] = sum;
  }
#else
#pragma unroll
  for (int k = 0; k < VECS; k++) {
    unsigned i = first + k * BLOCK;
#if defined(OP_scale)
    EACH(a[k].v[w] *= s);
#elif defined(OP_add)
    EACH(a[k].v[w] += b[k].v[w]);
#elif defined(OP_triad)
    EACH(a[k].v[w] += s * b[k].v[w]);
#elif defined(OP_write)
    EACH(a[k].v[w] = written);
#endif
    if (i < vectors) store(z + i, a[k], p);
  }
#endif
}
