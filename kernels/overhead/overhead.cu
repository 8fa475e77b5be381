// A kernel that does nothing: what remains is the price of launching it. Given somewhere to count, it counts.

extern "C" __global__ void empty(unsigned long long *count) {
  if (count) ++*count; // one thread, and launches of one stream follow each other
}
