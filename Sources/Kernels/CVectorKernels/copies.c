// Strided copies, and conversions between number formats.
#include "CVectorKernels.h"
#include "dispatch.h"

// MARK: Strided copies

// A transposition goes by tiles of 16 x 16 elements in registers: interleaving rows i and i + 8 rotates the eight bits
// of an element's place (row, column) by one; after four rounds row and column have changed places. Elements of eight
// bytes fill the registers with 8 x 8 and take three rounds. Patches of tiles keep the pages being touched few.
enum { patch = 128 };

#define LOWER_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define UPPER_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define LOWER_8 0, 8, 1, 9, 2, 10, 3, 11
#define UPPER_8 4, 12, 5, 13, 6, 14, 7, 15

#define COPY(T, tile, rounds)                                                                                         \
  typedef T row_##T __attribute__((vector_size(tile * sizeof(T))));                                                   \
  APUS_INLINE void full_tile_##T(const T *a, ptrdiff_t column_stride, T *result, size_t columns) {                    \
    row_##T x[tile], y[tile];                                                                                         \
    _Pragma("unroll") for (int i = 0; i < tile; i++) memcpy(&x[i], a + i * column_stride, sizeof x[i]);               \
    _Pragma("unroll") for (int round = 0; round < rounds; round++) {                                                  \
      _Pragma("unroll") for (int i = 0; i < tile / 2; i++) {                                                          \
        y[2 * i] = __builtin_shufflevector(x[i], x[i + tile / 2], LOWER_##tile);                                      \
        y[2 * i + 1] = __builtin_shufflevector(x[i], x[i + tile / 2], UPPER_##tile);                                  \
      }                                                                                                               \
      _Pragma("unroll") for (int i = 0; i < tile; i++) x[i] = y[i];                                                   \
    }                                                                                                                 \
    _Pragma("unroll") for (int i = 0; i < tile; i++) memcpy(result + (size_t)i * columns, &x[i], sizeof x[i]);        \
  }                                                                                                                   \
                                                                                                                      \
  APUS_INLINE void patch_##T(const T *a, ptrdiff_t column_stride, T *result, size_t columns, size_t height,           \
                             size_t width) {                                                                          \
    for (size_t left = 0; left < width; left += tile) {                                                               \
      size_t top = 0;                                                                                                 \
      if (left + tile <= width) {                                                                                     \
        for (; top + tile <= height; top += tile) {                                                                   \
          full_tile_##T(a + top + (ptrdiff_t)left * column_stride, column_stride, result + top * columns + left,      \
                        columns);                                                                                     \
        }                                                                                                             \
      }                                                                                                               \
      for (; top < height; top++) {                                                                                   \
        for (size_t c = left; c < width && c < left + tile; c++) {                                                    \
          result[top * columns + c] = a[(ptrdiff_t)top + (ptrdiff_t)c * column_stride];                               \
        }                                                                                                             \
      }                                                                                                               \
    }                                                                                                                 \
  }                                                                                                                   \
                                                                                                                      \
  /* The columns of the source are contiguous. */                                                                     \
  APUS_CLONES static void transpose_##T(const T *a, ptrdiff_t column_stride, T *result, size_t rows, size_t columns) { \
    for (size_t top = 0; top < rows; top += patch) {                                                                  \
      for (size_t left = 0; left < columns; left += patch) {                                                          \
        patch_##T(a + top + (ptrdiff_t)left * column_stride, column_stride, result + top * columns + left, columns,   \
                  rows - top < patch ? rows - top : patch, columns - left < patch ? columns - left : patch);          \
      }                                                                                                               \
    }                                                                                                                 \
  }                                                                                                                   \
                                                                                                                      \
  static void copy_##T(const T *a, ptrdiff_t row_stride, ptrdiff_t column_stride, T *result, size_t rows,             \
                       size_t columns) {                                                                              \
    if (row_stride == 1 && column_stride != 1 && rows > 1 && columns > 1) {                                           \
      return transpose_##T(a, column_stride, result, rows, columns);                                                  \
    }                                                                                                                 \
    if (column_stride == 1) {                                                                                         \
      if (row_stride == (ptrdiff_t)columns) {                                                                         \
        if (rows * columns > 0) memcpy(result, a, rows * columns * sizeof(T));                                        \
        return;                                                                                                       \
      }                                                                                                               \
      for (size_t r = 0; r < rows; r++) {                                                                             \
        const T *from = a + (ptrdiff_t)r * row_stride;                                                                \
        T *to = result + r * columns;                                                                                 \
        if (columns >= 8) memcpy(to, from, columns * sizeof(T));                                                      \
        else for (size_t c = 0; c < columns; c++) to[c] = from[c];                                                    \
      }                                                                                                               \
      return;                                                                                                         \
    }                                                                                                                 \
    /* Rows nearer to each other than columns: in tiles, so that a line of the source is used up while cached. */     \
    ptrdiff_t row_step = row_stride < 0 ? -row_stride : row_stride;                                                   \
    ptrdiff_t column_step = column_stride < 0 ? -column_stride : column_stride;                                       \
    size_t width = row_step < column_step ? tile : columns > 0 ? columns : 1;                                         \
    for (size_t left = 0; left < columns; left += width) {                                                            \
      size_t right = columns - left < width ? columns : left + width;                                                 \
      for (size_t r = 0; r < rows; r++) {                                                                             \
        const T *from = a + (ptrdiff_t)r * row_stride;                                                                \
        T *to = result + r * columns;                                                                                 \
        for (size_t c = left; c < right; c++) to[c] = from[(ptrdiff_t)c * column_stride];                             \
      }                                                                                                               \
    }                                                                                                                 \
  }

