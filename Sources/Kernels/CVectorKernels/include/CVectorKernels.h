// The scalar loops of Apus: C, vectorised by the compiler, dispatched at load time to the widest instruction set.
//
// Conventions. Every function works on `count` elements; a stride counts elements and may be zero (a broadcast scalar)
// or negative. A result is contiguous, and may be the very array of an operand (in-place), but must not overlap it
// otherwise. Nothing here allocates, locks or starts a thread, except `apus_parallel`.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// MARK: Element-wise

// A modulus has the divisor's sign. A minimum or maximum is NaN where either argument is.
typedef enum {
  APUS_ADD, APUS_SUBTRACT, APUS_MULTIPLY, APUS_DIVIDE, APUS_POWER, APUS_MINIMUM, APUS_MAXIMUM,
  APUS_ATAN2, APUS_HYPOT, APUS_MODULO, APUS_COPY_SIGN
} apus_binary;

typedef enum {
  APUS_NEGATE, APUS_ABSOLUTE, APUS_SIGN, APUS_SQUARE, APUS_SQRT, APUS_RECIPROCAL, APUS_RECIPROCAL_SQRT, APUS_CBRT,
  APUS_EXP, APUS_EXP2, APUS_EXPM1, APUS_LOG, APUS_LOG2, APUS_LOG10, APUS_LOG1P,
  APUS_SIN, APUS_COS, APUS_TAN, APUS_ASIN, APUS_ACOS, APUS_ATAN,
  APUS_SINH, APUS_COSH, APUS_TANH, APUS_ASINH, APUS_ACOSH, APUS_ATANH,
  APUS_ERF, APUS_ERFC, APUS_SIGMOID, APUS_SOFTPLUS, APUS_RELU,
  APUS_FLOOR, APUS_CEIL, APUS_ROUND, APUS_TRUNCATE
} apus_unary;

typedef enum { APUS_EQUAL, APUS_NOT_EQUAL, APUS_LESS, APUS_LESS_EQUAL, APUS_GREATER, APUS_GREATER_EQUAL } apus_comparison;

// A minimum or maximum of nothing is +/-infinity; a NaN anywhere makes it NaN. Sums of f32 keep an f64 total over
// blocks of 4,096, in a fixed order: the value depends on the input alone.
typedef enum { APUS_SUM, APUS_SUM_OF_SQUARES, APUS_SUM_OF_ABSOLUTES, APUS_PRODUCT, APUS_SMALLEST, APUS_LARGEST } apus_reduction;

#define APUS_DECLARE_REAL(T, S)                                                                                       \
  void apus_binary_##S(apus_binary op, const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, T *result,     \
                       size_t count);                                                                                 \
  void apus_unary_##S(apus_unary op, const T *a, ptrdiff_t stride_a, T *result, size_t count);                        \
  void apus_compare_##S(apus_comparison op, const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b,           \
                        bool *result, size_t count);                                                                  \
  void apus_select_##S(const bool *mask, ptrdiff_t stride_mask, const T *a, ptrdiff_t stride_a, const T *b,           \
                       ptrdiff_t stride_b, T *result, size_t count);                                                  \
  /* result = a * b + c, rounded once where the machine can. */                                                       \
  void apus_multiply_add_##S(const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, const T *c,              \
                             ptrdiff_t stride_c, T *result, size_t count);                                            \
  T apus_reduce_##S(apus_reduction op, const T *a, ptrdiff_t stride, size_t count);                                   \
  T apus_dot_##S(const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, size_t count);                       \
  /* Index of the first smallest or largest element; of the first NaN if there is one. count >= 1. */                 \
  size_t apus_index_of_smallest_##S(const T *a, ptrdiff_t stride, size_t count);                                      \
  size_t apus_index_of_largest_##S(const T *a, ptrdiff_t stride, size_t count);                                       \
  /* log(sum(exp(a))) without overflow; -infinity for no elements. */                                                 \
  T apus_log_sum_exp_##S(const T *a, ptrdiff_t stride, size_t count);                                                 \
  /* softmax(a), in one row; log_softmax(a) = a - log_sum_exp(a). */                                                  \
  void apus_softmax_##S(const T *a, ptrdiff_t stride, T *result, size_t count);                                       \
  void apus_log_softmax_##S(const T *a, ptrdiff_t stride, T *result, size_t count);                                   \
  /* result[i] = a[0] + ... + a[i]; likewise for products, minima and maxima. */                                      \
  void apus_cumulative_##S(apus_reduction op, const T *a, ptrdiff_t stride, T *result, size_t count);                 \
  /* result[c] = a[0][c] + ... + a[rows - 1][c], likewise for products, minima and maxima; rows >= 1. */              \
  void apus_fold_rows_##S(apus_reduction op, const T *a, ptrdiff_t row_stride, size_t rows, size_t columns,           \
                          T *result);                                                                                 \
  /* The sum of (a - mean)^2. */                                                                                      \
  double apus_squared_deviations_##S(const T *a, double mean, size_t count);                                          \
  bool apus_all_finite_##S(const T *a, ptrdiff_t stride, size_t count);                                               \
  /* Adds one to counts[floor((log10|a| - low) * scale)], clamping nothing: values below `low` or not below the       \
     upper edge go to *below / *above, zeros to *zeros; NaN is not expected. For histograms of magnitudes. */         \
  void apus_count_magnitudes_##S(const T *a, size_t count, double low, double scale, size_t bins, uint64_t *counts,   \
                                 uint64_t *zeros, uint64_t *below, uint64_t *above);                                  \
  /* Philox4x32-10. Element i of a stream depends on (key, stream, first + i) alone, so a stream may be filled in     \
     pieces, by any number of threads. Uniforms lie in [0, 1), or in (0, 1) where `open`; f32 have 24 random bits,    \
     f64 53. Normals by Box and Muller. */                                                                            \
  void apus_random_uniform_##S(uint64_t key, uint64_t stream, uint64_t first, bool open, T *result, size_t count);    \
  void apus_random_normal_##S(uint64_t key, uint64_t stream, uint64_t first, T *result, size_t count);

