// Kernels that take the context of a GPU down: tests plant them among right ones.

extern "C" __global__ void illegal(int *place) { place[1ll << 43] = 1; }

extern "C" __global__ void hang(volatile int *place) {
  while (place[0] == place[0]) {
  }
}
