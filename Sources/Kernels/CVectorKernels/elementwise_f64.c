#define T double
#define S(name) name##_f64
#define F(name) name
#define V(name) name##_wide
#define EXP(x) exp_wide(x)
#define LOG(x) log_wide(x)
#define NARROW 0
#include "elementwise.h"
