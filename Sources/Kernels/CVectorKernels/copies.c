// Strided copies and conversions.
#include "CVectorKernels.h"

#include <string.h>

#define APUS_COPY(T)                                                                          \
  for (size_t r = 0; r < rows; r++)                                                           \
    for (size_t c = 0; c < columns; c++)                                                      \
      ((T *)result)[r * columns + c] =                                                        \
        ((const T *)source)[(ptrdiff_t)r * row_stride + (ptrdiff_t)c * column_stride];

void apus_copy_strided_2d(size_t bytes, const void *source, ptrdiff_t row_stride, ptrdiff_t column_stride, void *result,
                          size_t rows, size_t columns) {
  switch (bytes) {
    case 1: APUS_COPY(uint8_t) break;
    case 2: APUS_COPY(uint16_t) break;
    case 4: APUS_COPY(uint32_t) break;
    case 8: APUS_COPY(uint64_t) break;
  }
}

void apus_f32_from_f64(const double *a, float *result, size_t count) {
  for (size_t i = 0; i < count; i++) result[i] = (float)a[i];
}

void apus_f64_from_f32(const float *a, double *result, size_t count) {
  for (size_t i = 0; i < count; i++) result[i] = a[i];
}

static inline uint32_t bits_of(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
static inline float float_of(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }

void apus_f32_from_bf16(const uint16_t *a, float *result, size_t count) {
  for (size_t i = 0; i < count; i++) result[i] = float_of((uint32_t)a[i] << 16);
}

void apus_bf16_from_f32(const float *a, uint16_t *result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t u = bits_of(a[i]);
    uint32_t rounded = (u + 0x7FFF + (u >> 16 & 1)) >> 16;
    result[i] = (uint16_t)((u & 0x7FFFFFFF) > 0x7F800000 ? u >> 16 | 0x40 : rounded);
  }
}

void apus_f32_from_f16(const uint16_t *a, float *result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t sign = (uint32_t)(a[i] & 0x8000) << 16, rest = a[i] & 0x7FFF;
    // Scaling by 2^112 moves the exponent's bias, subnormals included.
    uint32_t finite = bits_of(float_of(rest << 13) * 0x1p112f);
    uint32_t special = rest << 13 | 0x7F800000 | (rest > 0x7C00 ? 0x400000 : 0);
    result[i] = float_of(sign | (rest >= 0x7C00 ? special : finite));
  }
}

void apus_f16_from_f32(const float *a, uint16_t *result, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t u = bits_of(a[i]), sign = u >> 16 & 0x8000, rest = u & 0x7FFFFFFF;
    uint32_t normal = (rest - 0x38000000 + 0xFFF + (rest >> 13 & 1)) >> 13;
    // Below 2^-14 the unit is 2^-24: adding 1/2 lets the adder round to it.
    uint32_t subnormal = bits_of(float_of(rest) + 0.5f) - 0x3F000000;
    uint32_t half = rest < 0x38800000 ? subnormal : normal;
    half = rest >= 0x47800000 ? 0x7C00 : half;
    half = rest > 0x7F800000 ? (0x7E00 | (rest >> 13 & 0x3FF)) : half;
    result[i] = (uint16_t)(sign | half);
  }
}
