// Transcendental functions without branches, so that a loop over them vectorises.
//
// Everything is computed in f64. Included twice: with NARROW = 0 for f64 results (a few units in the last place), and
// with NARROW = 1 for f32 results, where shorter polynomials do (about 1e-9) and the conversion to f32, which rounds,
// overflows and underflows by itself, is the only error that counts. V(name) names either version.
//
// The polynomials are minimax fits of relative error, by Remez's exchange, with coefficients rounded to f64. Where a
// product must be exact, one factor has its low bits clear: the results do not rely on fused multiply-add, except in
// the power.
#include <math.h>

#ifndef APUS_FUNCTION_CONSTANTS
#define APUS_FUNCTION_CONSTANTS
// The value at `x` of the polynomial with the given coefficients, constant first.
#define POLYNOMIAL(x, ...)                                                                                            \
  ({                                                                                                                  \
    const __typeof__(x) c_[] = {__VA_ARGS__}, x_ = (x);                                                               \
    __typeof__(x) y_ = c_[sizeof c_ / sizeof *c_ - 1];                                                                \
    _Pragma("unroll") for (int i_ = (int)(sizeof c_ / sizeof *c_) - 2; i_ >= 0; i_--)                                 \
      y_ = y_ * x_ + c_[i_];                                                                                          \
    y_;                                                                                                               \
  })

// Adding this to |x| < 2^51 leaves the integer nearest to x in the low bits.
static const double shifter = 0x1.8p52;
static const double log2_e = 0x1.71547652b82fep+0, log10_e = 0x1.bcb7b1526e50ep-2, ln_2 = 0x1.62e42fefa39efp-1;
static const double ln_2_high = 0x1.62e42fefa3800p-1, ln_2_low = 0x1.ef35793c76730p-45;            // 42 bits + 53
static const double log10_2_high = 0x1.34413509f7800p-2, log10_2_low = 0x1.fef311f12b358p-46;      // 42 bits + 53
static const double half_pi_high = 0x1.921fb54442d18p+0, half_pi_low = 0x1.1a62633145c07p-54;
static const double half_pi_1 = 0x1.921fb544p+0, half_pi_2 = 0x1.0b4611a6p-34, half_pi_3 = 0x1.3198a2e037073p-69;
static const double infinity = (double)INFINITY;

// 2^n, for n in -1022...1023, from `shifter` + n.
APUS_INLINE double power_of_two(double shifted) { return double_from((bits_f64(shifted) + 1023) << 52); }
APUS_INLINE double absolute(double x) { return __builtin_fabs(x); }
APUS_INLINE double with_sign(double x, double sign) { return __builtin_copysign(x, sign); }
APUS_INLINE double with_flipped_sign(double x, uint64_t sign_bit) { return double_from(bits_f64(x) ^ sign_bit); }
// NaN stays NaN.
APUS_INLINE double clamp(double x, double low, double high) {
  x = high < x ? high : x;
  return low > x ? low : x;
}
#endif

// MARK: Exponential family

// (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2.
APUS_INLINE double V(exp_rest)(double r) {
#if NARROW
  return POLYNOMIAL(r, 0x1.000000287cc40p-1, 0x1.55555589d2695p-3, 0x1.5554ac191c986p-5, 0x1.11108e439b3abp-7,
                    0x1.6d76538f99ab4p-10, 0x1.a1a36a0f51602p-13);
#else
  return POLYNOMIAL(r, 0x1.0000000000005p-1, 0x1.555555555555cp-3, 0x1.5555555551fdep-5, 0x1.111111110e601p-7,
                    0x1.6c16c17f83743p-10, 0x1.a01a01b629f02p-13, 0x1.a019a595050fap-16, 0x1.71dde93bd4deep-19,
                    0x1.28a3a5b2338a9p-22, 0x1.af780496a6e92p-26);
#endif
}

// p * 2^n, n being `shifted` - shifter. In two steps, so that overflow and underflow come from the last product alone.
APUS_INLINE double V(scaled)(double p, double shifted) {
#if NARROW
  return p * power_of_two(shifted);
#else
  double n = shifted - shifter, half_shifted = n * 0.5 + shifter, half = half_shifted - shifter;
  return p * power_of_two(half_shifted) * power_of_two((n - half) + shifter);
#endif
}

