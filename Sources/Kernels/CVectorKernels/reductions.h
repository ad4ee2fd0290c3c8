// Reductions and what builds on them, for T = float or double, INTEGER the signed integer of the same size.
//
// Sums run in f64, even of f32, which costs nothing beside the memory's speed. Blocks of 4,096 elements are summed in
// 32 lanes whatever the machine's vectors, and the lanes, then the blocks, are added in a fixed order. Multiplication
// and addition stay apart (no fused multiply-add), so that the value is the same on every machine. Other strides than
// one are gathered first, block by block.
#include "CVectorKernels.h"
#include "dispatch.h"
#include "functions_single.h"

#pragma STDC FP_CONTRACT OFF

enum { block = 4096, lanes = 32, short_row = 32, sign_shift = 8 * sizeof(T) - 1 };

typedef T S(vector) __attribute__((vector_size(lanes * sizeof(T))));
typedef INTEGER S(whole) __attribute__((vector_size(lanes * sizeof(T))));
typedef double S(doubles) __attribute__((vector_size(lanes * sizeof(double))));

static const INTEGER S(magnitude) = (INTEGER)(~(uint64_t)0 >> (65 - 8 * sizeof(T)));  // all but the sign bit

APUS_INLINE INTEGER S(infinity_bits)(void) {
  T x = (T)INFINITY;
  INTEGER bits;
  memcpy(&bits, &x, sizeof x);
  return bits;
}

// Vectors go by address: passing them by value would depend on the instruction set.
APUS_INLINE void S(load)(S(vector) *x, const T *a) { memcpy(x, a, sizeof *x); }

// The first `count` < lanes elements at `a`, and `rest` in the other lanes.
APUS_INLINE void S(load_part)(S(vector) *x, const T *a, size_t count, T rest) {
  T values[lanes];
  for (size_t lane = 0; lane < lanes; lane++) values[lane] = rest;
  memcpy(values, a, count * sizeof(T));
  S(load)(x, values);
}

// `a` itself when contiguous, else its elements in `buffer`.
APUS_INLINE const T *S(dense)(const T *a, ptrdiff_t stride, T *buffer, size_t count) {
  if (stride == 1) return a;
  for (size_t i = 0; i < count; i++) buffer[i] = a[(ptrdiff_t)i * stride];
  return buffer;
}

// MARK: Sums

// A running total that keeps its rounding errors as well (Neumaier).
typedef struct {
  double sum, error;
} S(total);

APUS_INLINE void S(add_block)(S(total) *total, double x) {
  double sum = total->sum + x;
  total->error += fabs(total->sum) >= fabs(x) ? (total->sum - sum) + x : (x - sum) + total->sum;
  total->sum = sum;
}

APUS_INLINE double S(value)(S(total) total) {
  return fabs(total.sum) < infinity ? total.sum + total.error : total.sum;
}

typedef double S(half) __attribute__((vector_size(lanes / 2 * sizeof(double))));
typedef double S(quarter) __attribute__((vector_size(lanes / 4 * sizeof(double))));

