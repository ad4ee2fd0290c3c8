#define T float
#define INTEGER int32_t
#define S(name) name##_f32
#define V(name) name##_narrow
#define EXP(x) exp_single(x)
#define NARROW 1
#include "reductions.h"
