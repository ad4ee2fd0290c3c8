// Counter-based random numbers.
#include "CVectorKernels.h"

#include <math.h>

void apus_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t result[4]) {
  uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3], k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * x0, p1 = (uint64_t)0xCD9E8D57u * x2;
    x0 = (uint32_t)(p1 >> 32) ^ x1 ^ k0;
    x2 = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
    x1 = (uint32_t)p1;
    x3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  result[0] = x0, result[1] = x1, result[2] = x2, result[3] = x3;
}

static void block(uint64_t key, uint64_t stream, uint64_t index, uint32_t words[4]) {
  uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
  uint32_t keys[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
  apus_philox4x32(counter, keys, words);
}

static uint64_t word(uint64_t key, uint64_t stream, uint64_t i) {
  uint32_t w[4];
  block(key, stream, i / 2, w);
  return i % 2 ? (uint64_t)w[3] << 32 | w[2] : (uint64_t)w[1] << 32 | w[0];
}

void apus_random_words(uint64_t key, uint64_t stream, uint64_t first, uint64_t *result, size_t count) {
  for (size_t i = 0; i < count; i++) result[i] = word(key, stream, first + i);
}

void apus_random_uniform_f32(uint64_t key, uint64_t stream, uint64_t first, bool open, float *result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t w[4];
    block(key, stream, (first + i) / 4, w);
    float u = (float)(w[(first + i) % 4] >> 8) * 0x1p-24f;
    result[i] = open && u == 0 ? 0x1p-25f : u;
  }
}

void apus_random_uniform_f64(uint64_t key, uint64_t stream, uint64_t first, bool open, double *result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double u = (double)(word(key, stream, first + i) >> 11) * 0x1p-53;
    result[i] = open && u == 0 ? 0x1p-54 : u;
  }
}

void apus_random_normal_f32(uint64_t key, uint64_t stream, uint64_t first, float *result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t w[4];
    uint64_t j = first + i;
    block(key, stream, j / 4, w);
    const uint32_t *pair = w + (j % 4) / 2 * 2;
    double radius = sqrt(-2 * log(((double)pair[0] + 0.5) * 0x1p-32)), angle = (double)pair[1] * 0x1p-31 * M_PI;
    result[i] = (float)(radius * (j % 2 ? sin(angle) : cos(angle)));
  }
}

void apus_random_normal_f64(uint64_t key, uint64_t stream, uint64_t first, double *result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint64_t j = first + i;
    double u = ((double)(word(key, stream, j & ~(uint64_t)1) >> 11) + 1) * 0x1p-53;
    double angle = (double)(word(key, stream, j | 1) >> 11) * 0x1p-52 * M_PI;
    result[i] = sqrt(-2 * log(u)) * (j % 2 ? sin(angle) : cos(angle));
  }
}
