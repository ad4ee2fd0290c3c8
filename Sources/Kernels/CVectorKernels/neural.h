// Fused loops of neural networks for T = float or double; see CNeuralKernels.h. S(name) is name_f32 or name_f64, V(name)
// a vectorisable function in f64, EXP and ERF those in T.
#include "CNeuralKernels.h"
#include "dispatch.h"
#include "functions_single.h"

#pragma STDC FP_CONTRACT OFF

// The error function of f32 in f32 arithmetic, to 1e-7: -log(erfc(y)) / y is smooth, and beyond 4 the result is 1.
APUS_INLINE float erf_single(float x) {
  float y = __builtin_fabsf(x);
  y = y > 4 ? 4 : y;
  float exponent = y * POLYNOMIAL(y, 0x1.20dd75025da01p+0, 0x1.45f308e3a3149p-1, 0x1.a4f3838122eabp-4,
                                  -0x1.3939c245ea39cp-6, -0x1.0929490a876dcp-12, 0x1.d7a0874b33740p-10,
                                  -0x1.843caacbc1241p-11, 0x1.5f1088cf83e2dp-13, -0x1.65f4aa61cfe77p-16,
                                  0x1.3fd7575cb1528p-20);
  float near = y * (0x1.20dd75p+0f - 0x1.812746p-2f * (y * y));
  return __builtin_copysignf(y < 0x1p-9f ? near : 1 - exp_single(-exponent), x);
}

// MARK: Activations

#define SIGMOID(x) (1 / (1 + EXP(-(x))))

static const T S(inverse_sqrt_2) = (T)0.70710678118654752440, S(gauss) = (T)0.39894228040143267794;
static const T S(tanh_scale) = (T)1.59576912160573071175, S(tanh_cube) = (T)0.044715;  // 2 sqrt(2 / pi)
static const T S(selu_scale) = (T)1.0507009873554804934193, S(selu_limit) = (T)1.7580993408473768599;

APUS_INLINE T S(gelu)(T x) { return (T)0.5 * x * (1 + ERF(x * S(inverse_sqrt_2))); }
APUS_INLINE T S(gelu_slope)(T x) {
  return (T)0.5 * (1 + ERF(x * S(inverse_sqrt_2))) + x * S(gauss) * EXP((T)-0.5 * x * x);
}

// (1 + tanh(u)) / 2 = sigmoid(2 u).
APUS_INLINE T S(gelu_tanh)(T x) { return x * SIGMOID(S(tanh_scale) * (x + S(tanh_cube) * x * x * x)); }
APUS_INLINE T S(gelu_tanh_slope)(T x) {
  T s = SIGMOID(S(tanh_scale) * (x + S(tanh_cube) * x * x * x));
  return s + x * s * (1 - s) * S(tanh_scale) * (1 + 3 * S(tanh_cube) * x * x);
}

APUS_INLINE T S(silu)(T x) { return x * SIGMOID(x); }
APUS_INLINE T S(silu_slope)(T x) {
  T s = SIGMOID(x);
  return s * (1 + x * (1 - s));
}

// tanh(log(1 + e)) = n / (n + 2) for n = e (e + 2); beyond 20 it is 1.
APUS_INLINE T S(mish)(T x) {
  T e = EXP(x < 20 ? x : 20), n = e * (e + 2);
  return x * (n / (n + 2));
}
APUS_INLINE T S(mish_slope)(T x) {
  T e = EXP(x < 20 ? x : 20), n = e * (e + 2), t = n / (n + 2);
  return t + x * (4 * (n + 1) / ((n + 2) * (n + 2))) * (e / (1 + e));
}

#define ACTIVATION(name, value, slope)                                                                                \
  APUS_CLONES static void S(name##_loop)(T parameter, const T *a, T *result, size_t count) {                          \
    (void)parameter;                                                                                                  \
    APUS_VECTORIZE for (size_t i = 0; i < count; i++) {                                                               \
      T x = a[i];                                                                                                     \
      result[i] = (T)(value);                                                                                         \
    }                                                                                                                 \
  }                                                                                                                   \
  APUS_CLONES static void S(name##_back)(T parameter, const T *a, const T *g, T *result, size_t count) {              \
    (void)parameter;                                                                                                  \
    APUS_VECTORIZE for (size_t i = 0; i < count; i++) {                                                               \
      T x = a[i];                                                                                                     \
      result[i] = g[i] * (T)(slope);                                                                                  \
    }                                                                                                                 \
  }

