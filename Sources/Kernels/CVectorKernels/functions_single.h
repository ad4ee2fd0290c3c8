// The exponential and the logarithm of f32 in f32 arithmetic: twice as fast as by way of f64, and still within 1e-7.
// The large part of each result is added last, so that the errors before it count little.
#include "functions.h"

APUS_INLINE float exp_single(float x) {
  const float shift = 0x1.8p23f;  // `shifter` for f32
  x = 89 < x ? 89 : x;
  x = -104 > x ? -104 : x;
  float shifted = x * 0x1.715476p+0f + shift, n = shifted - shift;
  float r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;  // 14 bits of log(2), and the rest
  float p = POLYNOMIAL(r, 0x1.fffffb88ee379p-2f, 0x1.55548f503c109p-3f, 0x1.5558fafa58c6ep-5f, 0x1.123b690332ff7p-7f,
                       0x1.6a21ad37f298ep-10f);
  // 2^n in two steps: n goes down to -150 and up to 128.
  float half_shifted = n * 0.5f + shift, half = half_shifted - shift;
  float power = float_from((bits_f32(half_shifted) + 127) << 23);
  float other = float_from((bits_f32((n - half) + shift) + 127) << 23);
  return (1 + (r + r * r * p)) * power * other;
}

APUS_INLINE float log_single(float x) {
  bool subnormal = x < 0x1p-126f;
  uint32_t bits = bits_f32(subnormal ? x * 0x1p23f : x) + (0x3F800000 - 0x3F3504F3);
  float n = (float)((int32_t)(bits >> 23) - (subnormal ? 127 + 23 : 127));
  float f = float_from((bits & 0x007FFFFF) + 0x3F3504F3) - 1;
  float p = POLYNOMIAL(f, 0x1.555549f875477p-2f, -0x1.00022776e4ca0p-2f, 0x1.99a5c290f011ep-3f, -0x1.54766142288c5p-3f,
                       0x1.22691a87759fbp-3f, -0x1.0cf247a77b8cap-3f, 0x1.07fd338bb1965p-3f, -0x1.41f56ba8405c4p-4f);
  float z = f * f, correction = 0.5f * z - f * z * p;
  float value = n * 0x1.62e4p-1f + (f - (correction - n * 0x1.7f7d1cp-20f));
  value = x < (float)INFINITY ? value : x;
  return x > 0 ? value : x == 0 ? -(float)INFINITY : (float)NAN;
}
