// Logarithms of the modified Bessel functions I_v(x) and K_v(x), and the ratio I_{v+1}(x) / I_v(x).
//
// Each element is first given to a region of the (v, x) plane; a region is then computed as one vector loop. With
// r = sqrt(v^2 + x^2) and t = v / r:
//
//   r > 25     Debye's uniform expansion, of an order that falls with r (DLMF 10.41): accurate to rounding.
//   r <= 25    I by its power series; K of an order in [-1/2, 1/2] by the trapezoidal rule on its integral, for
//              x < 2 by Temme's series, and the recurrence upwards from there.
//
// Where r and v asinh(v / x) cancel (log I and log K are then much smaller than r) they are subtracted in twice the
// precision. All functions are exact to a few units in 1e-16 max(1, |value|).
//
// Source: Plesner, Sørensen and Hauberg, "Accurate computation of the logarithm of modified Bessel functions on GPUs",
// ICS 2024, whose idea the regions are; Temme, J. Comput. Phys. 19, 1975, for K at small x.
#include "CBesselKernels.h"

#include <stdbool.h>

#include "bessel_tables.h"
#include "dispatch.h"

#define T double
#define S(name) name##_bessel
#define F(name) name
#define V(name) name##_wide
#define NARROW 0
#include "functions.h"

enum { chunk = 1024 };
enum region { uniform_4, uniform_6, uniform_9, uniform_13, near_series, series, small_x, exceptional, region_count };
enum function { log_i, log_k, ratio };

static const double half_log_two_pi = 0x1.d67f1c864beb5p-1, half_log_half_pi = 0x1.ce6bb25aa1316p-3;
static const double log_seven = 0x1.f2272ae325a57p+0;

// MARK: Debye's expansion

APUS_INLINE double radius(double v, double x) { return __builtin_elementwise_sqrt(v * v + x * x); }

// log(1 + s) for |s| < 0.01: Debye's sums are that small.
APUS_INLINE double log_of_one_plus_small(double s) {
  return s * POLYNOMIAL(s, 1.0, -1.0 / 2, 1.0 / 3, -1.0 / 4, 1.0 / 5, -1.0 / 6, 1.0 / 7, -1.0 / 8);
}

// The sum over k = 1 ... order of (sign / r)^k P_k(t^2), smallest terms first.
APUS_INLINE double debye_sum(int order, double signed_inverse, double square) {
  double sum = 0;
#pragma unroll
  for (int k = 13; k >= 1; k--) {
    if (k > order) continue;
    double p = debye[k - 1][k];
#pragma unroll
    for (int j = 12; j >= 0; j--)
      if (j < k) p = p * square + debye[k - 1][j];
    sum = (sum + p) * signed_inverse;
  }
  return sum;
}

// r - v asinh(v / x).
APUS_INLINE double exponent(double v, double x, double r) { return r + v * log_wide(x / (v + r)); }

#define UNIFORM(order)                                                                                                \
  APUS_CLONES static void uniform_i_##order(const double *v, const double *x, double *y, int n) {                     \
    APUS_VECTORIZE for (int i = 0; i < n; i++) {                                                                      \
      double r = radius(v[i], x[i]), inverse = 1 / r, t = v[i] * inverse;                                             \
      double sum = debye_sum(order, inverse, t * t);                                                                  \
      y[i] = exponent(v[i], x[i], r) - (0.5 * log_wide(r) + half_log_two_pi) + log_of_one_plus_small(sum);                       \
    }                                                                                                                 \
  }                                                                                                                   \
  APUS_CLONES static void uniform_k_##order(const double *v, const double *x, double *y, int n) {                     \
    APUS_VECTORIZE for (int i = 0; i < n; i++) {                                                                      \
      double r = radius(v[i], x[i]), inverse = 1 / r, t = v[i] * inverse;                                             \
      double sum = debye_sum(order, -inverse, t * t);                                                                 \
      y[i] = -exponent(v[i], x[i], r) - (0.5 * log_wide(r) - half_log_half_pi) + log_of_one_plus_small(sum);                     \
    }                                                                                                                 \
  }                                                                                                                   \
  /* The logarithmic derivative of the expansion, less v / x. */                                                      \
  APUS_CLONES static void uniform_ratio_##order(const double *v, const double *x, double *y, int n) {                 \
    APUS_VECTORIZE for (int i = 0; i < n; i++) {                                                                      \
      double r = radius(v[i], x[i]), inverse = 1 / r, t = v[i] * inverse, square = t * t;                             \
      double sum = 0, slope = 0; /* slope: with respect to log x, over (x / r)^2 */                                   \
      _Pragma("unroll") for (int k = 13; k >= 1; k--) {                                                               \
        if (k > order) continue;                                                                                      \
        double p = debye[k - 1][k], q = 0;                                                                            \
        _Pragma("unroll") for (int j = 12; j >= 0; j--) if (j < k) {                                                  \
          q = q * square + p;                                                                                         \
          p = p * square + debye[k - 1][j];                                                                           \
        }                                                                                                             \
        sum = (sum + p) * inverse;                                                                                    \
        slope = (slope - 2 * square * q - k * p) * inverse;                                                           \
      }                                                                                                               \
      double u = x[i] * inverse;                                                                                      \
      y[i] = x[i] / (v[i] + r) - 0.5 * u * inverse + u * inverse * slope / (1 + sum);                                 \
    }                                                                                                                 \
  }

