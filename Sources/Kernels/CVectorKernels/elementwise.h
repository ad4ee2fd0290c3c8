// Element-wise kernels, for T = float or double. S(name) is name_f32 or name_f64, F(name) the C library's function,
// V(name) a vectorisable function in f64, EXP and LOG those in T.
//
// Every operation is one loop over contiguous arrays, compiled for each instruction set; a scalar operand has a loop of
// its own, and other strides are gathered block by block. So an element's value never depends on its position.
#include "CVectorKernels.h"
#include "dispatch.h"
#include "functions_single.h"
#if NARROW
#include "functions_wide.h"
#endif

enum { block = 512 };

static void S(gather)(const T *a, ptrdiff_t stride, T *result, size_t count) {
  for (size_t i = 0; i < count; i++) result[i] = a[(ptrdiff_t)i * stride];
}

static void S(fill)(T value, T *result, size_t count) {
  for (size_t i = 0; i < count; i++) result[i] = value;
}

// MARK: Unary

typedef void (*S(unary_loop))(const T *a, T *result, size_t count);

#define UNARY(name, expression)                                                                                       \
  APUS_CLONES static void S(name##_loop)(const T *a, T *result, size_t count) {                                       \
    APUS_VECTORIZE for (size_t i = 0; i < count; i++) {                                                               \
      T x = a[i];                                                                                                     \
      result[i] = (T)(expression);                                                                                    \
    }                                                                                                                 \
  }

// A block with an element beyond the vector path takes that element from the C library.
#define UNARY_WITHIN(name, beyond)                                                                                    \
  APUS_CLONES static void S(name##_loop)(const T *a, T *result, size_t count) {                                       \
    for (size_t start = 0; start < count; start += block) {                                                           \
      size_t end = count - start < block ? count : start + block;                                                     \
      int any = 0;                                                                                                    \
      for (size_t i = start; i < end; i++) any |= V(beyond)((double)a[i]);                                            \
      if (any) {                                                                                                      \
        for (size_t i = start; i < end; i++) {                                                                        \
          T x = a[i];                                                                                                 \
          result[i] = V(beyond)((double)x) ? F(name)(x) : (T)V(name)((double)x);                                      \
        }                                                                                                             \
      } else {                                                                                                        \
        APUS_VECTORIZE for (size_t i = start; i < end; i++) {                                                         \
          result[i] = (T)V(name)((double)a[i]);                                                                       \
        }                                                                                                             \
      }                                                                                                               \
    }                                                                                                                 \
  }

UNARY(negate, -x)
UNARY(absolute, __builtin_elementwise_abs(x))
UNARY(sign, x > 0 ? 1 : x < 0 ? -1 : x)
UNARY(square, x * x)
UNARY(sqrt, __builtin_elementwise_sqrt(x))
UNARY(reciprocal, 1 / x)
UNARY(reciprocal_sqrt, 1 / __builtin_elementwise_sqrt((double)x))
UNARY(relu, x <= 0 ? 0 : x)
UNARY(floor, __builtin_elementwise_floor(x))
UNARY(ceil, __builtin_elementwise_ceil(x))
UNARY(round, __builtin_elementwise_rint(x))
UNARY(truncate, __builtin_elementwise_trunc(x))
UNARY(cbrt, V(cbrt)(x))
UNARY(exp, EXP(x))
UNARY(exp2, V(exp2)(x))
UNARY(expm1, V(expm1)(x))
UNARY(log, LOG(x))
UNARY(log2, V(log2)(x))
UNARY(log10, V(log10)(x))
UNARY(log1p, V(log1p)(x))
UNARY(asin, V(asin)(x))
UNARY(acos, V(acos)(x))
UNARY(atan, V(atan)(x))
UNARY(tanh, V(tanh)(x))
UNARY(atanh, V(atanh)(x))
UNARY(erf, V(erf)(x))
UNARY(erfc, V(erfc)(x))
UNARY(sigmoid, V(sigmoid)(x))
UNARY(softplus, V(softplus)(x))
UNARY_WITHIN(sin, beyond_turns)
UNARY_WITHIN(cos, beyond_turns)
UNARY_WITHIN(tan, beyond_turns)
UNARY_WITHIN(sinh, beyond_double_exp)
UNARY_WITHIN(cosh, beyond_double_exp)
UNARY_WITHIN(asinh, beyond_square)
UNARY_WITHIN(acosh, beyond_square)

