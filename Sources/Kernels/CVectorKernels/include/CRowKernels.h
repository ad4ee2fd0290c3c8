// Products of a matrix of few long rows with vectors, for matrices that are read once from memory.
//
// Sums are kept in f64 whatever the matrix is stored in: they cost nothing beside the reading. `bytes` is 4 for float
// and 8 for double. Callers hand over a strip of columns whose x or result stays in the cache.
#pragma once

#include <stddef.h>

#pragma clang assume_nonnull begin

/// sums[r] = the sum over c of a[r * stride + c] x[c].
void apus_row_dots(size_t bytes, const void *a, ptrdiff_t stride, size_t rows, size_t columns, const double *x,
                   double *sums);
/// result[c] += the sum over r of coefficients[r] a[r * stride + c].
void apus_add_rows(size_t bytes, const void *a, ptrdiff_t stride, size_t rows, size_t columns,
                   const double *coefficients, double *result);

#pragma clang assume_nonnull end