APUS_INLINE double S(add_lanes)(const S(doubles) *x) {
  S(half) halves[2], half;
  memcpy(halves, x, sizeof *x);
  half = halves[0] + halves[1];
  S(quarter) quarters[2], sum;
  memcpy(quarters, &half, sizeof half);
  sum = quarters[0] + quarters[1];
  return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

APUS_INLINE void S(add_terms)(apus_reduction op, S(doubles) *sum, const S(vector) *x) {
  if (op == APUS_SUM_OF_ABSOLUTES) {
    *sum += __builtin_convertvector((S(vector))((S(whole))*x & S(magnitude)), S(doubles));
  } else {
    S(doubles) y = __builtin_convertvector(*x, S(doubles));
    *sum += op == APUS_SUM_OF_SQUARES ? y * y : y;
  }
}

// The last `rest` < lanes elements before `end`, in the upper lanes, and zeros in the others.
APUS_INLINE void S(load_last)(S(vector) *x, const T *end, size_t rest) {
  S(whole) lane;
  for (int i = 0; i < lanes; i++) lane[i] = i;
  S(load)(x, end - lanes);
  *x = (S(vector))((S(whole))*x & (lane >= (INTEGER)(lanes - rest)));
}

// What is left of `count` elements behind the first `i`.
APUS_INLINE void S(load_rest)(S(vector) *x, const T *a, size_t i, size_t count) {
  if (i > 0) S(load_last)(x, a + count, count - i);
  else S(load_part)(x, a, count, 0);
}

APUS_INLINE double S(sum_terms)(apus_reduction op, const T *a, size_t count) {
  S(doubles) sum = {0};
  S(vector) x;
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    S(load)(&x, a + i);
    S(add_terms)(op, &sum, &x);
  }
  if (i < count) {
    S(load_rest)(&x, a, i, count);
    S(add_terms)(op, &sum, &x);
  }
  return S(add_lanes)(&sum);
}

APUS_CLONES static double S(block_sum)(apus_reduction op, const T *a, size_t count) {
  if (op == APUS_SUM_OF_SQUARES) return S(sum_terms)(APUS_SUM_OF_SQUARES, a, count);
  if (op == APUS_SUM_OF_ABSOLUTES) return S(sum_terms)(APUS_SUM_OF_ABSOLUTES, a, count);
  return S(sum_terms)(APUS_SUM, a, count);
}

#if NARROW && defined(__x86_64__) && defined(__ELF__) && !defined(APUS_PLAIN)
// The sum, the same to the last bit. Conversions to f64 share their units with additions, but not with fused
// multiplications by one, which do the same. (The compiler must not know that it is a one.)
__attribute__((target("arch=x86-64-v4"))) static double wide_block_sum(const float *a, size_t count) {
  double unit = 1;
  __asm__("" : "+x"(unit));
  S(doubles) sum = {0}, one = unit + sum;
  S(vector) x;
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    S(load)(&x, a + i);
    sum = __builtin_elementwise_fma(__builtin_convertvector(x, S(doubles)), one, sum);
  }
  if (i < count) {
    S(load_rest)(&x, a, i, count);
    sum += __builtin_convertvector(x, S(doubles));
  }
  return S(add_lanes)(&sum);
}
#define HAS_WIDE_SUM __builtin_cpu_supports("x86-64-v4")
#else
#define HAS_WIDE_SUM false
#define wide_block_sum(a, count) 0
#endif

APUS_CLONES static double S(block_dot)(const T *a, const T *b, size_t count) {
  S(doubles) sum = {0};
  S(vector) x, y;
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    S(load)(&x, a + i);
    S(load)(&y, b + i);
    sum += __builtin_convertvector(x, S(doubles)) * __builtin_convertvector(y, S(doubles));
  }
  if (i < count) {
    S(load_part)(&x, a + i, count - i, 0);
    S(load_part)(&y, b + i, count - i, 0);
    sum += __builtin_convertvector(x, S(doubles)) * __builtin_convertvector(y, S(doubles));
  }
  return S(add_lanes)(&sum);
}

// In f64, whose range a product of many f32 needs on its way.
APUS_CLONES static double S(block_product)(const T *a, size_t count) {
  double products[16];
  for (int lane = 0; lane < 16; lane++) products[lane] = 1;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int lane = 0; lane < 16; lane++) products[lane] *= (double)a[i + (size_t)lane];
  }
  double product = 1;
  for (int lane = 0; lane < 16; lane++) product *= products[lane];
  for (; i < count; i++) product *= (double)a[i];
  return product;
}

