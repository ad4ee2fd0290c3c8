// Matrices of few long rows: the scalar types of the kernels.
#include "CRowKernels.h"
#include "dispatch.h"

#include <stdbool.h>

typedef double octet __attribute__((vector_size(64), aligned(8)));

#define T float
#define S(name) name##_f32
#include "rows.h"
#undef T
#undef S

#define T double
#define S(name) name##_f64
#include "rows.h"
#undef T
#undef S

void apus_row_dots(size_t bytes, const void *a, ptrdiff_t stride, size_t rows, size_t columns, const double *x,
                   double *sums) {
  if (bytes == sizeof(float))
    row_dots_f32(a, stride, rows, columns, x, sums);
  else
    row_dots_f64(a, stride, rows, columns, x, sums);
}

void apus_add_rows(size_t bytes, const void *a, ptrdiff_t stride, size_t rows, size_t columns,
                   const double *coefficients, double *result) {
  if (bytes == sizeof(float))
    add_rows_f32(a, stride, rows, columns, coefficients, result);
  else
    add_rows_f64(a, stride, rows, columns, coefficients, result);
}
