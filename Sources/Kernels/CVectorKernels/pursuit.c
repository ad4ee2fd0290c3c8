// Sparse coding and dictionary learning, for both scalar types.
#include "CPursuitKernels.h"
#include "dispatch.h"

#include <math.h>

#define T float
#define S(name) name##_f32
#define LANES 16
#define LEAST_PIVOT 1e-6f
#define PRECISION 0x1p-23f
#include "pursuit.h"
#undef T
#undef S
#undef LANES
#undef LEAST_PIVOT
#undef PRECISION

#define T double
#define S(name) name##_f64
#define LANES 8
#define LEAST_PIVOT 1e-12
#define PRECISION 0x1p-52
#include "pursuit.h"