ACTIVATION(gelu, S(gelu)(x), S(gelu_slope)(x))
ACTIVATION(gelu_tanh, S(gelu_tanh)(x), S(gelu_tanh_slope)(x))
ACTIVATION(silu, S(silu)(x), S(silu_slope)(x))
ACTIVATION(mish, S(mish)(x), S(mish_slope)(x))
ACTIVATION(elu, x > 0 ? x : parameter * (T)V(expm1)(x), x > 0 ? 1 : parameter * EXP(x))
ACTIVATION(selu, x > 0 ? S(selu_scale) * x : S(selu_limit) * (T)V(expm1)(x),
           x > 0 ? S(selu_scale) : S(selu_limit) * EXP(x))
ACTIVATION(leaky, x > 0 ? x : parameter * x, x > 0 ? 1 : parameter)

typedef void (*S(activation_loop))(T parameter, const T *x, T *result, size_t count);
typedef void (*S(activation_back))(T parameter, const T *x, const T *g, T *result, size_t count);
static const S(activation_loop) S(activation_loops)[] = {
  [APUS_GELU] = S(gelu_loop), [APUS_GELU_TANH] = S(gelu_tanh_loop), [APUS_SILU] = S(silu_loop),
  [APUS_MISH] = S(mish_loop), [APUS_ELU] = S(elu_loop), [APUS_SELU] = S(selu_loop), [APUS_LEAKY_RELU] = S(leaky_loop),
};
static const S(activation_back) S(activation_backs)[] = {
  [APUS_GELU] = S(gelu_back), [APUS_GELU_TANH] = S(gelu_tanh_back), [APUS_SILU] = S(silu_back),
  [APUS_MISH] = S(mish_back), [APUS_ELU] = S(elu_back), [APUS_SELU] = S(selu_back), [APUS_LEAKY_RELU] = S(leaky_back),
};

void S(apus_activate)(apus_activation f, T parameter, const T *x, T *result, size_t count) {
  S(activation_loops)[f](parameter, x, result, count);
}

void S(apus_activate_back)(apus_activation f, T parameter, const T *x, const T *g, T *result, size_t count) {
  S(activation_backs)[f](parameter, x, g, result, count);
}

APUS_CLONES void S(apus_swiglu)(const T *gate, const T *up, T *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) result[i] = S(silu)(gate[i]) * up[i];
}

APUS_CLONES void S(apus_swiglu_back)(const T *gate, const T *up, const T *g, T *to_gate, T *to_up, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    T x = gate[i], u = up[i], d = g[i], s = SIGMOID(x);
    to_gate[i] = d * u * (s * (1 + x * (1 - s)));
    to_up[i] = d * (x * s);
  }
}

APUS_CLONES static void S(add_row)(const T *bias, T *x, size_t columns) {
  APUS_VECTORIZE for (size_t i = 0; i < columns; i++) x[i] += bias[i];
}

void S(apus_add_bias)(const T *bias, bool activates, apus_activation f, T parameter, T *x, size_t rows,
                      size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns) {
    if (bias) S(add_row)(bias, x, columns);
    if (activates) S(activation_loops)[f](parameter, x, x, columns);
  }
}

// MARK: Sums and extremes of a row, in 16 lanes that are joined in a fixed order

enum { width = 16 };
typedef T S(lanes) __attribute__((vector_size(width * sizeof(T))));
#define LANES(p) ({ S(lanes) lanes_; memcpy(&lanes_, (p), sizeof lanes_); lanes_; })
#define ONE(p) (*(p))

