// Included once with T = float, F(name) = name##f, S(name) = name##_f32 and once for double.
#include "CVectorKernels.h"

#include <math.h>

static inline T S(minimum)(T x, T y) { return x != x ? x : y != y ? y : x < y ? x : y; }
static inline T S(maximum)(T x, T y) { return x != x ? x : y != y ? y : x > y ? x : y; }

static inline T S(floored_remainder)(T x, T y) {
  T r = F(fmod)(x, y);
  return r != 0 ? ((r < 0) != (y < 0) ? r + y : r) : F(copysign)(r, y);
}

#define EACH(expression)                                          \
  for (size_t i = 0; i < count; i++) {                            \
    T x = a[(ptrdiff_t)i * stride_a], y = b[(ptrdiff_t)i * stride_b]; \
    result[i] = (expression);                                     \
  }                                                               \
  break

void S(apus_binary)(apus_binary op, const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, T *result,
                    size_t count) {
  switch (op) {
    case APUS_ADD: EACH(x + y);
    case APUS_SUBTRACT: EACH(x - y);
    case APUS_MULTIPLY: EACH(x * y);
    case APUS_DIVIDE: EACH(x / y);
    case APUS_POWER: EACH(F(pow)(x, y));
    case APUS_MINIMUM: EACH(S(minimum)(x, y));
    case APUS_MAXIMUM: EACH(S(maximum)(x, y));
    case APUS_ATAN2: EACH(F(atan2)(x, y));
    case APUS_HYPOT: EACH(F(hypot)(x, y));
    case APUS_REMAINDER: EACH(S(floored_remainder)(x, y));
    case APUS_COPY_SIGN: EACH(F(copysign)(x, y));
  }
}

void S(apus_compare)(apus_comparison op, const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, bool *result,
                     size_t count) {
  switch (op) {
    case APUS_EQUAL: EACH(x == y);
    case APUS_NOT_EQUAL: EACH(x != y);
    case APUS_LESS: EACH(x < y);
    case APUS_LESS_EQUAL: EACH(x <= y);
    case APUS_GREATER: EACH(x > y);
    case APUS_GREATER_EQUAL: EACH(x >= y);
  }
}
#undef EACH

#define EACH(expression)                   \
  for (size_t i = 0; i < count; i++) {     \
    T x = a[(ptrdiff_t)i * stride_a];      \
    result[i] = (expression);              \
  }                                        \
  break

void S(apus_unary)(apus_unary op, const T *a, ptrdiff_t stride_a, T *result, size_t count) {
  switch (op) {
    case APUS_NEGATE: EACH(-x);
    case APUS_ABSOLUTE: EACH(F(fabs)(x));
    case APUS_SIGN: EACH(x > 0 ? 1 : x < 0 ? -1 : x);
    case APUS_SQUARE: EACH(x * x);
    case APUS_SQRT: EACH(F(sqrt)(x));
    case APUS_RECIPROCAL: EACH(1 / x);
    case APUS_RECIPROCAL_SQRT: EACH(1 / F(sqrt)(x));
    case APUS_CBRT: EACH(F(cbrt)(x));
    case APUS_EXP: EACH(F(exp)(x));
    case APUS_EXP2: EACH(F(exp2)(x));
    case APUS_EXPM1: EACH(F(expm1)(x));
    case APUS_LOG: EACH(F(log)(x));
    case APUS_LOG2: EACH(F(log2)(x));
    case APUS_LOG10: EACH(F(log10)(x));
    case APUS_LOG1P: EACH(F(log1p)(x));
    case APUS_SIN: EACH(F(sin)(x));
    case APUS_COS: EACH(F(cos)(x));
    case APUS_TAN: EACH(F(tan)(x));
    case APUS_ASIN: EACH(F(asin)(x));
    case APUS_ACOS: EACH(F(acos)(x));
    case APUS_ATAN: EACH(F(atan)(x));
    case APUS_SINH: EACH(F(sinh)(x));
    case APUS_COSH: EACH(F(cosh)(x));
    case APUS_TANH: EACH(F(tanh)(x));
    case APUS_ASINH: EACH(F(asinh)(x));
    case APUS_ACOSH: EACH(F(acosh)(x));
    case APUS_ATANH: EACH(F(atanh)(x));
    case APUS_ERF: EACH(F(erf)(x));
    case APUS_ERFC: EACH(F(erfc)(x));
    case APUS_SIGMOID: EACH(x >= 0 ? 1 / (1 + F(exp)(-x)) : F(exp)(x) / (1 + F(exp)(x)));
    case APUS_SOFTPLUS: EACH((x > 0 ? x : x != x ? x : 0) + F(log1p)(F(exp)(-F(fabs)(x))));
    case APUS_RELU: EACH(x <= 0 ? 0 : x);
    case APUS_FLOOR: EACH(F(floor)(x));
    case APUS_CEIL: EACH(F(ceil)(x));
    case APUS_ROUND: EACH(F(rint)(x));
    case APUS_TRUNCATE: EACH(F(trunc)(x));
  }
}
#undef EACH

void S(apus_select)(const bool *mask, ptrdiff_t stride_mask, const T *a, ptrdiff_t stride_a, const T *b,
                    ptrdiff_t stride_b, T *result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t j = (ptrdiff_t)i;
    result[i] = mask[j * stride_mask] ? a[j * stride_a] : b[j * stride_b];
  }
}