static double S(sum)(apus_reduction op, const T *a, ptrdiff_t stride, size_t count) {
  if (count < short_row) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
      double x = a[(ptrdiff_t)i * stride];
      sum += op == APUS_SUM_OF_SQUARES ? x * x : op == APUS_SUM_OF_ABSOLUTES ? fabs(x) : x;
    }
    return sum;
  }
  S(total) total = {0, 0};
  T buffer[block];
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    const T *x = S(dense)(a + (ptrdiff_t)start * stride, stride, buffer, length);
    S(add_block)(&total, op == APUS_SUM && HAS_WIDE_SUM ? wide_block_sum(x, length) : S(block_sum)(op, x, length));
  }
  return S(value)(total);
}

static double S(product)(const T *a, ptrdiff_t stride, size_t count) {
  double product = 1;
  T buffer[block];
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    product *= S(block_product)(S(dense)(a + (ptrdiff_t)start * stride, stride, buffer, length), length);
  }
  return product;
}

T S(apus_dot)(const T *a, ptrdiff_t stride_a, const T *b, ptrdiff_t stride_b, size_t count) {
  if (count < short_row) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)a[(ptrdiff_t)i * stride_a] * (double)b[(ptrdiff_t)i * stride_b];
    return (T)sum;
  }
  S(total) total = {0, 0};
  T buffer_a[block], buffer_b[block];
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    const T *x = S(dense)(a + (ptrdiff_t)start * stride_a, stride_a, buffer_a, length);
    const T *y = S(dense)(b + (ptrdiff_t)start * stride_b, stride_b, buffer_b, length);
    S(add_block)(&total, S(block_dot)(x, y, length));
  }
  return (T)S(value)(total);
}

// MARK: Extremes

// Bits of floating-point numbers as integers in the same order: negative ones have their magnitude bits turned over.
// Zeros are ordered too, which makes the result independent of the lanes. The map is its own inverse.
#define ORDERED(bits) ((bits) ^ (((bits) >> sign_shift) & S(magnitude)))

// The smallest or largest of 1 <= count elements; NaN if there is one.
APUS_INLINE T S(extreme_of)(bool smallest, const T *a, size_t count) {
  S(vector) x = a[0] - (S(vector)){0};
  S(whole) bits = (S(whole))x, extreme = ORDERED(bits), greatest = bits & S(magnitude);
  for (size_t i = 0; i < count; i += lanes) {
    // The last vector may overlap the one before.
    if (count >= lanes) S(load)(&x, a + (i + lanes <= count ? i : count - lanes));
    else S(load_part)(&x, a, count, a[0]);
    bits = (S(whole))x;
    S(whole) key = ORDERED(bits);
    extreme = smallest ? __builtin_elementwise_min(extreme, key) : __builtin_elementwise_max(extreme, key);
    greatest = __builtin_elementwise_max(greatest, bits & S(magnitude));
  }
  INTEGER best = smallest ? __builtin_reduce_min(extreme) : __builtin_reduce_max(extreme);
  INTEGER largest = __builtin_reduce_max(greatest);
  if (largest > S(infinity_bits)()) return (T)NAN;
  best = ORDERED(best);
  T value;
  memcpy(&value, &best, sizeof value);
  return value;
}

APUS_CLONES static T S(block_extreme)(bool smallest, const T *a, size_t count) {
  return smallest ? S(extreme_of)(true, a, count) : S(extreme_of)(false, a, count);
}

// Also the start of the first block that holds it.
static T S(extreme)(bool smallest, const T *a, ptrdiff_t stride, size_t count, size_t *where) {
  T best = smallest ? (T)INFINITY : (T)-INFINITY;
  size_t place = 0;
  if (count < short_row) {
    for (size_t i = 0; i < count; i++) {
      T x = a[(ptrdiff_t)i * stride];
      if (x != x) best = x;
      if (smallest ? x < best : x > best) best = x;
    }
    if (where) *where = 0;
    return best;
  }
  T buffer[block];
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    T x = S(block_extreme)(smallest, S(dense)(a + (ptrdiff_t)start * stride, stride, buffer, length), length);
    bool better = x != x || (smallest ? x < best : x > best);
    if (better) best = x, place = start;
    if (x != x) break;
  }
  if (where) *where = place;
  return best;
}