UNIFORM(4)
UNIFORM(6)
UNIFORM(9)
UNIFORM(13)

// MARK: Twice the precision

typedef struct {
  double high, low;
} pair;

static pair two_sum(double a, double b) {
  double s = a + b, t = s - a;
  return (pair){s, (a - (s - t)) + (b - t)};
}

static pair two_product(double a, double b) {
  double p = a * b;
  return (pair){p, fma(a, b, -p)};
}

static pair plus(pair a, pair b) {
  pair s = two_sum(a.high, b.high);
  return two_sum(s.high, s.low + a.low + b.low);
}

static pair times(pair a, pair b) {
  pair p = two_product(a.high, b.high);
  return two_sum(p.high, p.low + a.high * b.low + a.low * b.high);
}

static pair over(pair a, pair b) {
  double q = a.high / b.high;
  pair product = two_product(q, b.high);
  double rest = ((a.high - product.high) - product.low + a.low - q * b.low) / b.high;
  return two_sum(q, rest);
}

// r - v asinh(v / x) to about 1e-21 r, where x / v lies in [0.5, 0.85].
static pair exact_exponent(double v, double x) {
  pair square = plus(two_product(v, v), two_product(x, x));
  double root = sqrt(square.high);
  pair product = two_product(root, root);
  pair r = two_sum(root, ((square.high - product.high) - product.low + square.low) / (2 * root));
  // asinh(v / x) = log q, q = (v + r) / x; log q = log c + 2 atanh s, s = (q - c) / (q + c), |s| < 0.2.
  pair q = over(plus((pair){v, 0}, r), (pair){x, 0});
  pair s = over(plus(q, (pair){-3.125, 0}), plus(q, (pair){3.125, 0}));
  pair z = times(s, s);
  double tail = 0;
  for (int j = 14; j >= 2; j--) tail = tail * z.high + 1.0 / (2 * j + 1);
  pair third = over((pair){1, 0}, (pair){3, 0});
  pair rest = plus(times(z, third), times(times(z, z), (pair){tail, 0}));
  pair atanh = plus(s, times(s, rest));
  pair logarithm = plus((pair){log_centre_high, log_centre_low}, (pair){2 * atanh.high, 2 * atanh.low});
  pair along = times((pair){v, 0}, logarithm);
  return plus(r, (pair){-along.high, -along.low});
}

// Replaces results that are small beside r.
static void correct_cancellation(bool is_k, int order, const double *v, const double *x, double *y, int n) {
  for (int i = 0; i < n; i++) {
    if (!(x[i] > 0.5 * v[i] && x[i] < 0.85 * v[i])) continue;
    double r = sqrt(v[i] * v[i] + x[i] * x[i]), t = v[i] / r;
    if (!(fabs(y[i]) < 0.0625 * r)) continue;
    pair e = exact_exponent(v[i], x[i]);
    double sign = is_k ? -1 : 1;
    double rest = is_k ? half_log_half_pi - 0.5 * log(r) : -0.5 * log(r) - half_log_two_pi;
    rest += log1p(debye_sum(order, sign / r, t * t));
    pair sum = two_sum(sign * e.high, rest);
    y[i] = sum.high + (sum.low + sign * e.low);
  }
}

// MARK: Small arguments

// (x / 2)^2 / (1 (1 + v)), ... : the sum of the power series over its first term, as a fraction (Horner from the top).
// Terms fall below 1e-17 of the sum by k = 12 + 1.6 x for x <= 25.
APUS_INLINE int series_terms(double largest_x) { return 12 + (int)(1.6 * largest_x); }