static const S(unary_loop) S(unary_loops)[] = {
  [APUS_NEGATE] = S(negate_loop), [APUS_ABSOLUTE] = S(absolute_loop), [APUS_SIGN] = S(sign_loop),
  [APUS_SQUARE] = S(square_loop), [APUS_SQRT] = S(sqrt_loop), [APUS_RECIPROCAL] = S(reciprocal_loop),
  [APUS_RECIPROCAL_SQRT] = S(reciprocal_sqrt_loop), [APUS_CBRT] = S(cbrt_loop), [APUS_EXP] = S(exp_loop),
  [APUS_EXP2] = S(exp2_loop), [APUS_EXPM1] = S(expm1_loop), [APUS_LOG] = S(log_loop), [APUS_LOG2] = S(log2_loop),
  [APUS_LOG10] = S(log10_loop), [APUS_LOG1P] = S(log1p_loop), [APUS_SIN] = S(sin_loop), [APUS_COS] = S(cos_loop),
  [APUS_TAN] = S(tan_loop), [APUS_ASIN] = S(asin_loop), [APUS_ACOS] = S(acos_loop), [APUS_ATAN] = S(atan_loop),
  [APUS_SINH] = S(sinh_loop), [APUS_COSH] = S(cosh_loop), [APUS_TANH] = S(tanh_loop), [APUS_ASINH] = S(asinh_loop),
  [APUS_ACOSH] = S(acosh_loop), [APUS_ATANH] = S(atanh_loop), [APUS_ERF] = S(erf_loop), [APUS_ERFC] = S(erfc_loop),
  [APUS_SIGMOID] = S(sigmoid_loop), [APUS_SOFTPLUS] = S(softplus_loop), [APUS_RELU] = S(relu_loop),
  [APUS_FLOOR] = S(floor_loop), [APUS_CEIL] = S(ceil_loop), [APUS_ROUND] = S(round_loop),
  [APUS_TRUNCATE] = S(truncate_loop),
};

// The compiler leaves what does not fill a vector to scalar code, which is slow for the longer functions. So the last
// whole vector is computed again, from a copy, for the operation may be in place.
static void S(run)(S(unary_loop) loop, bool long_function, const T *a, T *result, size_t count) {
  enum { width = 16 };
  size_t rest = count % width;
  if (!long_function || rest < 2 || count < width) return loop(a, result, count);
  T last[width];
  memcpy(last, a + (count - width), sizeof last);
  loop(a, result, count - rest);
  loop(last, last, width);
  memcpy(result + (count - width), last, sizeof last);
}

void S(apus_unary)(apus_unary op, const T *a, ptrdiff_t stride_a, T *result, size_t count) {
  S(unary_loop) loop = S(unary_loops)[op];
  bool long_function = op >= APUS_CBRT && op <= APUS_SOFTPLUS;
#if NARROW && APUS_HAS_WIDE
  S(unary_loop) wide = wide_unary_loop(op);
  if (wide) loop = wide, long_function = false;
#endif
  if (stride_a == 1) return S(run)(loop, long_function, a, result, count);
  if (count == 0) return;
  if (stride_a == 0) {
    loop(a, result, 1);
    return S(fill)(result[0], result + 1, count - 1);
  }
  T x[block];
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    S(gather)(a + (ptrdiff_t)start * stride_a, stride_a, x, length);
    S(run)(loop, long_function, x, result + start, length);
  }
}

// MARK: Binary

// Here a stride is 1, or 0 for a scalar; not both are 0.
typedef void (*S(binary_loop))(const T *a, bool scalar_a, const T *b, bool scalar_b, T *result, size_t count);

#define BINARY_LOOPS(R, expression)                                                                                   \
  if (scalar_a) {                                                                                                     \
    T x = *a;                                                                                                         \
    APUS_VECTORIZE for (size_t i = 0; i < count; i++) {                                                               \
      T y = b[i];                                                                                                     \
      result[i] = (R)(expression);                                                                                    \
    }                                                                                                                 \
  } else if (scalar_b) {                                                                                              \
    T y = *b;                                                                                                         \
    APUS_VECTORIZE for (size_t i = 0; i < count; i++) {                                                               \
      T x = a[i];                                                                                                     \
      result[i] = (R)(expression);                                                                                    \
    }                                                                                                                 \
  } else {                                                                                                            \
    APUS_VECTORIZE for (size_t i = 0; i < count; i++) {                                                               \
      T x = a[i], y = b[i];                                                                                           \
      result[i] = (R)(expression);                                                                                    \
    }                                                                                                                 \
  }