COPY(uint8_t, 16, 4)
COPY(uint16_t, 16, 4)
COPY(uint32_t, 16, 4)
COPY(uint64_t, 8, 3)

void apus_copy_strided_2d(size_t bytes, const void *source, ptrdiff_t row_stride, ptrdiff_t column_stride, void *result,
                          size_t rows, size_t columns) {
  switch (bytes) {
    case 1: copy_uint8_t(source, row_stride, column_stride, result, rows, columns); break;
    case 2: copy_uint16_t(source, row_stride, column_stride, result, rows, columns); break;
    case 4: copy_uint32_t(source, row_stride, column_stride, result, rows, columns); break;
    case 8: copy_uint64_t(source, row_stride, column_stride, result, rows, columns); break;
  }
}

// MARK: Conversions

APUS_CLONES void apus_f32_from_f64(const double *a, float *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) result[i] = (float)a[i];
}

APUS_CLONES void apus_f64_from_f32(const float *a, double *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) result[i] = (double)a[i];
}

APUS_CLONES void apus_f32_from_bf16(const uint16_t *a, float *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) result[i] = float_from((uint32_t)a[i] << 16);
}

APUS_CLONES void apus_bf16_from_f32(const float *a, uint16_t *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    uint32_t bits = bits_f32(a[i]);
    uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    result[i] = (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? bits >> 16 | 0x40 : rounded);
  }
}

APUS_CLONES void apus_f32_from_f16(const uint16_t *a, float *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    uint32_t half = a[i], sign = (half & 0x8000) << 16, rest = half & 0x7FFF;
    // Scaling by 2^112 moves the exponent's bias, subnormals included.
    uint32_t finite = bits_f32(float_from(rest << 13) * 0x1p112f);
    uint32_t special = rest << 13 | 0x7F800000 | (rest > 0x7C00 ? 0x400000 : 0);
    result[i] = float_from(sign | (rest >= 0x7C00 ? special : finite));
  }
}

APUS_CLONES void apus_f16_from_f32(const float *a, uint16_t *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    uint32_t bits = bits_f32(a[i]), sign = bits >> 16 & 0x8000, rest = bits & 0x7FFFFFFF;
    uint32_t normal = (rest - 0x38000000 + 0xFFF + (rest >> 13 & 1)) >> 13;
    // Below 2^-14 the unit is 2^-24: adding 1/2 lets the adder round to it.
    uint32_t subnormal = bits_f32(float_from(rest) + 0.5f) - 0x3F000000;
    uint32_t half = rest < 0x38800000 ? subnormal : normal;
    half = rest >= 0x47800000 ? 0x7C00 : half;
    half = rest > 0x7F800000 ? (0x7E00 | (rest >> 13 & 0x3FF)) : half;
    result[i] = (uint16_t)(sign | half);
  }
}
