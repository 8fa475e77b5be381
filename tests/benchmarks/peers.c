/* The same kernels by hand, in C with intrinsics: what the CPU kernels are held against.
 * Arguments are those of our own native kernels, so both run on the same threads and buffers.
 * Build: cc -O3 -march=native -shared -fPIC peers.c */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define CHAINS 16
#define P(op) _mm512_##op
typedef __m512d vd;
typedef __m512 vs;
#else
#define CHAINS 12
#define P(op) _mm256_##op
typedef __m256d vd;
typedef __m256 vs;
#endif
#define LANES64 (int64_t)(sizeof(vd) / 8)

#define FMA(NAME, T, V, SET, MADD, STORE)                                      \
  void NAME(const int64_t *a, int64_t repeat) {                               \
    T m, c;                                                                    \
    memcpy(&m, a + 1, sizeof m);                                               \
    memcpy(&c, a + 2, sizeof c);                                               \
    V vm = SET(m), vc = SET(c), x[CHAINS];                                     \
    for (int k = 0; k < CHAINS; k++) x[k] = SET((T)(1 + k / 64.0));            \
    for (int64_t r = 0; r < repeat; r++) {                                     \
      _Pragma("GCC unroll 8") for (int s = 0; s < 8; s++)                      \
          _Pragma("GCC unroll 16") for (int k = 0; k < CHAINS; k++)            \
              x[k] = MADD(x[k], vm, vc);                                       \
      __asm__ volatile("");                                                    \
    }                                                                          \
    T *out = (T *)a[0];                                                        \
    for (int k = 0; k < CHAINS; k++) STORE(out + k * sizeof(V) / sizeof(T), x[k]); \
  }
FMA(fma_fp64, double, vd, P(set1_pd), P(fmadd_pd), P(storeu_pd))
FMA(fma_fp32, float, vs, P(set1_ps), P(fmadd_ps), P(storeu_ps))

#if defined(__AVX512F__)
typedef __m512i vi;
#define VI(op) _mm512_##op##_si512
#define ADD64 _mm512_add_epi64
#define SET64 _mm512_set1_epi64
#else
typedef __m256i vi;
#define VI(op) _mm256_##op##_si256
#define ADD64 _mm256_add_epi64
#define SET64 _mm256_set1_epi64x
#endif
#define CACHE(NAME, SUMS, BODY)                                                \
  void NAME(const int64_t *a, int64_t repeat) {                               \
    vi *source = (vi *)a[0], *target = (vi *)a[1], sum[8] = {VI(setzero)()};   \
    double half = 0.5;                                                         \
    int64_t n = a[2], bits;                                                    \
    memcpy(&bits, &half, 8);                                                   \
    vi written = SET64(bits);                                                  \
    (void)source, (void)target, (void)written;                                 \
    for (int64_t r = 0; r < repeat; r++) {                                     \
      for (int64_t i = 0; i < n; i += 8) {                                     \
        _Pragma("GCC unroll 8") for (int k = 0; k < 8; k++) BODY;              \
        __asm__ volatile("");                                                  \
      }                                                                        \
    }                                                                          \
    memcpy((void *)a[3], sum, SUMS * sizeof(vi));                              \
  }
CACHE(cache_read, 8, sum[k] = ADD64(sum[k], VI(load)(source + i + k)))
CACHE(cache_write, 0, VI(store)(target + i + k, written))
CACHE(cache_copy, 0, VI(store)(target + i + k, VI(load)(source + i + k)))

void chase(const int64_t *a, int64_t repeat) {
  void **at = *(void ***)a[0];
  for (; repeat & 7; repeat--) at = (void **)*at;
  for (; repeat; repeat -= 8) {
    _Pragma("GCC unroll 8") for (int k = 0; k < 8; k++) at = (void **)*at;
    __asm__ volatile("" : "+r"(at));
  }
  *(void ***)a[0] = at;
}

#define INTEGER(NAME, STEP)                                                    \
  void NAME(const int64_t *a, int64_t repeat) {                               \
    vi m = SET32((int)a[1]), c = SET32((int)a[2]), x[CHAINS];                  \
    for (int k = 0; k < CHAINS; k++) x[k] = SET32(k + 1);                      \
    for (int64_t r = 0; r < repeat; r++) {                                     \
      _Pragma("GCC unroll 8") for (int s = 0; s < 8; s++)                      \
          _Pragma("GCC unroll 16") for (int k = 0; k < CHAINS; k++) x[k] = STEP; \
      __asm__ volatile("");                                                    \
    }                                                                          \
    for (int k = 0; k < CHAINS; k++) memcpy((char *)a[0] + k * sizeof(vi), &x[k], sizeof(vi)); \
  }
#if defined(__AVX512F__)
#define SET32 _mm512_set1_epi32
INTEGER(fma_int32, _mm512_add_epi32(_mm512_mullo_epi32(x[k], m), c))
#else
#define SET32 _mm256_set1_epi32
INTEGER(fma_int32, _mm256_add_epi32(_mm256_mullo_epi32(x[k], m), c))
#endif
#if defined(__AVX512VNNI__)
INTEGER(fma_int8, _mm512_dpbusd_epi32(x[k], m, c))
#endif
#if defined(__AVX512BF16__)
#define PAIR(v) (__m512bh) v
void fma_bf16(const int64_t *a, int64_t repeat) {
  __m512i m = _mm512_set1_epi32((int)a[1]), c = _mm512_set1_epi32((int)a[2]);
  vs x[CHAINS];
  for (int k = 0; k < CHAINS; k++) x[k] = _mm512_set1_ps(1 + k / 64.0f);
  for (int64_t r = 0; r < repeat; r++) {
    _Pragma("GCC unroll 8") for (int s = 0; s < 8; s++)
        _Pragma("GCC unroll 16") for (int k = 0; k < CHAINS; k++) x[k] = _mm512_dpbf16_ps(x[k], PAIR(m), PAIR(c));
    __asm__ volatile("");
  }
  for (int k = 0; k < CHAINS; k++) _mm512_storeu_ps((float *)a[0] + 16 * k, x[k]);
}
#endif

#define STREAM(NAME, VALUE, TARGET)                                            \
  void NAME(const int64_t *a, int64_t repeat) {                               \
    double *x = (double *)a[0], *y = (double *)a[1], *z = (double *)a[2], scale; \
    int64_t n = a[3];                                                          \
    memcpy(&scale, a + 4, 8);                                                  \
    vd s = P(set1_pd)(scale);                                                  \
    (void)x, (void)y, (void)z, (void)s;                                        \
    for (int64_t r = 0; r < repeat; r++) {                                     \
      for (int64_t i = 0; i < n; i += LANES64) P(stream_pd)(TARGET + i, VALUE); \
    }                                                                          \
    _mm_sfence();                                                              \
  }
#define X P(load_pd)(x + i)
#define Y P(load_pd)(y + i)
STREAM(copy, X, y)
STREAM(scale, P(mul_pd)(s, X), y)
STREAM(add, P(add_pd)(X, Y), z)
STREAM(triad, P(fmadd_pd)(Y, s, X), z)
