// Reads a large array once, and does K multiply-adds on each element on the way: any operational intensity.
//
// A fixed number of blocks walk over the array tile by tile, and over it again for every further repetition. The
// next tile is on its way while this one is computed, so memory and arithmetic overlap also where both are busy.
// Several multiply-adds are a loop whose length only the launch knows, even if it is one round: in straight code the
// compiler moves the loads down to where their values are used, and memory waits for arithmetic. With EVERY > 1 only
// each EVERY-th register gets its multiply-add; all of them are also added up as words. Multiply-adds: rounds of STEPS,
// and one into an accumulator. On tensor cores a step multiplies a warp's vectors, 16 x 16, by a matrix of 8 columns
// that holds m, and the next step by one that holds c = -m: nothing overflows.

#include "clock.cuh"

#if defined(KIND_FP64)
#define REGS 2
#define LOAD_TYPE ".v2.f64"
#define OUT "=d"
typedef double value;
__device__ __forceinline__ value step(value x, value m, value c) { return fma(x, m, c); }
__device__ __forceinline__ unsigned words(value x) { return __double2loint(x) + __double2hiint(x); }
__device__ __forceinline__ double total(value x) { return x; }
#elif defined(KIND_FP32)
#define REGS 4
#define LOAD_TYPE ".v4.f32"
#define OUT "=f"
typedef float value;
__device__ __forceinline__ value step(value x, value m, value c) { return fmaf(x, m, c); }
__device__ __forceinline__ unsigned words(value x) { return __float_as_uint(x); }
__device__ __forceinline__ double total(value x) { return x; }
#else
#define REGS 4
#define LOAD_TYPE ".v4.u32"
#define OUT "=r"
typedef unsigned value; // one integer, or two 16-bit numbers
__device__ __forceinline__ unsigned words(value x) { return x; }
#if defined(KIND_FP16_MMA)
__device__ __forceinline__ void multiply(float *d, const value *a, u64 b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"((unsigned)b), "r"((unsigned)(b >> 32)));
}
#elif defined(KIND_FP16)
__device__ __forceinline__ value step(value x, value m, value c) {
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(x) : "r"(x), "r"(m), "r"(c));
  return x;
}
__device__ __forceinline__ double total(value x) {
  float low, high;
  asm("{.reg .f16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h;}" : "=f"(low), "=f"(high) : "r"(x));
  return (double)low + high;
}
#elif defined(KIND_BF16)
__device__ __forceinline__ value step(value x, value m, value c) {
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(x) : "r"(x), "r"(m), "r"(c));
  return x;
}
__device__ __forceinline__ double total(value x) {
  return (double)__uint_as_float(x << 16) + __uint_as_float(x & 0xffff0000u);
}
#else
__device__ __forceinline__ value step(value x, value m, value c) {
  asm("mad.lo.s32 %0, %1, %2, %3;" : "=r"(x) : "r"(x), "r"(m), "r"(c));
  return x;
}
__device__ __forceinline__ double total(value x) { return (int)x; }
#endif
#endif

struct alignas(16) vec {
  value v[REGS];
};

#if __CUDA_ARCH__ >= 700
#define HINT ".nc.L1::no_allocate"
#else
#define HINT ".nc"
#endif

__device__ __forceinline__ vec load(const vec *at) {
  vec r;
#if REGS == 2
  asm volatile("ld.global" HINT LOAD_TYPE " {%0, %1}, [%2];" : OUT(r.v[0]), OUT(r.v[1]) : "l"(at));
#else
  asm volatile("ld.global" HINT LOAD_TYPE " {%0, %1, %2, %3}, [%4];"
               : OUT(r.v[0]), OUT(r.v[1]), OUT(r.v[2]), OUT(r.v[3])
               : "l"(at));
#endif
  return r;
}

#define EACH _Pragma("unroll") for (int k = 0; k < VECS; k++) _Pragma("unroll") for (int r = 0; r < REGS; r++)

struct tile {
  vec a[VECS];
};