void S(apus_multiply_add)(const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, const T *c,
                          ptrdiff_t stride_c, T *result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ptrdiff_t j = (ptrdiff_t)i;
    result[i] = a[j * stride_a] * b[j * stride_b] + c[j * stride_c];
  }
}

T S(apus_reduce)(apus_reduction op, const T *a, ptrdiff_t stride, size_t count) {
  double total = op == APUS_PRODUCT ? 1 : 0;
  T extreme = op == APUS_SMALLEST ? (T)INFINITY : -(T)INFINITY;
  for (size_t i = 0; i < count; i++) {
    T x = a[(ptrdiff_t)i * stride];
    switch (op) {
      case APUS_SUM: total += x; break;
      case APUS_SUM_OF_SQUARES: total += (double)x * x; break;
      case APUS_SUM_OF_ABSOLUTES: total += F(fabs)(x); break;
      case APUS_PRODUCT: total *= x; break;
      case APUS_SMALLEST: extreme = S(minimum)(extreme, x); break;
      case APUS_LARGEST: extreme = S(maximum)(extreme, x); break;
    }
  }
  return op == APUS_SMALLEST || op == APUS_LARGEST ? extreme : (T)total;
}

T S(apus_dot)(const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, size_t count) {
  double total = 0;
  for (size_t i = 0; i < count; i++) total += (double)a[(ptrdiff_t)i * stride_a] * b[(ptrdiff_t)i * stride_b];
  return (T)total;
}

size_t S(apus_index_of_smallest)(const T *a, ptrdiff_t stride, size_t count) {
  size_t best = 0;
  for (size_t i = 0; i < count; i++) {
    T x = a[(ptrdiff_t)i * stride];
    if (x != x) return i;
    if (x < a[(ptrdiff_t)best * stride]) best = i;
  }
  return best;
}

size_t S(apus_index_of_largest)(const T *a, ptrdiff_t stride, size_t count) {
  size_t best = 0;
  for (size_t i = 0; i < count; i++) {
    T x = a[(ptrdiff_t)i * stride];
    if (x != x) return i;
    if (x > a[(ptrdiff_t)best * stride]) best = i;
  }
  return best;
}

T S(apus_log_sum_exp)(const T *a, ptrdiff_t stride, size_t count) {
  T largest = S(apus_reduce)(APUS_LARGEST, a, stride, count);
  if (!(F(fabs)(largest) < (T)INFINITY)) return largest;
  double total = 0;
  for (size_t i = 0; i < count; i++) total += F(exp)(a[(ptrdiff_t)i * stride] - largest);
  return (T)(largest + log(total));
}

void S(apus_softmax)(const T *a, ptrdiff_t stride, T *result, size_t count) {
  T largest = S(apus_reduce)(APUS_LARGEST, a, stride, count);
  double total = 0;
  for (size_t i = 0; i < count; i++) {
    result[i] = F(exp)(a[(ptrdiff_t)i * stride] - largest);
    total += result[i];
  }
  T factor = (T)(1 / total);
  for (size_t i = 0; i < count; i++) result[i] *= factor;
}

void S(apus_log_softmax)(const T *a, ptrdiff_t stride, T *result, size_t count) {
  T largest = S(apus_reduce)(APUS_LARGEST, a, stride, count);
  double total = 0;
  for (size_t i = 0; i < count; i++) total += F(exp)(a[(ptrdiff_t)i * stride] - largest);
  T logarithm = (T)log(total);
  for (size_t i = 0; i < count; i++) result[i] = a[(ptrdiff_t)i * stride] - largest - logarithm;
}

void S(apus_cumulative)(apus_reduction op, const T *a, ptrdiff_t stride, T *result, size_t count) {
  if (count == 0) return;
  double total = op == APUS_PRODUCT ? 1 : 0;
  T extreme = op == APUS_SMALLEST ? (T)INFINITY : -(T)INFINITY;
  for (size_t i = 0; i < count; i++) {
    T x = a[(ptrdiff_t)i * stride];
    switch (op) {
      case APUS_SUM: result[i] = (T)(total += x); break;
      case APUS_SUM_OF_SQUARES: result[i] = (T)(total += (double)x * x); break;
      case APUS_SUM_OF_ABSOLUTES: result[i] = (T)(total += F(fabs)(x)); break;
      case APUS_PRODUCT: result[i] = (T)(total *= x); break;
      case APUS_SMALLEST: result[i] = extreme = S(minimum)(extreme, x); break;
      case APUS_LARGEST: result[i] = extreme = S(maximum)(extreme, x); break;
    }
  }
}

bool S(apus_all_finite)(const T *a, ptrdiff_t stride, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!(F(fabs)(a[(ptrdiff_t)i * stride]) < (T)INFINITY)) return false;
  return true;
}

void S(apus_count_magnitudes)(const T *a, size_t count, double low, double scale, size_t bins, uint64_t *counts,
                              uint64_t *zeros, uint64_t *below, uint64_t *above) {
  for (size_t i = 0; i < count; i++) {
    if (a[i] == 0) {
      ++*zeros;
      continue;
    }
    double bin = floor((log10(fabs((double)a[i])) - low) * scale);
    if (bin < 0) ++*below;
    else if (bin >= (double)bins) ++*above;
    else ++counts[(size_t)bin];
  }
}
