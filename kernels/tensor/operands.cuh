// Operands of an asm statement: OPERANDS(4, "r", x) is "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]). Counts are powers
// of 2.

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define LIST1(kind, x, i) kind(x[i])
#define LIST2(kind, x, i) LIST1(kind, x, i), LIST1(kind, x, i + 1)
#define LIST4(kind, x, i) LIST2(kind, x, i), LIST2(kind, x, i + 2)
#define LIST8(kind, x, i) LIST4(kind, x, i), LIST4(kind, x, i + 4)
#define LIST16(kind, x, i) LIST8(kind, x, i), LIST8(kind, x, i + 8)
#define LIST32(kind, x, i) LIST16(kind, x, i), LIST16(kind, x, i + 16)
#define LIST64(kind, x, i) LIST32(kind, x, i), LIST32(kind, x, i + 32)
#define LIST128(kind, x, i) LIST64(kind, x, i), LIST64(kind, x, i + 64)
#define OPERANDS(count, kind, x) PASTE(LIST, count)(kind, x, 0)