__device__ __forceinline__ void fetch(tile &t, const vec *at) {
#pragma unroll
  for (int k = 0; k < VECS; k++) t.a[k] = load(at + k * BLOCK);
}

#if defined(KIND_FP16_MMA)
typedef float sum_type;
#define SUMS (VECS * 4) // four registers a tile of the product
__device__ __forceinline__ double total(float x) { return x; }
#else
typedef value sum_type;
#define SUMS REGS
#endif

struct found {
  sum_type sum[SUMS];
  unsigned words;
};

// m and c; of a matrix in both registers that an instruction wants, which must come in pairs or are copied every time.
#if defined(KIND_FP16_MMA)
typedef u64 operand;
#else
typedef value operand;
#endif

struct operands {
  operand m, c;
};

#if defined(KIND_FP16_MMA)
__device__ __forceinline__ void once(tile &t, found &f, const operands &o, int s) {
#pragma unroll
  for (int k = 0; k < VECS; k += EVERY) multiply(f.sum + 4 * k, t.a[k].v, s % 2 ? o.c : o.m);
}
__device__ __forceinline__ void last(tile &t, found &f, const operands &o) { once(t, f, o, 0); }
#else
__device__ __forceinline__ void once(tile &t, found &f, const operands &o, int s) {
  EACH t.a[k].v[r] = step(t.a[k].v[r], o.m, o.c);
}
__device__ __forceinline__ void last(tile &t, found &f, const operands &o) {
  EACH if ((k * REGS + r) % EVERY == 0) f.sum[r] = step(t.a[k].v[r], o.m, f.sum[r]);
}
#endif

__device__ __forceinline__ void compute(tile &t, found &f, const operands &o, unsigned trips) {
#if STEPS > 0
#pragma unroll 1
  do {
#pragma unroll
    for (int s = 0; s < STEPS; s++) once(t, f, o, s);
    asm volatile("" ::: "memory");
  } while (--trips);
#endif
#if EVERY > 1
  EACH f.words += words(t.a[k].v[r]);
#endif
  last(t, f, o);
}

// x: vectors, 2**n pairs of tiles of BLOCK * VECS; sums, sums_of_words: one number per thread; taken: 0 before, or
// null; clocks: cycles and nanoseconds of each block; pairs: to compute, over and over; last: number of the last pair
// in x; trips: of the loop. Blocks take pairs in the order in which they become free: of equal shares, those of a
// multiprocessor with a slower way to memory would end last. With no taken, shares are equal: where arithmetic takes
// long, no block ends a pair late.
extern "C" __global__ void __launch_bounds__(BLOCK, BLOCKS_PER_SM)
    mixed(const vec *x, double *sums, unsigned *sums_of_words, unsigned *taken, u64 *clocks, unsigned pairs,
          unsigned last, unsigned trips, operand m, operand c) {
  __shared__ unsigned coming[2]; // one is read while the other is written
  x += threadIdx.x;
  const operands o = {m, c};
  moment begin = now();
  found f = {};
  tile even, odd;
  unsigned pair = blockIdx.x, given = 0, turn = 0;
  unsigned at = (pair & last) * (2 * BLOCK * VECS);
  fetch(even, x + at);
#pragma unroll 1
  while (pair < pairs) { // two tiles a trip: the next one needs no copy
    fetch(odd, x + at + BLOCK * VECS);
    if (threadIdx.x == 0) given = taken ? atomicInc(taken, ~1u) : pair; // addition would look for others that add
    compute(even, f, o, trips);
    if (threadIdx.x == 0) coming[turn] = gridDim.x + given;
    __syncthreads();
    pair = coming[turn];
    turn ^= 1;
    at = (pair & last) * (2 * BLOCK * VECS);
    fetch(even, x + at);
    compute(odd, f, o, trips);
  }
  if (threadIdx.x == 0) passed(begin, clocks);
  double sum = 0;
#pragma unroll
  for (int r = 0; r < SUMS; r++) sum += total(f.sum[r]);
  unsigned thread = blockIdx.x * BLOCK + threadIdx.x;
  sums[thread] = sum;
  sums_of_words[thread] = f.words;
}
