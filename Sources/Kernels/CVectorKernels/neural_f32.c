#define T float
#define S(name) name##_f32
#define V(name) name##_narrow
#define EXP(x) exp_single(x)
#define ERF(x) erf_single(x)
#define NARROW 1
#include "neural.h"
