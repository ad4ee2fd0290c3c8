// Counter-based random numbers. Nothing is kept between calls: element i of a stream is computed from i.
#include "CVectorKernels.h"
#include "dispatch.h"

// No fused multiply-add here: a stream has the same bits on every machine, and wherever a piece of it begins.
#pragma STDC FP_CONTRACT OFF
#define V(name) name##_narrow
#define NARROW 1
#include "functions.h"
#undef V
#undef NARROW
#define V(name) name##_wide
#define NARROW 0
#include "functions.h"

enum { chunk = 64 };  // blocks at a time, of two 64-bit words each

// MARK: Bits

static const uint64_t low_half = 0xFFFFFFFF;

// Both words of `count` blocks. Numbers of 32 bits are kept in lanes of 64, with rubbish in the upper halves.
APUS_CLONES static void words_of_blocks(uint64_t key, uint64_t stream, uint64_t first, uint64_t *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    uint64_t index = first + i, x0 = index, x1 = index >> 32, x2 = stream, x3 = stream >> 32;
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    _Pragma("unroll") for (int round = 0; round < 10; round++) {
      uint64_t p0 = 0xD2511F53 * (x0 & low_half), p1 = 0xCD9E8D57 * (x2 & low_half);
      x0 = (p1 >> 32) ^ x1 ^ k0;
      x2 = (p0 >> 32) ^ x3 ^ k1;
      x1 = p1;
      x3 = p0;
      k0 += 0x9E3779B9;
      k1 += 0xBB67AE85;
    }
    result[2 * i] = (x0 & low_half) | x1 << 32;
    result[2 * i + 1] = (x2 & low_half) | x3 << 32;
  }
}

void apus_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t result[4]) {
  uint64_t words[2];
  words_of_blocks((uint64_t)key[1] << 32 | key[0], (uint64_t)counter[3] << 32 | counter[2],
                  (uint64_t)counter[1] << 32 | counter[0], words, 1);
  result[0] = (uint32_t)words[0], result[1] = (uint32_t)(words[0] >> 32);
  result[2] = (uint32_t)words[1], result[3] = (uint32_t)(words[1] >> 32);
}

// Elements first, first + 1, ... of a stream, each block of the generator giving `size` elements: whole blocks are
// computed, `convert` makes elements of their words, and what was asked for is copied.
#define FILL(T, size, convert)                                                                                        \
  for (size_t done = 0; done < count;) {                                                                              \
    uint64_t index = first + done, words[2 * chunk];                                                                  \
    size_t skip = (size_t)(index % size), needed = (count - done + skip + size - 1) / size;                           \
    size_t blocks = needed < chunk ? needed : chunk, usable = blocks * size - skip;                                   \
    size_t taken = count - done < usable ? count - done : usable;                                                     \
    if (index != 0 && taken > -index) taken = (size_t)-index; /* after the last index comes 0 */                      \
    T elements[size * chunk];                                                                                         \
    bool direct = skip == 0 && taken == blocks * size;                                                                \
    T *target = direct ? result + done : elements;                                                                    \
    words_of_blocks(key, stream, index / size, words, blocks);                                                        \
    convert;                                                                                                          \
    if (!direct) memcpy(result + done, elements + skip, taken * sizeof(T));                                           \
    done += taken;                                                                                                    \
  }

void apus_random_words(uint64_t key, uint64_t stream, uint64_t first, uint64_t *result, size_t count) {
  FILL(uint64_t, 2, memcpy(target, words, 2 * blocks * sizeof *words))
}

// MARK: Uniform

// Where zero is unwelcome, half a step stands for it.
APUS_CLONES static void uniforms_f32(const uint64_t *words, bool open, float *result, size_t count) {
  float least = open ? 0x1p-25f : 0;
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    float a = (float)(int32_t)((uint32_t)words[i] >> 8) * 0x1p-24f;
    float b = (float)(int32_t)(words[i] >> 40) * 0x1p-24f;
    result[2 * i] = a < least ? least : a;
    result[2 * i + 1] = b < least ? least : b;
  }
}

// An integer below 2^53 goes in two parts to where the low bits of 2^52 and of 2^84 have these weights.
APUS_INLINE double double_from_53_bits(uint64_t x) {
  double low = double_from((x & low_half) | 0x4330000000000000), high = double_from(x >> 32 | 0x4530000000000000);
  return (high - 0x1p84) + (low - 0x1p52);
}

APUS_CLONES static void uniforms_f64(const uint64_t *words, bool open, double *result, size_t count) {
  double least = open ? 0x1p-54 : 0;
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    double x = double_from_53_bits(words[i] >> 11) * 0x1p-53;
    result[i] = x < least ? least : x;
  }
}

void apus_random_uniform_f32(uint64_t key, uint64_t stream, uint64_t first, bool open, float *result, size_t count) {
  FILL(float, 4, uniforms_f32(words, open, target, 2 * blocks))
}

void apus_random_uniform_f64(uint64_t key, uint64_t stream, uint64_t first, bool open, double *result, size_t count) {
  FILL(double, 2, uniforms_f64(words, open, target, 2 * blocks))
}

// MARK: Normal

// The turn is cut into quarters in integers, without rounding. The angle is `quarter` quarters of a turn and up to an
// eighth more or less, whose sine and cosine are s and c.
#define ROTATED(radius, s, c, quarter, cosine, sine)                                                                  \
  double cosine = (radius) * with_flipped_sign((quarter) & 1 ? s : c, (((quarter) + 1) & 2) << 62);                   \
  double sine = (radius) * with_flipped_sign((quarter) & 1 ? c : s, ((quarter) & 2) << 62);

APUS_CLONES static void normals_f32(const uint64_t *words, float *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    // 32 bits for the radius, 32 for the angle.
    double u = (double_from((words[i] & low_half) | 0x4330000000000000) - (0x1p52 - 0.5)) * 0x1p-32;
    uint64_t turn = words[i] >> 32, quarter = (turn + ((uint64_t)1 << 29)) >> 30;
    double angle = (double)(int32_t)((uint32_t)turn - (uint32_t)(quarter << 30)) * 0x1.921fb54442d18p-30;
    double radius = __builtin_elementwise_sqrt(-2 * log_narrow(u));
    double s = sin_small_narrow(angle), c = cos_small_narrow(angle);
    ROTATED(radius, s, c, quarter, x, y)
    result[2 * i] = (float)x;
    result[2 * i + 1] = (float)y;
  }
}

APUS_CLONES static void normals_f64(const uint64_t *words, double *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    double u = (double_from_53_bits(words[2 * i] >> 11) + 1) * 0x1p-53;
    uint64_t turn = words[2 * i + 1] >> 11, quarter = (turn + ((uint64_t)1 << 50)) >> 51;
    // From the eighth before the multiple of a quarter, as an unsigned number.
    double part = double_from_53_bits((turn + ((uint64_t)1 << 50)) - (quarter << 51)) - 0x1p50;
    double angle = part * 0x1.921fb54442d18p-51;
    double radius = __builtin_elementwise_sqrt(-2 * log_wide(u));
    double s = sin_small_wide(angle), c = cos_small_wide(angle);
    ROTATED(radius, s, c, quarter, x, y)
    result[2 * i] = x;
    result[2 * i + 1] = y;
  }
}

void apus_random_normal_f32(uint64_t key, uint64_t stream, uint64_t first, float *result, size_t count) {
  FILL(float, 4, normals_f32(words, target, 2 * blocks))
}

void apus_random_normal_f64(uint64_t key, uint64_t stream, uint64_t first, double *result, size_t count) {
  FILL(double, 2, normals_f64(words, target, blocks))
}
