#define T float
#define S(name) name##_f32
#define F(name) name##f
#include "real.h"