// `term`(AT) is the addend at position i, where AT(p) reads an array at p.
#define ROW_SUM(name, term, ...)                                                                                      \
  APUS_INLINE T S(name)(__VA_ARGS__, size_t count) {                                                                  \
    S(lanes) totals = {0};                                                                                            \
    T total = 0;                                                                                                      \
    size_t i = 0;                                                                                                     \
    for (; i + width <= count; i += width) totals += term(LANES);                                                     \
    for (; i < count; i++) total += term(ONE);                                                                        \
    T parts[width];                                                                                                   \
    memcpy(parts, &totals, sizeof parts);                                                                             \
    for (size_t half = width / 2; half > 0; half /= 2) {                                                              \
      for (size_t lane = 0; lane < half; lane++) parts[lane] += parts[lane + half];                                   \
    }                                                                                                                 \
    return total + parts[0];                                                                                          \
  }

#define VALUE(AT) AT(x + i)
#define PRODUCT(AT) (AT(x + i) * AT(y + i))
#define DEVIATION(AT) ((AT(x + i) - mean) * (AT(x + i) - mean))
#define WEIGHTED(AT) (AT(x + i) * AT(y + i) * (AT(z + i) - mean))
ROW_SUM(sum, VALUE, const T *x)
ROW_SUM(sum_of_products, PRODUCT, const T *x, const T *y)
ROW_SUM(sum_of_deviations, DEVIATION, const T *x, T mean)
ROW_SUM(sum_of_weighted, WEIGHTED, const T *x, const T *y, const T *z, T mean)
#define PLAIN(AT) (AT(x + i) * (AT(z + i) - mean))
ROW_SUM(sum_of_plain, PLAIN, const T *x, const T *z, T mean)

APUS_INLINE T S(largest)(const T *x, size_t count) {
  T largest = (T)-INFINITY;
  size_t i = 0;
  if (count >= width) {
    S(lanes) found = LANES(x);
    for (i = width; i + width <= count; i += width) found = __builtin_elementwise_max(found, LANES(x + i));
    T parts[width];
    memcpy(parts, &found, sizeof parts);
    for (size_t lane = 0; lane < width; lane++) largest = parts[lane] > largest ? parts[lane] : largest;
  }
  for (; i < count; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

// MARK: Normalisation

APUS_CLONES void S(apus_normalize)(bool centred, double epsilon, const T *x, const T *weight, const T *bias, T *result,
                                   T *means, T *scales, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns, result += columns) {
    T mean = centred ? S(sum)(x, columns) / (T)columns : 0;
    double variance = (double)(S(sum_of_deviations)(x, mean, columns) / (T)columns);
    T scale = (T)(1 / __builtin_elementwise_sqrt(variance + epsilon));
    if (weight && bias) {
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) result[i] = (x[i] - mean) * scale * weight[i] + bias[i];
    } else if (weight) {
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) result[i] = (x[i] - mean) * scale * weight[i];
    } else {
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) result[i] = (x[i] - mean) * scale;
    }
    means[r] = mean;
    scales[r] = scale;
  }
}

APUS_CLONES void S(apus_normalize_back)(bool centred, const T *x, const T *weight, const T *g, const T *means,
                                        const T *scales, T *to_x, T *to_weight, T *to_bias, size_t rows,
                                        size_t columns) {
  for (size_t r = 0; r < rows; r++, x += columns, g += columns, to_x += columns) {
    T mean = centred ? means[r] : 0, scale = scales[r];
    T whole = 0, slope;
    if (weight) {
      if (centred) whole = S(sum_of_products)(g, weight, columns) / (T)columns;
      slope = S(sum_of_weighted)(g, weight, x, mean, columns) / (T)columns * scale * scale;
    } else {
      if (centred) whole = S(sum)(g, columns) / (T)columns;
      slope = S(sum_of_plain)(g, x, mean, columns) / (T)columns * scale * scale;
    }
    if (to_weight) {
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) to_weight[i] += g[i] * ((x[i] - mean) * scale);
    }
    if (to_bias) {
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) to_bias[i] += g[i];
    }
    if (weight) {
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) {
        to_x[i] = scale * (g[i] * weight[i] - whole - (x[i] - mean) * slope);
      }
    } else {
      APUS_VECTORIZE for (size_t i = 0; i < columns; i++) to_x[i] = scale * (g[i] - whole - (x[i] - mean) * slope);
    }
  }
}

// MARK: Attention