// factor * exp(x + low), for a `low` much smaller than x.
APUS_INLINE double V(scaled_exp)(double factor, double x, double low) {
  x = NARROW ? clamp(x, -200, 200) : clamp(x, -746, 710);
  double shifted = x * log2_e + shifter, n = shifted - shifter;
  double r = ((x - n * ln_2_high) - n * ln_2_low) + low;
  return V(scaled)(factor * (1 + (r + r * r * V(exp_rest)(r))), shifted);
}

APUS_INLINE double V(exp)(double x) { return V(scaled_exp)(1, x, -0.0); }

APUS_INLINE double V(exp2)(double x) {
  x = NARROW ? clamp(x, -200, 200) : clamp(x, -1076, 1025);
  double shifted = x + shifter, r = (x - (shifted - shifter)) * ln_2;
  return V(scaled)(1 + (r + r * r * V(exp_rest)(r)), shifted);
}

APUS_INLINE double V(expm1)(double x) {
  double y = clamp(x, -45, NARROW ? 200 : 710);
  double shifted = y * log2_e + shifter, n = shifted - shifter;
  double r = (y - n * ln_2_high) - n * ln_2_low;
  double inverse = n > 64 ? 0 : power_of_two(shifter - n);
  double value = V(scaled)((r + r * r * V(exp_rest)(r)) + (1 - inverse), shifted);
  return x == 0 ? x : value;
}

APUS_INLINE double V(sinh)(double x) {
  double t = V(expm1)(absolute(x));
  return with_sign(0.5 * (t + t / (t + 1)), x);
}

APUS_INLINE double V(cosh)(double x) {
  double e = V(exp)(absolute(x));
  return 0.5 * e + 0.5 / e;
}

APUS_INLINE double V(tanh)(double x) {
  // t = exp(-2 |x|) - 1; beyond 20 the result is 1.
  double y = absolute(x);
  y = y > 20 ? -40 : -2 * y;
  double shifted = y * log2_e + shifter, n = shifted - shifter, power = power_of_two(shifted);
  double r = (y - n * ln_2_high) - n * ln_2_low;
  double t = (r + r * r * V(exp_rest)(r)) * power + (power - 1);
  return with_sign(t / (2 + t), x);
}

APUS_INLINE double V(sigmoid)(double x) {
  double e = V(exp)(-absolute(x));
  return (x < 0 ? e : 1) / (1 + e);
}

// MARK: Logarithms

// x = 2^exponent * (1 + f), 1 + f in [sqrt(1/2), sqrt(2)).
APUS_INLINE double V(split)(double x, double *exponent) {
#if !NARROW  // a subnormal f32 is a normal f64
  bool subnormal = x < 0x1p-1022;
  x = subnormal ? x * 0x1p54 : x;
#endif
  uint64_t bits = bits_f64(x) + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD);
  // Integer to floating point: the biased exponent goes into the low bits of 2^52.
  *exponent = double_from(bits >> 52 | 0x4330000000000000) - (0x1p52 + 1023);
#if !NARROW
  *exponent -= subnormal ? 54 : 0;
#endif
  return double_from((bits & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD) - 1;
}

// (2 artanh(s) - 2s) / s^3 as a function of s^2, for s = f / (2 + f).
APUS_INLINE double V(log_rest)(double z) {
#if NARROW
  return POLYNOMIAL(z, 0x1.555554fd41332p-1, 0x1.999a7b3b88458p-2, 0x1.2438a87a72b26p-2, 0x1.e2fdd18b7bdfdp-3);
#else
  return POLYNOMIAL(z, 0x1.5555555555593p-1, 0x1.999999997fb31p-2, 0x1.2492494217a61p-2, 0x1.c71c51e7f4c26p-3,
                    0x1.7466462ce27f7p-3, 0x1.39a0f4fdff284p-3, 0x1.2f0d8ea0093afp-3);
#endif
}

// log(1 + f) = f - this.
APUS_INLINE double V(log_correction)(double f) {
  double s = f / (2 + f), z = s * s;
  return s * (f - z * V(log_rest)(z));
}

APUS_INLINE double V(finish_log)(double x, double value) {
  value = x < infinity ? value : x;
  return x > 0 ? value : x == 0 ? -infinity : (double)NAN;
}

APUS_INLINE double V(log)(double x) {
  double n, f = V(split)(x, &n);
  return V(finish_log)(x, n * ln_2_high + (f - (V(log_correction)(f) - n * ln_2_low)));
}

APUS_INLINE double V(log2)(double x) {
  double n, f = V(split)(x, &n);
  return V(finish_log)(x, n + (f - V(log_correction)(f)) * log2_e);
}