static size_t S(index_of_extreme)(bool smallest, const T *a, ptrdiff_t stride, size_t count) {
  size_t i;
  T best = S(extreme)(smallest, a, stride, count, &i);
  for (; i < count; i++) {
    T x = a[(ptrdiff_t)i * stride];
    if (x == best || x != x) return i;
  }
  return 0;
}

size_t S(apus_index_of_smallest)(const T *a, ptrdiff_t stride, size_t count) {
  return S(index_of_extreme)(true, a, stride, count);
}

size_t S(apus_index_of_largest)(const T *a, ptrdiff_t stride, size_t count) {
  return S(index_of_extreme)(false, a, stride, count);
}

T S(apus_reduce)(apus_reduction op, const T *a, ptrdiff_t stride, size_t count) {
  switch (op) {
    case APUS_SUM:
    case APUS_SUM_OF_SQUARES:
    case APUS_SUM_OF_ABSOLUTES: return (T)S(sum)(op, a, stride, count);
    case APUS_PRODUCT: return (T)S(product)(a, stride, count);
    case APUS_SMALLEST: return S(extreme)(true, a, stride, count, NULL);
    case APUS_LARGEST: return S(extreme)(false, a, stride, count, NULL);
  }
  return 0;
}

APUS_CLONES static bool S(block_finite)(const T *a, size_t count) {
  S(whole) greatest = {0};
  for (size_t i = 0; i < count; i += lanes) {
    S(vector) x;
    if (count >= lanes) S(load)(&x, a + (i + lanes <= count ? i : count - lanes));
    else S(load_part)(&x, a, count, 0);
    greatest = __builtin_elementwise_max(greatest, (S(whole))x & S(magnitude));
  }
  INTEGER largest = __builtin_reduce_max(greatest);
  return largest < S(infinity_bits)();
}

bool S(apus_all_finite)(const T *a, ptrdiff_t stride, size_t count) {
  if (count < short_row) {
    for (size_t i = 0; i < count; i++) {
      if (!(fabs((double)a[(ptrdiff_t)i * stride]) < infinity)) return false;
    }
    return true;
  }
  T buffer[block];
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    if (!S(block_finite)(S(dense)(a + (ptrdiff_t)start * stride, stride, buffer, length), length)) return false;
  }
  return true;
}

// MARK: Soft maximum

APUS_CLONES static void S(exp_less)(const T *a, T offset, T *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) result[i] = EXP(a[i] - offset);
}

APUS_CLONES static void S(divide_all)(T *result, T divisor, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) result[i] /= divisor;
}

APUS_CLONES static void S(subtract_all)(const T *a, double high, double low, T *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) result[i] = (T)(((double)a[i] - high) - low);
}

// exp(a - offset), in `result` if there is one, and its sum.
static double S(sum_exp)(const T *a, ptrdiff_t stride, T offset, T *result, size_t count) {
  S(total) total = {0, 0};
  T buffer[block];
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    const T *x = S(dense)(a + (ptrdiff_t)start * stride, stride, buffer, length);
    T *y = result ? result + start : buffer;
    S(exp_less)(x, offset, y, length);
    S(add_block)(&total, HAS_WIDE_SUM ? wide_block_sum(y, length) : S(block_sum)(APUS_SUM, y, length));
  }
  return S(value)(total);
}

T S(apus_log_sum_exp)(const T *a, ptrdiff_t stride, size_t count) {
  T largest = S(extreme)(false, a, stride, count, NULL);
  if (!(fabs((double)largest) < infinity)) return largest;
  return (T)((double)largest + log(S(sum_exp)(a, stride, largest, NULL, count)));
}

void S(apus_softmax)(const T *a, ptrdiff_t stride, T *result, size_t count) {
  T largest = S(extreme)(false, a, stride, count, NULL);
  S(divide_all)(result, (T)S(sum_exp)(a, stride, largest, result, count), count);
}

