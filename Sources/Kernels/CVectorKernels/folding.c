// Reductions across rows, and the spread of one row.
#include "CVectorKernels.h"
#include "dispatch.h"

#pragma STDC FP_CONTRACT OFF

// Eight rows at a time: the result is read and written once for all of them, and the order of the operations is fixed.
#define FOLD(OP)                                                                                                      \
  for (; rows >= 8; rows -= 8, a += 8 * stride, starts = false) {                                                     \
    const T *a1 = a + stride, *a2 = a1 + stride, *a3 = a2 + stride, *a4 = a3 + stride, *a5 = a4 + stride,             \
            *a6 = a5 + stride, *a7 = a6 + stride;                                                                     \
    if (starts) {                                                                                                     \
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) {                                                           \
        T x = OP(OP(a[i], a1[i]), OP(a2[i], a3[i])), y = OP(OP(a4[i], a5[i]), OP(a6[i], a7[i]));                      \
        result[i] = OP(x, y);                                                                                         \
      }                                                                                                               \
    } else {                                                                                                          \
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) {                                                           \
        T x = OP(OP(a[i], a1[i]), OP(a2[i], a3[i])), y = OP(OP(a4[i], a5[i]), OP(a6[i], a7[i]));                      \
        result[i] = OP(result[i], OP(x, y));                                                                          \
      }                                                                                                               \
    }                                                                                                                 \
  }                                                                                                                   \
  for (; rows > 0; rows--, a += stride, starts = false) {                                                             \
    if (starts) {                                                                                                     \
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) result[i] = a[i];                                           \
    } else {                                                                                                          \
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) result[i] = OP(result[i], a[i]);                            \
    }                                                                                                                 \
  }

#define SUM(x, y) ((x) + (y))
#define PRODUCT(x, y) ((x) * (y))
// A NaN in either is the result.
#define SMALLER(x, y) ((x) < (y) || (x) != (x) ? (x) : (y))
#define LARGER(x, y) ((x) > (y) || (x) != (x) ? (x) : (y))

#define DEFINE(TYPE, S)                                                                                               \
  APUS_CLONES static void sum_##S(const TYPE *a, ptrdiff_t stride, size_t rows, size_t columns, TYPE *result) {       \
    typedef TYPE T;                                                                                                   \
    bool starts = true;                                                                                               \
    FOLD(SUM)                                                                                                         \
  }                                                                                                                   \
  APUS_CLONES static void product_##S(const TYPE *a, ptrdiff_t stride, size_t rows, size_t columns, TYPE *result) {   \
    typedef TYPE T;                                                                                                   \
    bool starts = true;                                                                                               \
    FOLD(PRODUCT)                                                                                                     \
  }                                                                                                                   \
  APUS_CLONES static void smallest_##S(const TYPE *a, ptrdiff_t stride, size_t rows, size_t columns, TYPE *result) {  \
    typedef TYPE T;                                                                                                   \
    bool starts = true;                                                                                               \
    FOLD(SMALLER)                                                                                                     \
  }                                                                                                                   \
  APUS_CLONES static void largest_##S(const TYPE *a, ptrdiff_t stride, size_t rows, size_t columns, TYPE *result) {   \
    typedef TYPE T;                                                                                                   \
    bool starts = true;                                                                                               \
    FOLD(LARGER)                                                                                                      \
  }                                                                                                                   \
  void apus_fold_rows_##S(apus_reduction op, const TYPE *a, ptrdiff_t row_stride, size_t rows, size_t columns,        \
                          TYPE *result) {                                                                             \
    switch (op) {                                                                                                     \
      case APUS_PRODUCT: return product_##S(a, row_stride, rows, columns, result);                                    \
      case APUS_SMALLEST: return smallest_##S(a, row_stride, rows, columns, result);                                  \
      case APUS_LARGEST: return largest_##S(a, row_stride, rows, columns, result);                                    \
      default: return sum_##S(a, row_stride, rows, columns, result);                                                  \
    }                                                                                                                 \
  }                                                                                                                   \
  /* In 16 lanes of f64, added in a fixed order: the value does not depend on the machine. */                         \
  APUS_CLONES static double block_deviations_##S(const TYPE *a, double mean, size_t count) {                          \
    enum { lanes = 16 };                                                                                              \
    double sums[lanes] = {0};                                                                                         \
    size_t i = 0;                                                                                                     \
    for (; i + lanes <= count; i += lanes) {                                                                          \
      for (size_t lane = 0; lane < lanes; lane++) {                                                                   \
        double d = (double)a[i + lane] - mean;                                                                        \
        sums[lane] += d * d;                                                                                          \
      }                                                                                                               \
    }                                                                                                                 \
    for (; i < count; i++) {                                                                                          \
      double d = (double)a[i] - mean;                                                                                 \
      sums[i % lanes] += d * d;                                                                                       \
    }                                                                                                                 \
    for (size_t width = lanes / 2; width > 0; width /= 2) {                                                           \
      for (size_t lane = 0; lane < width; lane++) sums[lane] += sums[lane + width];                                   \
    }                                                                                                                 \
    return sums[0];                                                                                                   \
  }                                                                                                                   \
  double apus_squared_deviations_##S(const TYPE *a, double mean, size_t count) {                                      \
    double total = 0;                                                                                                 \
    for (size_t start = 0; start < count; start += 4096) {                                                            \
      total += block_deviations_##S(a + start, mean, count - start < 4096 ? count - start : 4096);                    \
    }                                                                                                                 \
    return total;                                                                                                     \
  }

DEFINE(float, f32)
DEFINE(double, f64)
