// The clocks a kernel reads about itself: cycles of its multiprocessor over nanoseconds give the clock it ran at.

typedef unsigned long long u64;

__device__ __forceinline__ u64 nanoseconds() {
  u64 t;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t)::"memory");
  return t;
}

__device__ __forceinline__ u64 cycles() {
  u64 t;
  asm volatile("mov.u64 %0, %%clock64;" : "=l"(t)::"memory");
  return t;
}

struct moment {
  u64 ns, cycle;
};

__device__ __forceinline__ moment now() {
  moment m;
  m.ns = nanoseconds();
  m.cycle = cycles();
  return m;
}

// What passed since ``begin``, as the block's two numbers in ``clocks``: called by one thread, after the others.
__device__ __forceinline__ void passed(moment begin, u64 *clocks) {
  u64 cycle = cycles(), ns = nanoseconds();
  clocks[2 * blockIdx.x] = cycle - begin.cycle;
  clocks[2 * blockIdx.x + 1] = ns - begin.ns;
}

// The same for many short blocks: their time adds up, since the nanoseconds of one may be coarse.
__device__ __forceinline__ void add_passed(moment begin, u64 *clocks) {
  u64 cycle = cycles(), ns = nanoseconds();
  atomicAdd(clocks, cycle - begin.cycle);
  atomicAdd(clocks + 1, ns - begin.ns);
}