static double largest(const double *x, int n) {
  double most = 0;
  for (int i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
  return most;
}

enum { lanes = 64 };

// v = n + mu with n whole and mu in [-1/2, 1/2].
APUS_INLINE double whole_part(double v) { return __builtin_elementwise_rint(v); }

APUS_INLINE double reciprocal_gamma_part(const double *c, double z) {
  double p = c[10];
#pragma unroll
  for (int k = 9; k >= 0; k--) p = p * z + c[k];
  return p;
}

// log of (x / 2)^v / Gamma(v + 1) times the series' sum. The power and the factorial are multiplied up from the order
// mu, for v log(x / 2) and log Gamma would cancel.
APUS_CLONES static void series_i(const double *v, const double *x, double *y, int n) {
  for (int start = 0; start < n; start += lanes) {
    int count = n - start < lanes ? n - start : lanes;
    const double *vs = v + start, *xs = x + start;
    double above[lanes], below[lanes], power[lanes], factorial[lanes];
    int terms = series_terms(largest(xs, count));
    int steps = (int)whole_part(largest(vs, count));
    APUS_VECTORIZE for (int i = 0; i < count; i++) {
      double mu = vs[i] - whole_part(vs[i]);
      above[i] = below[i] = power[i] = 1;
      factorial[i] = 1 / (reciprocal_gamma_part(reciprocal_gamma_even, mu * mu) +
                          mu * reciprocal_gamma_part(reciprocal_gamma_odd, mu * mu));
    }
    for (int k = terms; k >= 1; k--) {
      APUS_VECTORIZE for (int i = 0; i < count; i++) {
        double d = k * (k + vs[i]) * below[i];
        above[i] = d + 0.25 * xs[i] * xs[i] * above[i];
        below[i] = d;
      }
      // Products of up to 52 factors of at most 52 · 77 would leave the range.
      if (k % 16 == 0) {
        APUS_VECTORIZE for (int i = 0; i < count; i++) {
          above[i] /= below[i];
          below[i] = 1;
        }
      }
    }
    for (int k = 1; k <= steps; k++) {
      APUS_VECTORIZE for (int i = 0; i < count; i++) {
        double whole = whole_part(vs[i]), mu = vs[i] - whole;
        bool counts = k <= whole;
        power[i] *= counts ? 0.5 * xs[i] : 1;
        factorial[i] *= counts ? mu + k : 1;
      }
    }
    APUS_VECTORIZE for (int i = 0; i < count; i++) {
      double whole = whole_part(vs[i]), mu = vs[i] - whole;
      double half_log = log_wide(0.5 * xs[i]), sum = above[i] / below[i];
      bool tiny = xs[i] < 1e-6;
      double scale = tiny ? 1 : power[i] * exp_wide(mu * half_log);
      y[start + i] = (tiny ? vs[i] * half_log : 0) + log_wide(scale * sum / factorial[i]);
    }
  }
}

// log K_v from K_mu (`value`) and K_{mu+1} (`next`), times a common factor, by the recurrence in the order: upwards all
// its terms are positive. Below 1e-3 it runs for x^n K_{mu+n}, which stays in range.
APUS_INLINE void log_of_recurrence(const double *v, const double *x, double *value, double *next, double *y, int n) {
  int steps = (int)whole_part(largest(v, n));
  for (int k = 1; k <= steps; k++) {
    APUS_VECTORIZE for (int i = 0; i < n; i++) {
      double whole = whole_part(v[i]), mu = v[i] - whole;
      double square = x[i] < 1e-3 ? x[i] * x[i] : 1, quotient = x[i] < 1e-3 ? 2 : 2 / x[i];
      double above = square * value[i] + (mu + k) * quotient * next[i];
      bool counts = k <= whole;
      value[i] = counts ? next[i] : value[i];
      next[i] = counts ? above : next[i];
    }
  }
  APUS_VECTORIZE for (int i = 0; i < n; i++)
    y[i] = log_wide(value[i]) - (x[i] < 1e-3 ? whole_part(v[i]) * log_wide(x[i]) : 0);
}

// exp(x) K_w(x) = integral over t > 0 of exp(-x (cosh t - 1)) cosh(w t) at w = mu and mu + 1, by the trapezoidal rule of
// step 1/7: for x <= 25 and such orders its error is below 1e-17, found by halving the step in long arithmetic.
APUS_CLONES static void integral_k(const double *v, const double *x, double *y, int n) {
  for (int start = 0; start < n; start += lanes) {
    int count = n - start < lanes ? n - start : lanes;
    const double *vs = v + start, *xs = x + start;
    double value[lanes], next[lanes], up[lanes], ratio[lanes], smallest = xs[0];
    for (int i = 1; i < count; i++) smallest = xs[i] < smallest ? xs[i] : smallest;
    APUS_VECTORIZE for (int i = 0; i < count; i++) {
      ratio[i] = exp_wide((vs[i] - whole_part(vs[i])) / 7);
      up[i] = 1;
      value[i] = next[i] = 0.5;
    }
    for (int j = 1; j < 32 && cosh_minus_one[j] * smallest < 45; j++) {
      double fall = cosh_minus_one[j], rise = exp_sevenths[j], inverse = 1 / rise;
      APUS_VECTORIZE for (int i = 0; i < count; i++) {
        up[i] *= ratio[i];
        double weight = 0.5 * exp_wide(-xs[i] * fall), down = 1 / up[i];
        value[i] += weight * (up[i] + down);
        next[i] += weight * (up[i] * rise + down * inverse);
      }
    }
    log_of_recurrence(vs, xs, value, next, y + start, count);
    APUS_VECTORIZE for (int i = 0; i < count; i++) y[start + i] += -log_seven - xs[i];
  }
}

// Temme's series for K_mu and K_{mu+1}, for x < 2.
APUS_CLONES static void small_k(const double *v, const double *x, double *y, int n) {
  for (int start = 0; start < n; start += lanes) {
    int count = n - start < lanes ? n - start : lanes;
    const double *vs = v + start, *xs = x + start;
    double f[lanes], p[lanes], q[lanes], c[lanes], value[lanes], next[lanes];
    APUS_VECTORIZE for (int i = 0; i < count; i++) {
      double mu = vs[i] - whole_part(vs[i]), square = mu * mu;
      double even = reciprocal_gamma_part(reciprocal_gamma_even, square);
      double odd = reciprocal_gamma_part(reciprocal_gamma_odd, square);
      double up = 1 / (even + mu * odd), down = 1 / (even - mu * odd);  // Gamma(1 + mu), Gamma(1 - mu)
      double l = -log_wide(0.5 * xs[i]), sigma = mu * l, power = exp_wide(sigma);
      double sinhc = absolute(sigma) < 1e-8 ? 1 : sinh_wide(sigma) / sigma;
      f[i] = up * down * (even * sinhc * l - odd * cosh_wide(sigma));
      p[i] = 0.5 * power * up;
      q[i] = 0.5 * down / power;
      c[i] = 1;
      value[i] = f[i];
      next[i] = p[i];
    }
    int terms = 4 + (int)(5.5 * largest(xs, count));
    for (int k = 1; k <= terms; k++) {
      APUS_VECTORIZE for (int i = 0; i < count; i++) {
        double mu = vs[i] - whole_part(vs[i]), inverse = 1 / ((k - mu) * (k + mu));
        f[i] = (k * f[i] + p[i] + q[i]) * inverse;
        p[i] *= (k + mu) * inverse;
        q[i] *= (k - mu) * inverse;
        c[i] *= 0.25 / k * xs[i] * xs[i];
        value[i] += c[i] * f[i];
        next[i] += c[i] * (p[i] - k * f[i]);
      }
    }
    // `next` is x K_{mu+1} / 2 so far.
    APUS_VECTORIZE for (int i = 0; i < count; i++) next[i] *= xs[i] < 1e-3 ? 2 : 2 / xs[i];
    log_of_recurrence(vs, xs, value, next, y + start, count);
  }
}

// I_{v+1} / I_v = x / (2 (v + 1) + x^2 / (2 (v + 2) + ...)), from the bottom; 20 + x levels leave less than 1e-16.
APUS_CLONES static void series_ratio(const double *v, const double *x, double *y, int n) {
  for (int start = 0; start < n; start += lanes) {
    int count = n - start < lanes ? n - start : lanes;
    const double *vs = v + start, *xs = x + start;
    double d[lanes];
    int levels = 20 + (int)largest(xs, count);
    for (int i = 0; i < count; i++) d[i] = 2 * (vs[i] + levels) + xs[i];
    for (int k = levels - 1; k >= 1; k--) {
      APUS_VECTORIZE for (int i = 0; i < count; i++) d[i] = 2 * (vs[i] + k) + xs[i] * xs[i] / d[i];
    }
    APUS_VECTORIZE for (int i = 0; i < count; i++) y[start + i] = xs[i] / d[i];
  }
}

// Zero, infinite, negative and not-a-number arguments; and those so large that their squares overflow, where the
// leading term of the expansion is all that counts.
static double exceptional_value(enum function function, double v, double x) {
  if (!(v >= 0) || !(x >= 0) || (isinf(v) && isinf(x))) return NAN;
  if (isinf(v)) return function == log_i ? -INFINITY : function == log_k ? INFINITY : 0;
  if (isinf(x)) return function == log_i ? INFINITY : function == log_k ? -INFINITY : 1;
  if (x == 0) return function == log_i ? (v == 0 ? 0 : -INFINITY) : function == log_k ? INFINITY : 0;
  double r = hypot(v, x);
  if (function == ratio) return x / (v + r);
  double leading = r + v * log(x / (v + r));
  return function == log_i ? leading : -leading;
}

// MARK: Regions

// Arithmetic alone, so that it vectorises.
APUS_INLINE int32_t region_of(double v, double x, bool is_k) {
  double size = v * v + x * x;
  int32_t far = uniform_4 + (size <= 300.0 * 300) + (size <= 120.0 * 120) + (size <= 60.0 * 60);
  int32_t near = (is_k & (x < 2)) ? small_x : size <= 6.0 * 6 ? near_series : series;
  int32_t region = size > 25.0 * 25 ? far : near;
  return ((v >= 0) & (x > 0) & (size < 1e300)) ? region : exceptional;
}

APUS_CLONES static void assign_regions(const double *v, size_t stride_v, const double *x, size_t stride_x, bool is_k,
                                       int32_t *regions, int n) {
  if (stride_v == 1 && stride_x == 1) {
    for (int i = 0; i < n; i++) regions[i] = region_of(v[i], x[i], is_k);
  } else {
    for (int i = 0; i < n; i++) regions[i] = region_of(v[i * stride_v], x[i * stride_x], is_k);
  }
}

APUS_CLONES static int members(const int32_t *regions, int region, int n) {
  int count = 0;
  for (int i = 0; i < n; i++) count += regions[i] == region;
  return count;
}

static void compute(enum function function, enum region region, const double *v, const double *x, double *y, int n) {
  typedef void kernel(const double *, const double *, double *, int);
  static kernel *const kernels[3][7] = {
      {uniform_i_4, uniform_i_6, uniform_i_9, uniform_i_13, series_i, series_i, series_i},
      {uniform_k_4, uniform_k_6, uniform_k_9, uniform_k_13, integral_k, integral_k, small_k},
      {uniform_ratio_4, uniform_ratio_6, uniform_ratio_9, uniform_ratio_13, series_ratio, series_ratio, series_ratio},
  };
  static const int orders[4] = {4, 6, 9, 13};
  if (region == exceptional) {
    for (int i = 0; i < n; i++) y[i] = exceptional_value(function, v[i], x[i]);
    return;
  }
  kernels[function][region](v, x, y, n);
  if (region <= uniform_13 && function != ratio) correct_cancellation(function == log_k, orders[region], v, x, y, n);
}

static void apply(enum function function, const double *v, size_t stride_v, const double *x, size_t stride_x, double *y,
                  size_t count) {
  for (size_t start = 0; start < count; start += chunk) {
    int n = count - start < chunk ? (int)(count - start) : chunk;
    const double *vs = v + start * stride_v, *xs = x + start * stride_x;
    int32_t regions[chunk];
    assign_regions(vs, stride_v, xs, stride_x, function == log_k, regions, n);
    int ends[region_count + 1] = {0};
    for (int k = 0; k < region_count; k++) ends[k + 1] = ends[k] + members(regions, k, n);
    int32_t places[chunk];
    double sorted_v[chunk], sorted_x[chunk], sorted_y[chunk];
    int next[region_count];
    memcpy(next, ends, sizeof next);
    for (int i = 0; i < n; i++) {
      int place = next[regions[i]]++;
      places[place] = i;
      sorted_v[place] = vs[i * stride_v];
      sorted_x[place] = xs[i * stride_x];
    }
    for (int k = 0; k < region_count; k++) {
      if (ends[k + 1] > ends[k]) {
        compute(function, (enum region)k, sorted_v + ends[k], sorted_x + ends[k], sorted_y + ends[k],
                ends[k + 1] - ends[k]);
      }
    }
    for (int i = 0; i < n; i++) y[start + places[i]] = sorted_y[i];
  }
}

void apus_log_bessel_i(const double *v, size_t stride_v, const double *x, size_t stride_x, double *y, size_t count) {
  apply(log_i, v, stride_v, x, stride_x, y, count);
}

void apus_log_bessel_k(const double *v, size_t stride_v, const double *x, size_t stride_x, double *y, size_t count) {
  apply(log_k, v, stride_v, x, stride_x, y, count);
}

void apus_bessel_ratio(const double *v, size_t stride_v, const double *x, size_t stride_x, double *y, size_t count) {
  apply(ratio, v, stride_v, x, stride_x, y, count);
}

int apus_bessel_region(double v, double x) { return (int)region_of(v, x, true); }