void S(apus_log_softmax)(const T *a, ptrdiff_t stride, T *result, size_t count) {
  double largest = S(extreme)(false, a, stride, count, NULL);
  double logarithm = log(S(sum_exp)(a, stride, (T)largest, NULL, count));
  T buffer[block];
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    const T *x = S(dense)(a + (ptrdiff_t)start * stride, stride, buffer, length);
    S(subtract_all)(x, largest, logarithm, result + start, length);
  }
}

// MARK: Running totals

// Sums of the elements up to each, eight at a time, in f64: within the eight by doubling steps, then on top of the total
// so far. One addition an eight waits for the one before.
APUS_CLONES static void S(cumulative_sum)(const T *a, T *result, size_t count) {
  enum { width = 8 };
  typedef double eight __attribute__((vector_size(width * sizeof(double))));
  typedef T narrow __attribute__((vector_size(width * sizeof(T))));
  eight total = {0}, none = {0};
  for (size_t i = 0; i < count; i += width) {
    size_t length = count - i < width ? count - i : width;
    T values[width] = {0};
    narrow row;
    if (length == width) memcpy(&row, a + i, sizeof row);
    else memcpy(values, a + i, length * sizeof(T)), memcpy(&row, values, sizeof row);
    eight x = __builtin_convertvector(row, eight);
    x += __builtin_shufflevector(none, x, 0, 8, 9, 10, 11, 12, 13, 14);
    x += __builtin_shufflevector(none, x, 0, 1, 8, 9, 10, 11, 12, 13);
    x += __builtin_shufflevector(none, x, 0, 1, 2, 3, 8, 9, 10, 11);
    row = __builtin_convertvector(x + total, narrow);
    total += __builtin_shufflevector(x, x, 7, 7, 7, 7, 7, 7, 7, 7);
    memcpy(result + i, &row, length * sizeof(T));
  }
}

void S(apus_cumulative)(apus_reduction op, const T *a, ptrdiff_t stride, T *result, size_t count) {
  if (op == APUS_SUM && stride == 1) return S(cumulative_sum)(a, result, count);
  double total = op == APUS_PRODUCT ? 1 : 0;
  T best = op == APUS_SMALLEST ? (T)INFINITY : (T)-INFINITY;
#define EACH(statement)                                                                                               \
  for (size_t i = 0; i < count; i++) {                                                                                \
    T x = a[(ptrdiff_t)i * stride];                                                                                   \
    statement;                                                                                                        \
  }                                                                                                                   \
  break
  switch (op) {
    case APUS_SUM: EACH(result[i] = (T)(total += x));
    case APUS_SUM_OF_SQUARES: EACH(result[i] = (T)(total += (double)x * (double)x));
    case APUS_SUM_OF_ABSOLUTES: EACH(result[i] = (T)(total += fabs((double)x)));
    case APUS_PRODUCT: EACH(result[i] = (T)(total *= x));
    // Once NaN, nothing compares.
    case APUS_SMALLEST: EACH(result[i] = best = x < best || x != x ? x : best);
    case APUS_LARGEST: EACH(result[i] = best = x > best || x != x ? x : best);
  }
#undef EACH
}

// MARK: Histogram of magnitudes

enum { most_bins = 1024, histograms = 4, histogram_block = 1024 };
static const int32_t uncertain = -1;