#define BINARY(name, expression)                                                                                      \
  APUS_CLONES static void S(name##_loop)(const T *a, bool scalar_a, const T *b, bool scalar_b, T *result,             \
                                         size_t count) {                                                              \
    BINARY_LOOPS(T, expression)                                                                                       \
  }

APUS_INLINE T S(minimum)(T x, T y) { return x < y || x != x ? x : y; }
APUS_INLINE T S(maximum)(T x, T y) { return x > y || x != x ? x : y; }

APUS_INLINE double S(hypotenuse)(double x, double y) {
  double value = __builtin_elementwise_sqrt(x * x + y * y);
  return absolute(x) == infinity || absolute(y) == infinity ? infinity : value;
}

// x - y * floor(x / y), which has the sign of the divisor, as in Python.
static T S(library_remainder)(T x, T y) {
  T r = F(fmod)(x, y);
  return r != 0 ? ((r < 0) != (y < 0) ? r + y : r) : F(copysign)(r, y);
}

BINARY(add, x + y)
BINARY(subtract, x - y)
BINARY(multiply, x * y)
BINARY(divide, x / y)
BINARY(minimum, S(minimum)(x, y))
BINARY(maximum, S(maximum)(x, y))
BINARY(copy_sign, __builtin_elementwise_copysign(x, y))
BINARY(atan2, V(atan2)(x, y))
BINARY(common_remainder, V(remainder)(x, y))
BINARY(small_hypot, S(hypotenuse)(x, y))
BINARY(common_power, V(pow)(x, y))