// What a row sees, rounded up to whole vectors where the row is long enough.
APUS_INLINE size_t S(padded)(size_t seen, size_t columns) {
  size_t whole = (seen + width - 1) / width * width;
  return whole < columns ? whole : columns;
}

APUS_CLONES void S(apus_masked_softmax)(T *row, size_t rows, size_t columns, size_t first, size_t step,
                                        const bool *mask) {
  for (size_t r = 0; r < rows; r++, row += columns) {
    size_t seen = first + step * r;
    seen = seen < columns ? seen : columns;
    size_t count = S(padded)(seen, columns);
    for (size_t i = seen; i < count; i++) row[i] = (T)-INFINITY;
    if (mask) {
      for (size_t i = 0; i < seen; i++) row[i] = mask[i] ? row[i] : (T)-INFINITY;
    }
    T largest = S(largest)(row, count);
    if (!(largest > (T)-INFINITY)) {
      // Nothing is seen, or nothing but NaN: the largest of those is not found.
      T value = 0;
      for (size_t i = 0; i < seen; i++) value = row[i] != row[i] ? row[i] : value;
      for (size_t i = 0; i < columns; i++) row[i] = value;
      continue;
    }
    APUS_VECTORIZE for (size_t i = 0; i < count; i++) row[i] = EXP(row[i] - largest);
    T scale = 1 / S(sum)(row, count);
    APUS_VECTORIZE for (size_t i = 0; i < count; i++) row[i] *= scale;
    for (size_t i = count; i < columns; i++) row[i] = 0;
  }
}

APUS_CLONES void S(apus_masked_softmax_back)(const T *p, T *g, size_t rows, size_t columns, size_t first,
                                             size_t step) {
  for (size_t r = 0; r < rows; r++, p += columns, g += columns) {
    size_t seen = first + step * r;
    seen = seen < columns ? seen : columns;
    size_t count = S(padded)(seen, columns);
    for (size_t i = seen; i < columns; i++) g[i] = 0;
    T whole = S(sum_of_products)(p, g, count);
    APUS_VECTORIZE for (size_t i = 0; i < count; i++) g[i] = p[i] * (g[i] - whole);
  }
}

APUS_CLONES void S(apus_rotate)(const T *x, const T *cosines, const T *sines, T sign, T *result, size_t positions,
                                size_t heads, size_t half) {
  for (size_t p = 0; p < positions; p++, cosines += half, sines += half) {
    for (size_t h = 0; h < heads; h++, x += 2 * half, result += 2 * half) {
      APUS_VECTORIZE for (size_t i = 0; i < half; i++) {
        T a = x[i], b = x[i + half], c = cosines[i], s = sign * sines[i];
        result[i] = a * c - b * s;
        result[i + half] = b * c + a * s;
      }
    }
  }
}

// MARK: Cross-entropy

enum { block = 512 };

APUS_CLONES static T S(sum_exp)(const T *x, T offset, size_t count) {
  T buffer[block], total = 0;
  for (size_t start = 0; start < count; start += block) {
    size_t length = count - start < block ? count - start : block;
    APUS_VECTORIZE for (size_t i = 0; i < length; i++) buffer[i] = EXP(x[start + i] - offset);
    total += S(sum)(buffer, length);
  }
  return total;
}

APUS_CLONES static T S(largest_of)(const T *x, size_t count) { return S(largest)(x, count); }

void S(apus_cross_entropy)(const T *logits, const ptrdiff_t *labels, T *losses, T *logarithms, size_t rows,
                           size_t columns) {
  for (size_t r = 0; r < rows; r++, logits += columns) {
    T largest = S(largest_of)(logits, columns);
    double rest = log((double)S(sum_exp)(logits, largest, columns));
    logarithms[r] = (T)((double)largest + rest);
    losses[r] = (T)((double)largest - (double)logits[labels[r]] + rest);
  }
}

APUS_CLONES void S(apus_cross_entropy_back)(const T *logits, const ptrdiff_t *labels, const T *logarithms, const T *g,
                                            T *result, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, logits += columns, result += columns) {
    T offset = logarithms[r], factor = g[r];
    APUS_VECTORIZE for (size_t i = 0; i < columns; i++) result[i] = factor * EXP(logits[i] - offset);
    result[labels[r]] -= factor;
  }
}