// Where |a[i]| goes: a bin; `bins` for zero, `bins` + 1 below and `bins` + 2 above the range; or `uncertain`, too near
// an edge for the fast logarithm.
APUS_CLONES static void S(find_bins)(const T *a, double low, double scale, int32_t bins, int32_t *places,
                                     size_t count) {
#pragma STDC FP_CONTRACT ON
#if NARROW
  // A polynomial in f32 for log2 of the mantissa, good to 4e-6, tells the bin of all but one in a thousand or so.
  const float factor = (float)(scale * 0.30102999566398120), offset = (float)(low * scale);
  const float margin = factor * 2e-5f + 1e-6f * (__builtin_fabsf(offset) + (float)bins + 1);
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    uint32_t bits = bits_f32(a[i]) & 0x7FFFFFFF;
    float f = float_from((bits & 0x007FFFFF) | 0x3F800000) - 1.5f;
    float log2 = POLYNOMIAL(f, 0x1.2b8046p-1f, 0x1.ec73d6p-1f, -0x1.485914p-2f, 0x1.223d14p-3f, -0x1.204360p-4f,
                            0x1.67ddb8p-5f, -0x1.a4ec12p-6f)
               + (float)((int32_t)(bits >> 23) - 127);
    float t = log2 * factor - offset;
    float clamped = t < -1 ? -1 : t > (float)bins + 1 ? (float)bins + 1 : t;
    float floor = __builtin_elementwise_floor(clamped), rest = clamped - floor;
    int32_t bin = (int32_t)floor;
    bin = bin < 0 ? bins + 1 : bin >= bins ? bins + 2 : bin;
    bin = (rest < margin || rest > 1 - margin) && t > -1 && t < (float)bins + 1 ? uncertain : bin;
    bin = bits < 0x00800000 ? uncertain : bin;
    places[i] = bits == 0 ? bins : bin;
  }
#else
  const double margin = 1e-12 * (absolute(low) + 400) * absolute(scale);
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    double x = absolute(a[i]), t = (V(log10)(x) - low) * scale;
    double clamped = clamp(t, -1, bins + 1), floor = __builtin_elementwise_floor(clamped), rest = clamped - floor;
    int32_t bin = (int32_t)floor;
    bin = bin < 0 ? bins + 1 : bin >= bins ? bins + 2 : bin;
    bin = (rest < margin || rest > 1 - margin) && t > -1 && t < bins + 1 ? uncertain : bin;
    places[i] = x == 0 ? bins : bin;
  }
#endif
}

// What `find_bins` says, decided by the definition.
static int32_t S(exact_bin)(T a, double low, double scale, int32_t bins) {
  if (a == 0) return bins;
  double t = floor((log10(fabs((double)a)) - low) * scale);
  return t < 0 ? bins + 1 : t < bins ? (int32_t)t : bins + 2;
}

void S(apus_count_magnitudes)(const T *a, size_t count, double low, double scale, size_t bins, uint64_t *counts,
                              uint64_t *zeros, uint64_t *below, uint64_t *above) {
  if (bins > most_bins || count < 64) {
    for (size_t i = 0; i < count; i++) {
      if (a[i] == 0) {
        ++*zeros;
        continue;
      }
      double t = floor((log10(fabs((double)a[i])) - low) * scale);
      ++*(t < 0 ? below : t < (double)bins ? counts + (size_t)t : above);
    }
    return;
  }
  // Several histograms, taken in turn: an addition to a bin need not wait for the last one to the same bin.
  uint64_t partial[histograms][most_bins + 3];
  for (int h = 0; h < histograms; h++) memset(partial[h], 0, (bins + 3) * sizeof partial[h][0]);
  int32_t places[histogram_block];
  for (size_t start = 0; start < count; start += histogram_block) {
    size_t length = count - start < histogram_block ? count - start : histogram_block;
    S(find_bins)(a + start, low, scale, (int32_t)bins, places, length);
    for (size_t i = 0; i < length; i++) {
      int32_t place = places[i] == uncertain ? S(exact_bin)(a[start + i], low, scale, (int32_t)bins) : places[i];
      partial[i % histograms][place]++;
    }
  }
  for (int h = 0; h < histograms; h++) {
    for (size_t bin = 0; bin < bins; bin++) counts[bin] += partial[h][bin];
    *zeros += partial[h][bins];
    *below += partial[h][bins + 1];
    *above += partial[h][bins + 2];
  }
}
