#define T double
#define S(name) name##_f64
#define F(name) name
#define V(name) name##_wide
#define NARROW 0
#include "elementwise.h"
