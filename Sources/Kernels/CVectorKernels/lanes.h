// Includes the file KERNELS for both scalar types: with T, S(name) and LANES, the elements that fill 64 bytes.
#ifndef KERNELS
#error "define KERNELS as the name of the file that is to be included for float and for double"
#endif

#define T float
#define S(name) name##_f32
#define LANES 16
#include KERNELS
#undef T
#undef S
#undef LANES

#define T double
#define S(name) name##_f64
#define LANES 8
#include KERNELS
#undef T
#undef S
#undef LANES

#undef KERNELS
