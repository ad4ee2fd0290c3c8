#define T double
#define S(name) name##_f64
#define V(name) name##_wide
#define EXP(x) exp_wide(x)
#define ERF(x) erf_wide(x)
#define NARROW 0
#include "neural.h"
