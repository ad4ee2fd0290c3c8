// Sketches and one-pass streams: the tables.
#include "CSketchingKernels.h"
#include "dispatch.h"

#define KERNELS "sketching.h"
#include "lanes.h"

#define TABLE(S)                                                                              \
  const apus_sketching_kernels *apus_sketching_##S(void) {                                    \
    static const apus_sketching_kernels table = {                                             \
        flip_rows_##S, add_signed_rows_##S, scatter_rows_##S, row_products_##S, add_combination_##S, \
    };                                                                                        \
    return &table;                                                                            \
  }

TABLE(f32)
TABLE(f64)
