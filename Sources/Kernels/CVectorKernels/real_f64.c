#define T double
#define S(name) name##_f64
#define F(name) name
#include "real.h"