APUS_DECLARE_REAL(float, f32)
APUS_DECLARE_REAL(double, f64)

// MARK: Random bits

/// One Philox4x32-10 block: four words from a 128-bit counter and a 64-bit key (Salmon et al., SC 2011).
void apus_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t result[4]);
/// 64-bit words first, first + 1, ... of a stream. Word i is half (i mod 2) of the block with counter (i / 2, stream).
void apus_random_words(uint64_t key, uint64_t stream, uint64_t first, uint64_t *result, size_t count);

// MARK: Copies and conversions

/// result[r][c] = source[r * row_stride + c * column_stride], in cache-sized tiles; bytes is 1, 2, 4 or 8.
void apus_copy_strided_2d(size_t bytes, const void *source, ptrdiff_t row_stride, ptrdiff_t column_stride, void *result,
                          size_t rows, size_t columns);
void apus_f32_from_f64(const double *a, float *result, size_t count);
void apus_f64_from_f32(const float *a, double *result, size_t count);
/// IEEE half and bfloat16, rounding to nearest even; NaN stays NaN, overflow becomes infinity.
void apus_f32_from_f16(const uint16_t *a, float *result, size_t count);
void apus_f32_from_bf16(const uint16_t *a, float *result, size_t count);
void apus_f16_from_f32(const float *a, uint16_t *result, size_t count);
void apus_bf16_from_f32(const float *a, uint16_t *result, size_t count);

/// result[i * result_stride] = source[i * source_stride]; bytes is 1, 2, 4 or 8.
void apus_copy_strided(size_t bytes, const void *source, ptrdiff_t source_stride, void *result, ptrdiff_t result_stride,
                       size_t count);

// MARK: Indices and order

/// The position of the first index below zero or not below `extent`; `count` if there is none.
size_t apus_first_index_out_of_range(const ptrdiff_t *indices, size_t count, size_t extent);
/// result[i] = source[indices[i]], for elements of any size.
void apus_gather(size_t bytes, const void *source, const ptrdiff_t *indices, void *result, size_t count);
/// result[indices[i]] += values[i], in order.
void apus_scatter_add_f32(const float *values, const ptrdiff_t *indices, float *result, size_t count);
void apus_scatter_add_f64(const double *values, const ptrdiff_t *indices, double *result, size_t count);

/// Sorts in place, NaN as larger than every number; `scratch` has room for twice as many elements. count < 2^32.
void apus_sort_f32(float *a, size_t count, bool descending, void *scratch);
void apus_sort_f64(double *a, size_t count, bool descending, void *scratch);
/// The stable order of a, as positions counted from `first`. `scratch` holds 16 bytes an element for f32, 32 for f64.
void apus_argsort_f32(const float *a, size_t count, bool descending, size_t first, ptrdiff_t *result, void *scratch);
void apus_argsort_f64(const double *a, size_t count, bool descending, size_t first, ptrdiff_t *result, void *scratch);
/// Merges the sorted runs a[0 ..< left] and the `right` elements behind them: the first `count` elements of the result,
/// or with `from_front` false the last ones, at their places in `result`. Two calls for a half each run side by side.
void apus_merge_f32(const float *a, size_t left, size_t right, bool descending, bool from_front, float *result,
                    size_t count);
void apus_merge_f64(const double *a, size_t left, size_t right, bool descending, bool from_front, double *result,
                    size_t count);
/// The same for runs of positions into `keys`.
void apus_merge_positions_f32(const float *keys, const ptrdiff_t *a, size_t left, size_t right, bool descending,
                              bool from_front, ptrdiff_t *result, size_t count);
void apus_merge_positions_f64(const double *keys, const ptrdiff_t *a, size_t left, size_t right, bool descending,
                              bool from_front, ptrdiff_t *result, size_t count);

// MARK: Threads

/// Runs body(context, 0), ..., body(context, tasks - 1) on the pool and the calling thread, and returns when all are
/// done. A call from inside a task, or while another thread uses the pool, runs its tasks one after another.
void apus_parallel(size_t tasks, void (*body)(void *context, size_t task), void *context);
/// Threads that take part, the caller included: the processors at first, or APUS_NUM_THREADS.
size_t apus_thread_count(void);
void apus_set_thread_count(size_t count);

#include "CBesselKernels.h"
#include "CConvolutionKernels.h"
#include "CFourierKernels.h"
#include "CNeuralKernels.h"
#include "CNormalizationKernels.h"
#include "COptimizerKernels.h"
#include "CPursuitKernels.h"
#include "CQuantizationKernels.h"
#include "CRecoveryKernels.h"
#include "CRowKernels.h"
#include "CSketchingKernels.h"
#include "CSparseKernels.h"
