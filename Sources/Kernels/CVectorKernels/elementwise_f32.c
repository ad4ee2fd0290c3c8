#define T float
#define S(name) name##_f32
#define F(name) name##f
#define V(name) name##_narrow
#define NARROW 1
#include "elementwise.h"
