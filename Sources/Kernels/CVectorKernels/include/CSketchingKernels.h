// Kernels for sketches and one-pass streams: rows of a tall matrix, row-major and without gaps, go by once.
//
// One table of functions for each scalar type; every pointer without a type is to that scalar.
#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct {
  /// result[i, :] = x[i, :], negated where the last bit of choices[i] is one.
  void (*flip_rows)(const void *x, size_t rows, size_t width, const ptrdiff_t *choices, void *result);
  /// result[j, :] += x[inner[j], :], negated where outer[j] and `block` have an odd number of ones in common; x is a
  /// block of rows after a Walsh–Hadamard transform, result what a larger transform makes of its chosen rows.
  void (*add_signed_rows)(const void *x, const int32_t *inner, const int32_t *outer, size_t block, size_t count,
                          size_t width, void *result);
  /// result[c >> 1, :] += x[i, :], negated where the last bit of c is one, for each c of the `nonzeros` choices of row
  /// i.
  void (*scatter_rows)(const void *x, size_t rows, size_t width, const ptrdiff_t *choices, size_t nonzeros,
                       void *result);
  /// squares[i] = |x[i, :]|² and products[i] = x[i, :] · z.
  void (*row_products)(const void *x, size_t rows, size_t width, const void *z, void *squares, void *products);
  /// result[j] += sum over i of coefficients[i] x[i, j], for j in first ..< last.
  void (*add_combination)(const void *x, size_t rows, size_t width, const void *coefficients, size_t first, size_t last,
                          void *result);
} apus_sketching_kernels;

const apus_sketching_kernels *apus_sketching_f32(void);
const apus_sketching_kernels *apus_sketching_f64(void);

#pragma clang assume_nonnull end
