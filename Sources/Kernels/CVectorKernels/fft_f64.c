#define T double
#define S(name) name##_f64
#define TILE_ROUNDS 3
#define INTERLEAVED_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define INTERLEAVED_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#include "fft.h"
#include "fft_rows.h"