APUS_INLINE double V(log10)(double x) {
  double n, f = V(split)(x, &n);
  return V(finish_log)(x, n * log10_2_high + ((f - V(log_correction)(f)) * log10_e + n * log10_2_low));
}

APUS_INLINE double V(log1p)(double x) {
  // u + c = 1 + x without error. When u needs no scaling, f + c is x itself.
  double u = 1 + x, v = u - 1, c = (1 - (u - v)) + (x - v);
  double n, f = V(split)(u, &n);
  f += c * power_of_two(shifter - n);
  double value = V(finish_log)(u, n * ln_2_high + (f - (V(log_correction)(f) - n * ln_2_low)));
  return x == 0 ? x : value;
}

APUS_INLINE double V(softplus)(double x) {
  // log(1 + e) as above, but e is in 0...1 and n is 0 or 1.
  double e = V(exp)(-absolute(x)), u = 1 + e, c = e - (u - 1);
  double n, f = V(split)(u, &n);
  f += c * (1 - 0.5 * n);
  return (x < 0 ? 0 : x) + (n * ln_2_high + (f - (V(log_correction)(f) - n * ln_2_low)));
}

APUS_INLINE double V(asinh)(double x) {
  double y = absolute(x);
  return with_sign(V(log1p)(y + y * y / (1 + __builtin_elementwise_sqrt(1 + y * y))), x);
}

APUS_INLINE double V(acosh)(double x) {
  double t = x - 1;
  return V(log1p)(t + __builtin_elementwise_sqrt(t * (t + 2)));
}

APUS_INLINE double V(atanh)(double x) {
  double y = absolute(x);
  return with_sign(0.5 * V(log1p)(2 * y / (1 - y)), x);
}

APUS_INLINE double V(cbrt)(double x) {
  double y = absolute(x), root = V(exp)(V(log)(y) * (1.0 / 3));
#if !NARROW
  root -= (root - y / (root * root)) * (1.0 / 3);
#endif
  return y > 0 && y < infinity ? with_sign(root, x) : x;
}

// |x|^y for a normal x and finite y.
APUS_INLINE double V(magnitude_power)(double x, double y) {
#if NARROW
  return V(exp)(y * V(log)(absolute(x)));
#else
  // The logarithm to about 62 bits, as high + low: n log(2) + 2s + 2/3 s^3 in double length, the rest in single.
  double n, f = V(split)(absolute(x), &n);
  double g = 2 + f, g_low = f - (g - 2), inverse = 1 / g, s = f * inverse;
  double s_low = (__builtin_elementwise_fma(-s, g, f) - s * g_low) * inverse;
  double z = s * s, z_low = __builtin_elementwise_fma(s, s, -z) + 2 * s * s_low;
  double cube = s * z, cube_low = __builtin_elementwise_fma(s, z, -cube) + (s * z_low + s_low * z);
  const double third = 0x1.5555555555555p-1, third_low = 0x1.555555p-55;
  double term = cube * third, term_low = __builtin_elementwise_fma(cube, third, -term);
  double series = POLYNOMIAL(z, 0x1.9999999999e06p-2, 0x1.249249242aaf9p-2, 0x1.c71c7259aa187p-3,
                             0x1.745cddff6ccafp-3, 0x1.3b20b4de0ff7fp-3, 0x1.0f5bf61127c30p-3, 0x1.0f6a99f6163afp-3);
  double a = n * ln_2_high, b = 2 * s, sum = a + b, sum_low = (a - sum) + b;
  double high = sum + term, low = (sum - high) + term;
  low += sum_low + (cube * (z * series) + (term_low + (cube * third_low + cube_low * third)))
       + (2 * s_low + n * ln_2_low);
  double log = high + low;
  low = (high - log) + low, high = log;
  // Beyond 2^66 the power is 0, 1 or infinity, and the products below could overflow.
  y = clamp(y, -0x1p66, 0x1p66);
  double product = y * high, product_low = __builtin_elementwise_fma(y, high, -product) + y * low;
  return V(scaled_exp)(1, product, absolute(product) < 800 ? product_low : 0);
#endif
}

APUS_INLINE double V(pow)(double x, double y) {
  double value = V(magnitude_power)(x, y), half = 0.5 * y;
  bool whole = __builtin_elementwise_floor(y) == y, even = __builtin_elementwise_floor(half) == half;
  return x > 0 || even ? value : whole ? -value : (double)NAN;
}

