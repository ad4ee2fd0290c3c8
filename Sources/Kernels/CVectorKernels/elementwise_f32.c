#define T float
#define S(name) name##_f32
#define F(name) name##f
#define V(name) name##_narrow
#define EXP(x) exp_single(x)
#define LOG(x) log_single(x)
#define NARROW 1
#include "elementwise.h"