// Blocks whose elements are all within the vector path take it; in others, the elements beyond take the C library.
#define BINARY_WITHIN(name, fast_loop, beyond, library)                                                               \
  static void S(name)(const T *a, bool scalar_a, const T *b, bool scalar_b, T *result, size_t count) {                \
    for (size_t start = 0; start < count; start += block) {                                                           \
      size_t length = count - start < block ? count - start : block, exceptions = 0;                                  \
      const T *x = scalar_a ? a : a + start, *y = scalar_b ? b : b + start;                                           \
      unsigned short places[block];                                                                                   \
      T values[block];                                                                                                \
      if (S(any_##beyond)(x, scalar_a, y, scalar_b, length)) {                                                        \
        for (size_t i = 0; i < length; i++) {                                                                         \
          T p = scalar_a ? *x : x[i], q = scalar_b ? *y : y[i];                                                       \
          if (!V(beyond)((double)p, (double)q)) continue;                                                             \
          places[exceptions] = (unsigned short)i;                                                                     \
          values[exceptions++] = library(p, q);                                                                       \
        }                                                                                                             \
      }                                                                                                               \
      S(fast_loop)(x, scalar_a, y, scalar_b, result + start, length);                                                 \
      for (size_t i = 0; i < exceptions; i++) result[start + places[i]] = values[i];                                  \
    }                                                                                                                 \
  }

#define ANY_BEYOND(beyond)                                                                                            \
  APUS_CLONES static bool S(any_##beyond)(const T *a, bool scalar_a, const T *b, bool scalar_b, size_t count) {       \
    int any = 0;                                                                                                      \
    if (scalar_a) for (size_t i = 0; i < count; i++) any |= V(beyond)((double)*a, (double)b[i]);                      \
    else if (scalar_b) for (size_t i = 0; i < count; i++) any |= V(beyond)((double)a[i], (double)*b);                 \
    else for (size_t i = 0; i < count; i++) any |= V(beyond)((double)a[i], (double)b[i]);                             \
    return any;                                                                                                       \
  }
ANY_BEYOND(beyond_power)
ANY_BEYOND(beyond_hypot)
ANY_BEYOND(beyond_quotient)
BINARY_WITHIN(general_power_loop, common_power_loop, beyond_power, F(pow))
BINARY_WITHIN(hypot_loop, small_hypot_loop, beyond_hypot, F(hypot))
BINARY_WITHIN(remainder_loop, common_remainder_loop, beyond_quotient, S(library_remainder))

// The exponents met most often need no logarithm.
static void S(power_loop)(const T *a, bool scalar_a, const T *b, bool scalar_b, T *result, size_t count) {
  if (scalar_b && *b == 2) return S(square_loop)(a, result, count);
  if (scalar_b && *b == -1) return S(reciprocal_loop)(a, result, count);
#if NARROW && APUS_HAS_WIDE
  if (has_wide_vectors()) return pow_wide_loop(a, scalar_a, b, scalar_b, result, count);
#endif
  S(general_power_loop)(a, scalar_a, b, scalar_b, result, count);
}

static const S(binary_loop) S(binary_loops)[] = {
  [APUS_ADD] = S(add_loop), [APUS_SUBTRACT] = S(subtract_loop), [APUS_MULTIPLY] = S(multiply_loop),
  [APUS_DIVIDE] = S(divide_loop), [APUS_POWER] = S(power_loop), [APUS_MINIMUM] = S(minimum_loop),
  [APUS_MAXIMUM] = S(maximum_loop), [APUS_ATAN2] = S(atan2_loop), [APUS_HYPOT] = S(hypot_loop),
  [APUS_MODULO] = S(remainder_loop), [APUS_COPY_SIGN] = S(copy_sign_loop),
};

void S(apus_binary)(apus_binary op, const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, T *result,
                    size_t count) {
  S(binary_loop) loop = S(binary_loops)[op];
  if (count == 0) return;
  if (stride_a == 0 && stride_b == 0) {
    loop(a, false, b, false, result, 1);
    return S(fill)(result[0], result + 1, count - 1);
  }
  // A scalar may be the first element of the result.
  T scalar_a = *a, scalar_b = *b;
  if (stride_a == 0) a = &scalar_a;
  if (stride_b == 0) b = &scalar_b;
  if ((stride_a == 0 || stride_a == 1) && (stride_b == 0 || stride_b == 1)) {
    return loop(a, stride_a == 0, b, stride_b == 0, result, count);
  }
  T x[block], y[block];
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    const T *p = a + (ptrdiff_t)start * stride_a, *q = b + (ptrdiff_t)start * stride_b;
    if (stride_a != 0 && stride_a != 1) S(gather)(p, stride_a, x, length), p = x;
    if (stride_b != 0 && stride_b != 1) S(gather)(q, stride_b, y, length), q = y;
    loop(p, stride_a == 0, q, stride_b == 0, result + start, length);
  }
}

// MARK: Comparison and choice

typedef void (*S(compare_loop))(const T *a, bool scalar_a, const T *b, bool scalar_b, bool *result, size_t count);

#define COMPARE(name, expression)                                                                                     \
  APUS_CLONES static void S(name##_loop)(const T *a, bool scalar_a, const T *b, bool scalar_b, bool *result,          \
                                         size_t count) {                                                              \
    BINARY_LOOPS(bool, expression)                                                                                    \
  }
COMPARE(equal, x == y)
COMPARE(not_equal, x != y)
COMPARE(less, x < y)
COMPARE(less_equal, x <= y)

void S(apus_compare)(apus_comparison op, const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, bool *result,
                     size_t count) {
  if (op == APUS_GREATER || op == APUS_GREATER_EQUAL) {
    return S(apus_compare)(op == APUS_GREATER ? APUS_LESS : APUS_LESS_EQUAL, b, stride_b, a, stride_a, result, count);
  }
  S(compare_loop) loop = op == APUS_EQUAL ? S(equal_loop) : op == APUS_NOT_EQUAL ? S(not_equal_loop)
                       : op == APUS_LESS ? S(less_loop) : S(less_equal_loop);
  if (count == 0) return;
  T x[block], y[block];
  for (size_t start = 0; start < count;) {
    bool direct = (stride_a == 0 || stride_a == 1) && (stride_b == 0 || stride_b == 1);
    size_t length = direct || count - start < block ? count - start : block;
    const T *p = a + (ptrdiff_t)start * stride_a, *q = b + (ptrdiff_t)start * stride_b;
    if (stride_a != 0 && stride_a != 1) S(gather)(p, stride_a, x, length), p = x;
    if (stride_b != 0 && stride_b != 1) S(gather)(q, stride_b, y, length), q = y;
    if (stride_a == 0 && stride_b == 0) {
      loop(p, false, q, false, result, 1);
      memset(result, result[0], count);
    } else {
      loop(p, stride_a == 0, q, stride_b == 0, result + start, length);
    }
    start += length;
  }
}