// x - y * floor(x / y), whose product is exact; the quotient may have been rounded up to the next integer.
APUS_INLINE double V(remainder)(double x, double y) {
  double whole = __builtin_elementwise_floor(x / y);
  double r = NARROW ? x - whole * y : __builtin_elementwise_fma(-whole, y, x);
  r = r != 0 && (r < 0) != (y < 0) ? r + y : r;
  return r == 0 ? with_sign(0, y) : r;
}

// MARK: Trigonometry

// |x| mod pi / 2 in -pi/4...pi/4; the quarter turns taken off are in the low bits of *turns.
APUS_INLINE double V(quarter)(double y, uint64_t *turns) {
  double shifted = y * (2 / 3.14159265358979323846) + shifter, n = shifted - shifter;
  *turns = bits_f64(shifted);
  return ((y - n * half_pi_1) - n * half_pi_2) - n * half_pi_3;
}

APUS_INLINE double V(sin_small)(double r) {
  double z = r * r;
#if NARROW
  double p = POLYNOMIAL(z, -0x1.5555554cb2040p-3, 0x1.1111089077acep-7, -0x1.a00f98e5e0226p-13, 0x1.6cd7331b2d796p-19);
#else
  double p = POLYNOMIAL(z, -0x1.5555555555549p-3, 0x1.111111110f861p-7, -0x1.a01a019c0e4c6p-13, 0x1.71de3574baa43p-19,
                        -0x1.ae5e63cdc4225p-26, 0x1.5d9246e02bebdp-33);
#endif
  return r + r * z * p;
}

APUS_INLINE double V(cos_small)(double r) {
  double z = r * r;
#if NARROW
  double p = POLYNOMIAL(z, 0x1.5555554f48bcep-5, -0x1.6c16b892b9b53p-10, 0x1.a0111c1698cf4p-16, -0x1.2429fc2a7395fp-22);
#else
  double p = POLYNOMIAL(z, 0x1.555555555554cp-5, -0x1.6c16c16c15162p-10, 0x1.a01a019caef32p-16, -0x1.27e4f807d5f53p-22,
                        0x1.1ee9ea6ca600ap-29, -0x1.8fadd06293acap-37);
#endif
  return (1 - 0.5 * z) + z * z * p;
}

APUS_INLINE double V(sin)(double x) {
  uint64_t turns;
  double r = V(quarter)(absolute(x), &turns), value = turns & 1 ? V(cos_small)(r) : V(sin_small)(r);
  return with_flipped_sign(value, (turns & 2) << 62 ^ (bits_f64(x) & (uint64_t)1 << 63));
}

APUS_INLINE double V(cos)(double x) {
  uint64_t turns;
  double r = V(quarter)(absolute(x), &turns), value = turns & 1 ? V(sin_small)(r) : V(cos_small)(r);
  return with_flipped_sign(value, ((turns + 1) & 2) << 62);
}

APUS_INLINE double V(tan)(double x) {
  uint64_t turns;
  double r = V(quarter)(absolute(x), &turns), s = V(sin_small)(r), c = V(cos_small)(r);
  double value = (turns & 1 ? c : s) / (turns & 1 ? s : c);
  return with_flipped_sign(value, turns << 63 ^ (bits_f64(x) & (uint64_t)1 << 63));
}

// (arctan(t) - t) / t for |t| <= 1, as a function of t^2.
APUS_INLINE double V(atan_rest)(double z) {
#if NARROW
  return z * POLYNOMIAL(z, -0x1.5555515fc6194p-2, 0x1.9997fd0bfa72fp-3, -0x1.2475034bedc65p-3, 0x1.c507159279219p-4,
                        -0x1.6938623397701p-4, 0x1.14df6285fb8ecp-4, -0x1.7033ea6579b20p-5, 0x1.74e875f555c5ap-6,
                        -0x1.e6747b72608f5p-8, 0x1.2981705ab2436p-10);
#else
  return z * POLYNOMIAL(z, -0x1.5555555555464p-2, 0x1.9999999985cc1p-3, -0x1.2492491ffb608p-3, 0x1.c71c70b070f93p-4,
                        -0x1.745d035265aa5p-4, 0x1.3b12bea74130fp-4, -0x1.1108f22b1d375p-4, 0x1.e17b9754a17b5p-5,
                        -0x1.ad4072875c6a9p-5, 0x1.7f0cb77824d36p-5, -0x1.4fa1d693f4438p-5, 0x1.17b7ff81a1c41p-5,
                        -0x1.a8d9d5f03e93cp-6, 0x1.17e83acbc1ba3p-6, -0x1.2f9ba1b6065d1p-7, 0x1.ff3d216c918e1p-9,
                        -0x1.3587eeb9b285bp-10, 0x1.dbbc7ee8ee933p-13, -0x1.5aa7f76648392p-16);
#endif
}

