// Sketches and one-pass streams: the tables.
#include "CSketchingKernels.h"
#include "dispatch.h"

#define T float
#define S(name) name##_f32
#define LANES 16
#include "sketching.h"
#undef T
#undef S
#undef LANES

#define T double
#define S(name) name##_f64
#define LANES 8
#include "sketching.h"
#undef T
#undef S
#undef LANES

#define TABLE(S)                                                                              \
  const apus_sketching_kernels *apus_sketching_##S(void) {                                    \
    static const apus_sketching_kernels table = {                                             \
        flip_rows_##S, add_signed_rows_##S, scatter_rows_##S, row_products_##S, add_combination_##S, \
    };                                                                                        \
    return &table;                                                                            \
  }

TABLE(f32)
TABLE(f64)
