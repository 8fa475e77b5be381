// Matrix multiply-accumulate in registers: CHAINS accumulators a warp, STEPS on each in one trip of the loop.
//
// The instruction and its operand counts come from table.py. Operands are loaded once, before the loop, so that
// zero or random data run through the same machine code: two A that alternate, and one B.

#include "clock.cuh"
#include "operands.cuh"

// An emulated instruction is several ordinary ones, and a compiler does only once what chains have in common. There
// each chain has its own B and each step its own A: the same values, by adding a zero that is read from memory.
#ifdef EMULATED
#define B_SETS CHAINS
#else
#define B_SETS 1
#endif

#ifdef SPARSE
#define SELECTED , "r"(kept)
// PTX can say so since CUDA 12.5, and asks for it; compilers before do not know the word
#if __CUDACC_VER_MAJOR__ * 100 + __CUDACC_VER_MINOR__ >= 1205
#define ORDERED_METADATA "::ordered_metadata"
#else
#define ORDERED_METADATA ""
#endif
#else
#define SELECTED
#endif

// out: the tiles of the first and the last block. clocks: cycles and nanoseconds of each block.
extern "C" __global__ void __launch_bounds__(32 * WARPS, BLOCKS_PER_SM)
    chains(const WORD *a, const WORD *b, const unsigned *metadata, const ACCUMULATOR *starts, ACCUMULATOR *out,
           u64 *clocks, int trips) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#ifdef EMULATED
  const unsigned nothing = metadata[0];
#else
  const unsigned nothing = 0;
#endif
  WORD av[2][A_COUNT], bv[B_SETS][B_COUNT];
#ifdef LOAD_A
  asm volatile(LOAD_A : OPERANDS(A_COUNT, "=" WORD_KIND, av[0]) : "l"(a));
  asm volatile(LOAD_A : OPERANDS(A_COUNT, "=" WORD_KIND, av[1]) : "l"(a + A_WORDS));
  asm volatile(LOAD_B : OPERANDS(B_COUNT, "=" WORD_KIND, bv[0]) : "l"(b));
#else
#pragma unroll
  for (int i = 0; i < 2 * A_COUNT; i++) av[i / A_COUNT][i % A_COUNT] = a[32 * i + lane];
#pragma unroll
  for (int i = 0; i < B_SETS * B_COUNT; i++)
    bv[i / B_COUNT][i % B_COUNT] = b[32 * (i % B_COUNT) + lane + i / B_COUNT * nothing];
#endif
#ifdef SPARSE
  const unsigned kept = metadata[lane];
#endif
  ACCUMULATOR c[CHAINS][C_COUNT];
#pragma unroll
  for (int i = 0; i < CHAINS * C_COUNT; i++) c[i / C_COUNT][i % C_COUNT] = starts[i / C_COUNT];

  __syncthreads();
  const u64 begin_ns = nanoseconds(), begin = cycles();
#pragma unroll 1
  for (int t = 0; t < trips; t++) {
#pragma unroll
    for (int s = 0; s < STEPS; s++) {
#ifdef EMULATED
#pragma unroll
      for (int i = 0; i < A_COUNT; i++) av[s % 2][i] += nothing;
#endif
#pragma unroll
      for (int k = 0; k < CHAINS; k++)
        asm(MULTIPLY
            : OPERANDS(C_COUNT, "+" ACCUMULATOR_KIND, c[k])
            : OPERANDS(A_COUNT, WORD_KIND, av[s % 2]), OPERANDS(B_COUNT, WORD_KIND, bv[k % B_SETS]) SELECTED);
    }
  }
  __syncthreads();
  const u64 end = cycles(), end_ns = nanoseconds();
  if (threadIdx.x == 0) {
    clocks[2 * blockIdx.x] = end - begin;
    clocks[2 * blockIdx.x + 1] = end_ns - begin_ns;
  }

  const bool first = blockIdx.x == 0, last = blockIdx.x == gridDim.x - 1;
  if (!first && !last) return;
  ACCUMULATOR *tile = out + (first ? 0 : WARPS * CHAINS * TILE_WORDS) + warp * CHAINS * TILE_WORDS;
#pragma unroll
  for (int k = 0; k < CHAINS; k++) {
#ifdef STORE
    asm volatile(STORE::"l"(tile + k * TILE_WORDS), OPERANDS(C_COUNT, ACCUMULATOR_KIND, c[k]) : "memory");
#else
#pragma unroll
    for (int i = 0; i < C_COUNT; i++) tile[k * TILE_WORDS + 32 * i + lane] = c[k][i];
#endif
  }
}