APUS_INLINE double V(atan)(double x) {
  double y = absolute(x);
  bool large = y > 1;
  double t = (large ? -1 : y) / (large ? y : 1), rest = t * V(atan_rest)(t * t);
  return with_sign((large ? half_pi_high : 0) + (t + (rest + (large ? half_pi_low : 0))), x);
}

APUS_INLINE double V(atan2)(double y, double x) {
  double ay = absolute(y), ax = absolute(x);
  bool steep = ay > ax;
  double t = (steep ? -ax : ay) / (steep ? ay : ax);
  t = ax == ay ? (ax == 0 ? 0 : 1) : t;
  double rest = t * V(atan_rest)(t * t);
  double angle = (steep ? half_pi_high : 0) + (t + (rest + (steep ? half_pi_low : 0)));
  angle = bits_f64(x) >> 63 ? 2 * half_pi_high - (angle - 2 * half_pi_low) : angle;
  return with_sign(angle, y);
}

// arcsin(s) for 0 <= s <= 1/2, given z = s^2.
APUS_INLINE double V(asin_small)(double s, double z) {
#if NARROW
  double p = POLYNOMIAL(z, 0x1.55554c15e2a4cp-3, 0x1.33389f12c5032p-4, 0x1.6ca99b5010acbp-5, 0x1.04bd9ad4db628p-5,
                        0x1.d67f9751fa415p-7, 0x1.3444155f8b575p-5);
#else
  double p = POLYNOMIAL(z, 0x1.555555555537ap-3, 0x1.333333337120ep-4, 0x1.6db6db40c3673p-5, 0x1.f1c72cc7b8af1p-6,
                        0x1.6e89e6c88923fp-6, 0x1.1c6cadee0fdaap-6, 0x1.c6edea344e3e6p-7, 0x1.8f2b741b608b3p-7,
                        0x1.a8441d5e2ae08p-8, 0x1.4263bde5371c5p-6, -0x1.0da888f0f1d1dp-6, 0x1.06bf004cfe1e2p-5);
#endif
  return s + s * z * p;
}

APUS_INLINE double V(asin)(double x) {
  double y = absolute(x);
  bool large = y > 0.5;
  double z = large ? 0.5 - 0.5 * y : y * y, s = large ? __builtin_elementwise_sqrt(z) : y;
  double p = V(asin_small)(s, z);
  return with_sign(large ? half_pi_high - (2 * p - half_pi_low) : p, x);
}

APUS_INLINE double V(acos)(double x) {
  double y = absolute(x);
  bool large = y > 0.5;
  double z = large ? 0.5 - 0.5 * y : y * y, s = large ? __builtin_elementwise_sqrt(z) : y;
  double p = V(asin_small)(s, z), signed_p = with_sign(p, x);
  double far = x < 0 ? 2 * half_pi_high - (2 * p - 2 * half_pi_low) : 2 * p;
  return large ? far : half_pi_high - (signed_p - half_pi_low);
}

// MARK: Error function

// exp(y^2) erfc(y) (y + 3) / 6 as a function of t = (y - 3) / (y + 3), for 0 <= y <= 28 (narrow: 11).
APUS_INLINE double V(erfcx_rest)(double t) {
#if NARROW
  return POLYNOMIAL(t, 0x1.6e9827d9d1c1ep-3, -0x1.2d883064346ebp-3, 0x1.92eddc7a9c259p-4, -0x1.a7e3a17558fd7p-5,
                    0x1.466582b47b3f2p-6, -0x1.252e8b6f4e30ep-8, -0x1.ae6eaf7e8d4b8p-13, 0x1.0d4e000fa49dcp-11,
                    -0x1.4b5e3478529b1p-14, -0x1.c01b4202f080bp-15);
#else
  return POLYNOMIAL(t, 0x1.6e9827d229d2dp-3, -0x1.2d882f67c6cf9p-3, 0x1.92ede1b27d8dap-4, -0x1.a7e42c5727c82p-5,
                    0x1.4663f61210cf2p-6, -0x1.2506628f13b30p-8, -0x1.a7c534265628fp-13, 0x1.091ed168fd6bfp-11,
                    -0x1.7f4bd58151008p-14, -0x1.82f6a466c4f2ep-15, 0x1.2cc34f29cbdf4p-16, 0x1.53ff130ad3257p-18,
                    -0x1.86c893040b533p-19, -0x1.a8e94eddd8a99p-21, 0x1.ee52f52299d41p-22, 0x1.65095efa6d6aap-23,
                    -0x1.2043d1f742c81p-24, -0x1.4a90701e6ea8dp-25, 0x1.d2791d71f85b1p-28, 0x1.0edb8b960a190p-27,
                    0x1.53e16cf0309e5p-32, -0x1.10b0ae116cbdfp-30, -0x1.fb6df0498732cp-33);
#endif
}