// The following loops are written once, and specialised by constant strides.
APUS_INLINE void S(select_with)(const bool *mask, const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b,
                                T *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    T x = a[(ptrdiff_t)i * stride_a], y = b[(ptrdiff_t)i * stride_b];
    result[i] = mask[i] ? x : y;
  }
}

APUS_CLONES static void S(select_loop)(const bool *mask, const T *a, ptrdiff_t stride_a, const T *b,
                                       ptrdiff_t stride_b, T *result, size_t count) {
  if (stride_a == 1 && stride_b == 1) S(select_with)(mask, a, 1, b, 1, result, count);
  else if (stride_a == 1 && stride_b == 0) S(select_with)(mask, a, 1, b, 0, result, count);
  else if (stride_a == 0 && stride_b == 1) S(select_with)(mask, a, 0, b, 1, result, count);
  else S(select_with)(mask, a, stride_a, b, stride_b, result, count);
}

void S(apus_select)(const bool *mask, ptrdiff_t stride_mask, const T *a, ptrdiff_t stride_a, const T *b,
                    ptrdiff_t stride_b, T *result, size_t count) {
  bool chosen[block];
  T scalar_a, scalar_b;
  // A scalar may be the first element of the result.
  if (count > 0 && stride_a == 0) scalar_a = *a, a = &scalar_a;
  if (count > 0 && stride_b == 0) scalar_b = *b, b = &scalar_b;
  if (stride_mask == 1) return S(select_loop)(mask, a, stride_a, b, stride_b, result, count);
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    ptrdiff_t from = (ptrdiff_t)start;
    for (size_t i = 0; i < length; i++) chosen[i] = mask[(from + (ptrdiff_t)i) * stride_mask];
    S(select_loop)(chosen, a + from * stride_a, stride_a, b + from * stride_b, stride_b, result + start, length);
  }
}

APUS_INLINE void S(multiply_add_with)(const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, const T *c,
                                      ptrdiff_t stride_c, T *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    ptrdiff_t j = (ptrdiff_t)i;
    result[i] = a[j * stride_a] * b[j * stride_b] + c[j * stride_c];
  }
}

APUS_CLONES static void S(multiply_add_loop)(const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b,
                                             const T *c, ptrdiff_t stride_c, T *result, size_t count) {
  bool dense_a = stride_a == 1, scalar_a = stride_a == 0, dense_b = stride_b == 1, scalar_b = stride_b == 0;
  bool dense_c = stride_c == 1, scalar_c = stride_c == 0;
  if (dense_a && dense_b && dense_c) S(multiply_add_with)(a, 1, b, 1, c, 1, result, count);
  else if (dense_a && scalar_b && dense_c) S(multiply_add_with)(a, 1, b, 0, c, 1, result, count);
  else if (scalar_a && dense_b && dense_c) S(multiply_add_with)(a, 0, b, 1, c, 1, result, count);
  else if (dense_a && dense_b && scalar_c) S(multiply_add_with)(a, 1, b, 1, c, 0, result, count);
  else if (dense_a && scalar_b && scalar_c) S(multiply_add_with)(a, 1, b, 0, c, 0, result, count);
  else if (scalar_a && dense_b && scalar_c) S(multiply_add_with)(a, 0, b, 1, c, 0, result, count);
  else if (scalar_a && scalar_b && dense_c) S(multiply_add_with)(a, 0, b, 0, c, 1, result, count);
  else S(multiply_add_with)(a, stride_a, b, stride_b, c, stride_c, result, count);
}

void S(apus_multiply_add)(const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, const T *c,
                          ptrdiff_t stride_c, T *result, size_t count) {
  T scalar_a, scalar_b, scalar_c;
  if (count == 0) return;
  if (stride_a == 0) scalar_a = *a, a = &scalar_a;
  if (stride_b == 0) scalar_b = *b, b = &scalar_b;
  if (stride_c == 0) scalar_c = *c, c = &scalar_c;
  S(multiply_add_loop)(a, stride_a, b, stride_b, c, stride_c, result, count);
}
