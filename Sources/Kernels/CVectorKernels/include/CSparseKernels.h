// Kernels for matrices stored by compressed rows, and the fast Walsh–Hadamard transform.
//
// One table of functions for each scalar type. Indices are 32 bits wide: half the traffic of 64, and enough for
// matrices of two thousand million entries. Columns increase within a row. Dense operands are row-major, `width`
// columns wide, and a vector is an operand of width one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Row i has the entries starts[i] ..< starts[i + 1] of `indices` (their columns) and `values`.
typedef struct {
  size_t rows;
  const int32_t *starts;
  const int32_t *indices;
  const void *values;
} apus_csr;

typedef struct {
  /// y = A x for the rows first ..< last.
  void (*times_vector)(const apus_csr *a, size_t first, size_t last, const void *x, void *y);
  /// The same for a dense x. `streaming` writes past the caches; y and its rows must then be aligned to 64 bytes.
  void (*times_dense)(const apus_csr *a, size_t first, size_t last, const void *x, size_t width, void *y,
                      bool streaming);
  /// y += Aᵀ x over the rows first ..< last; y[0] stands for column `offset`.
  void (*transposed_times_vector)(const apus_csr *a, size_t first, size_t last, const void *x, void *y,
                                  size_t offset);
  /// Aᵀ, where A has `columns` columns. Entries of a row of Aᵀ follow the order of A's rows, whether or not A is sorted.
  void (*transpose)(const apus_csr *a, size_t columns, int32_t *starts, int32_t *indices, void *values);
  /// Distributes entries over the `extent` values of their keys, in order: starts as in a matrix, and the entries'
  /// other index and value. Keys and others are in range.
  void (*distribute)(size_t count, const ptrdiff_t *keys, const ptrdiff_t *others, const void *entries, size_t extent,
                     int32_t *starts, int32_t *indices, void *values);
  /// Adds up neighbours of one place, in place; returns how many entries are left.
  size_t (*sum_duplicates)(size_t rows, int32_t *starts, int32_t *indices, void *values);
  /// alpha A + beta B, in arrays with room for the entries of both; returns how many there are.
  size_t (*add)(const apus_csr *a, double alpha, const apus_csr *b, double beta, int32_t *starts, int32_t *indices,
                void *values);
  /// Rows first ..< last of A B, whose row starts are known. `marker` holds -1 and `sums` anything, one for each column
  /// of B; `marker` holds -1 again afterwards.
  void (*product)(const apus_csr *a, const apus_csr *b, size_t first, size_t last, const int32_t *starts,
                  int32_t *indices, void *values, int32_t *marker, void *sums);
  /// Replaces x by the solution of T x = x, where T is the lower (or upper) triangle of A; with `transposed`, that of
  /// Tᵀ x = x. Returns -1, or the first row met whose diagonal entry is missing or zero.
  ptrdiff_t (*solve_triangle)(const apus_csr *a, bool upper, bool transposed, bool unit_diagonal, void *x,
                              size_t width);
  /// One sweep of successive over-relaxation over x, forwards or backwards.
  void (*sweep)(const apus_csr *a, const void *inverse_diagonal, double relaxation, bool backward, const void *b,
                void *x, size_t width);
  /// Replaces the lower triangle of a symmetric matrix, diagonal last in each row, by its incomplete Cholesky factor
  /// on the same places. Returns -1, or the first row whose pivot is not positive.
  ptrdiff_t (*incomplete_cholesky)(size_t rows, const int32_t *starts, const int32_t *indices, void *values);
  /// Replaces a matrix by its incomplete factors L - I + U on the same places; `marker` holds -1 for each column.
  /// Returns -1, or the first row whose pivot is missing or zero.
  ptrdiff_t (*incomplete_lu)(size_t rows, const int32_t *starts, const int32_t *indices, void *values,
                             int32_t *marker);
  /// Multiplies x, of `length` (a power of two) rows of `width` elements that lie `stride` apart, by the matrix with
  /// entries (-1)^(number of common binary ones of row and column).
  void (*walsh_hadamard)(void *x, size_t length, size_t width, size_t stride);
  /// values[k] = row i of `left` times row j of `right`, of `width` elements each, for the entries k = (i, j) of A's rows
  /// first ..< last; A's own values are not read.
  void (*sampled_product)(const apus_csr *a, size_t first, size_t last, const void *left, const void *right,
                          size_t width, void *values);
} apus_sparse_kernels;

const apus_sparse_kernels *apus_sparse_f32(void);
const apus_sparse_kernels *apus_sparse_f64(void);

/// The number of entries in each of the rows first ..< last of A B; `marker` as for the product.
void apus_csr_product_counts(const apus_csr *a, const apus_csr *b, size_t first, size_t last, int32_t *marker,
                             int32_t *counts);

#pragma clang assume_nonnull end
