#define T double
#define INTEGER int64_t
#define S(name) name##_f64
#define V(name) name##_wide
#define EXP(x) exp_wide(x)
#define NARROW 0
#include "reductions.h"