APUS_INLINE double V(erfc)(double x) {
  double y = absolute(x);
  y = y > (NARROW ? 11 : 28) ? (NARROW ? 11 : 28) : y;
  double inverse = 1 / (y + 3), factor = V(erfcx_rest)((y - 3) * inverse) * (6 * inverse);
  // The square of the upper half of y's bits is exact.
  double high = double_from(bits_f64(y) & ~(uint64_t)0x7FFFFFF);
  double value = V(scaled_exp)(factor, -high * high, (high - y) * (high + y));
  return x < 0 ? 2 - value : value;
}

APUS_INLINE double V(erf)(double x) {
  double y = absolute(x);
#if NARROW
  // -log(erfc(y)) / y is smooth; beyond 4 the result is 1.
  y = y > 4 ? 4 : y;
  double exponent = y * POLYNOMIAL(y, 0x1.20dd75025da01p+0, 0x1.45f308e3a3149p-1, 0x1.a4f3838122eabp-4,
                                   -0x1.3939c245ea39cp-6, -0x1.0929490a876dcp-12, 0x1.d7a0874b33740p-10,
                                   -0x1.843caacbc1241p-11, 0x1.5f1088cf83e2dp-13, -0x1.65f4aa61cfe77p-16,
                                   0x1.3fd7575cb1528p-20);
  double near = y * (0x1.20dd750429b6dp+0 - 0x1.812746b0379e7p-2 * (y * y));
  return with_sign(y < 0x1p-9 ? near : 1 - V(exp)(-exponent), x);
#else
  double z = y * y;
  double near = y * POLYNOMIAL(z, 0x1.20dd750429b6dp+0, -0x1.812746b0379bdp-2, 0x1.ce2f21a040d16p-4,
                               -0x1.b82ce311fa948p-6, 0x1.565bccf92b40cp-8, -0x1.c02db03dd9404p-11,
                               0x1.f9a2baa92930bp-14, -0x1.f4ca4d7157c71p-17, 0x1.b97fd3eaabcc5p-20,
                               -0x1.5c07274683743p-23, 0x1.d71b11045784bp-27, -0x1.abae4dc4327cdp-31);
  double far_y = y > 6.5 ? 6.5 : y, inverse = 1 / (far_y + 3);
  double far = 1 - V(scaled_exp)(V(erfcx_rest)((far_y - 3) * inverse) * (6 * inverse), -far_y * far_y, -0.0);
  return with_sign(y < 1 ? near : far, x);
#endif
}

// MARK: Arguments beyond the vector paths, left to the C library one by one

APUS_INLINE bool V(beyond_none)(double x) { return (void)x, false; }
// Up to here a multiple of the parts of pi / 2 is exact.
APUS_INLINE bool V(beyond_turns)(double x) { return !(absolute(x) < (NARROW ? 1e6 : 4e4)); }
APUS_INLINE bool V(beyond_double_exp)(double x) { return !NARROW && absolute(x) > 709; }
APUS_INLINE bool V(beyond_square)(double x) { return absolute(x) > 1e150; }
APUS_INLINE bool V(beyond_power)(double x, double y) {
  return !(absolute(x) < infinity) || !(absolute(y) < infinity) || absolute(x) < 0x1p-1022;
}
APUS_INLINE bool V(beyond_quotient)(double x, double y) {
  return !(absolute(x / y) < (NARROW ? 0x1p28 : 0x1p52)) || !(absolute(y) < infinity) || absolute(x) < 0x1p-1022;
}
APUS_INLINE bool V(beyond_hypot)(double x, double y) {
  double larger = absolute(x) > absolute(y) ? absolute(x) : absolute(y);
  return !NARROW && (larger > 1e150 || (larger < 1e-145 && larger > 0));
}
