// Fast Fourier transforms on planes of real and imaginary parts. Forward: the sign of the exponent is negative; for the
// other sign exchange the planes of real and imaginary parts, of the input and of the output.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Transforms that are done side by side, one in each lane of a vector of 64 bytes.
#define APUS_FFT_LANES_F32 16
#define APUS_FFT_LANES_F64 8

/// The passes of a transform: `length` is the product of `radices`, each of them 2, 4, 8 or an odd prime up to 61.
///
/// Twiddles, in the type of the transform, of a pass of radix r, with m = length / (product of the radices so far): for
/// r > 8, first cos(2 pi k / r) and then sin(2 pi k / r), k < r; then, unless m = 1, for p < m and 0 < j < r the pair
/// of numbers exp(-2 pi i j p / (m r)).
typedef struct {
  size_t length, passes;
  const uint32_t *radices;
  const void *twiddles;
} apus_fft;

#define APUS_DECLARE_FOURIER(T, S)                                                                                    \
  /* `count` transforms, times `scale`: element e of transform t is at e * element + t * transform, and of these two  \
     strides one is 1. In place is allowed. Scratch: 4 * lanes * length elements, aligned to 64 bytes, here and below \
     unless said otherwise. */                                                                                        \
  void apus_fft_transforms_##S(const apus_fft *fft, const T *in_re, const T *in_im, ptrdiff_t in_element,             \
                               ptrdiff_t in_transform, T *out_re, T *out_im, ptrdiff_t out_element,                   \
                               ptrdiff_t out_transform, size_t count, T scale, T *scratch);                           \
  /* The same for real input of even length 2 h: `fft` has length h, the result h + 1 elements; roots[k] is the pair  \
     exp(-pi i k / h), k <= h / 2. Scratch: 4 * lanes * (h + 1). */                                                   \
  void apus_fft_real_transforms_##S(const apus_fft *fft, const T *roots, const T *in, ptrdiff_t in_element,           \
                                    ptrdiff_t in_transform, T *out_re, T *out_im, ptrdiff_t out_element,              \
                                    ptrdiff_t out_transform, size_t count, T scale, T *scratch);                      \
  /* Back again, with the positive sign: h + 1 elements to 2 h real ones. The imaginary parts of the first and last   \
     element are taken as zero. */                                                                                    \
  void apus_fft_real_inverses_##S(const apus_fft *fft, const T *roots, const T *in_re, const T *in_im,                \
                                  ptrdiff_t in_element, ptrdiff_t in_transform, T *out, ptrdiff_t out_element,        \
                                  ptrdiff_t out_transform, size_t count, T scale, T *scratch);                        \
                                                                                                                      \
  /* A long transform of rows * columns elements is a matrix: columns are transformed, lanes of them at a time, then  \
     multiplied by exp(-2 pi i row column / (rows columns)), then rows, whose results are the result's columns.       \
     Groups first ..< last of columns, by `fft` of length rows, into a dense-but-for-`stride` matrix, stride >=       \
     columns rounded up to lanes. Twiddles for row k: lane_roots[k] for columns 0 ..< lanes, reals then imaginaries;  \
     group_roots[group][k], a pair, for column group * lanes. */                                                      \
  void apus_fft_columns_##S(const apus_fft *fft, const T *lane_roots, const T *group_roots, size_t columns,           \
                            size_t first, size_t last, const T *in_re, const T *in_im, T *out_re, T *out_im,          \
                            ptrdiff_t stride, T *scratch);                                                            \
  /* Groups first ..< last of rows, by `fft` of length columns. */                                                    \
  void apus_fft_rows_##S(const apus_fft *fft, size_t rows, size_t first, size_t last, const T *in_re,                 \
                         const T *in_im, ptrdiff_t stride, T *out_re, T *out_im, T scale, T *scratch);                \
                                                                                                                      \
  /* Rows of `count` elements, `stride` apart, from and to `rows` <= lanes neighbouring columns, `width` apart. */    \
  void apus_fft_gather_columns_##S(const T *a, ptrdiff_t width, size_t rows, size_t count, T *result,                 \
                                   ptrdiff_t stride);                                                                 \
  void apus_fft_scatter_columns_##S(const T *a, ptrdiff_t stride, size_t rows, size_t count, T *result,               \
                                    ptrdiff_t width);                                                                 \
                                                                                                                      \
  /* result = a * b * scale, complex, element by element. */                                                          \
  void apus_complex_multiply_##S(const T *a_re, const T *a_im, const T *b_re, const T *b_im, T scale, T *re, T *im,   \
                                 size_t count);                                                                       \
  /* result[i] = a[indices[i]] and result[indices[i]] = a[i] * scale. */                                              \
  void apus_fft_gather_##S(const T *a, const int32_t *indices, T *result, size_t count);                              \
  void apus_fft_scatter_##S(const T *a, const int32_t *indices, T scale, T *result, size_t count);                    \
  /* Even and odd elements apart, and together again; count of either. */                                             \
  void apus_fft_split_##S(const T *a, T *even, T *odd, size_t count);                                                 \
  void apus_fft_join_##S(const T *even, const T *odd, T *result, size_t count);                                       \
  /* The last and first step of real transforms, on one row: half = h, roots as above. */                             \
  void apus_fft_untangle_##S(const T *roots, size_t half, const T *in_re, const T *in_im, T scale, T *re, T *im);     \
  void apus_fft_tangle_##S(const T *roots, size_t half, const T *in_re, const T *in_im, T *re, T *im);                \
                                                                                                                      \
  /* Cosine and sine transforms of one row. Order for types II and III: elements 0, 2, 4, ..., then ..., 5, 3, 1; those\
     of odd place times `odd_sign`. */                                                                                \
  void apus_dct_order_##S(const T *a, T odd_sign, T *result, size_t count);                                           \
  void apus_dct_restore_##S(const T *a, T odd_sign, T *result, size_t count);                                         \
  /* Type II from the half spectrum z of the ordered row: scale Re(roots[k] z[k]), roots[k] = exp(-pi i k / 2 count), \
     a plane of reals and one of imaginaries, k <= count / 2. `reversed`: the last element first. */                  \
  void apus_dct_turn_##S(const T *roots_re, const T *roots_im, const T *z_re, const T *z_im, T scale, int reversed,   \
                         T *result, size_t count);                                                                    \
  /* The half spectrum whose inverse, restored, is type III of a row, read from its end where `reversed`. */          \
  void apus_dct_turn_back_##S(const T *roots_re, const T *roots_im, const T *a, int reversed, T *re, T *im,           \
                              size_t count);                                                                          \
  /* Type IV of even length 2 h, around a transform of length h; roots[k] = exp(-pi i (8 k + 1) / 16 h). `sine`: of   \
     sines. */                                                                                                        \
  void apus_dct4_before_##S(const T *roots_re, const T *roots_im, const T *a, int sine, T *re, T *im, size_t half);   \
  void apus_dct4_after_##S(const T *roots_re, const T *roots_im, const T *re, const T *im, T scale, int sine,         \
                           T *result, size_t half);

APUS_DECLARE_FOURIER(float, f32)
APUS_DECLARE_FOURIER(double, f64)
