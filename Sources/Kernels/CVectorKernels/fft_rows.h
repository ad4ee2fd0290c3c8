// Loops over single rows of planes: what surrounds the transforms of awkward lengths, of real numbers, and of cosines.
// Included behind fft.h.

void S(apus_fft_gather_columns)(const T *a, ptrdiff_t width, size_t rows, size_t count, T *result, ptrdiff_t stride) {
  T block[lanes * lanes];
  for (size_t e = 0; e < count; e += lanes) {
    const size_t part = count - e < lanes ? count - e : lanes;
    if (rows == lanes) {
      store_rows(a + (ptrdiff_t)e * width, width, rows, part, result + e, stride);
    } else {
      load_columns(a + (ptrdiff_t)e * width, width, rows, part, block, lanes);
      store_rows(block, lanes, rows, part, result + e, stride);
    }
  }
}

void S(apus_fft_scatter_columns)(const T *a, ptrdiff_t stride, size_t rows, size_t count, T *result, ptrdiff_t width) {
  T block[lanes * lanes];
  for (size_t e = 0; e < count; e += lanes) {
    const size_t part = count - e < lanes ? count - e : lanes;
    if (rows == lanes) {
      load_rows(a + e, stride, rows, part, result + (ptrdiff_t)e * width, width);
    } else {
      load_rows(a + e, stride, rows, part, block, lanes);
      store_columns(block, lanes, rows, part, result + (ptrdiff_t)e * width, width);
    }
  }
}

APUS_CLONES void S(apus_complex_multiply)(const T *a_re, const T *a_im, const T *b_re, const T *b_im, T scale, T *re,
                                          T *im, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    const T x = a_re[i] * b_re[i] - a_im[i] * b_im[i], y = a_re[i] * b_im[i] + a_im[i] * b_re[i];
    re[i] = x * scale, im[i] = y * scale;
  }
}

APUS_CLONES void S(apus_fft_gather)(const T *a, const int32_t *indices, T *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) result[i] = a[indices[i]];
}

void S(apus_fft_scatter)(const T *a, const int32_t *indices, T scale, T *result, size_t count) {
  for (size_t i = 0; i < count; i++) result[indices[i]] = a[i] * scale;
}

APUS_CLONES void S(apus_fft_split)(const T *a, T *even, T *odd, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) even[i] = a[2 * i], odd[i] = a[2 * i + 1];
}

APUS_CLONES void S(apus_fft_join)(const T *even, const T *odd, T *result, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) result[2 * i] = even[i], result[2 * i + 1] = odd[i];
}

APUS_CLONES void S(apus_fft_untangle)(const T *roots, size_t half, const T *in_re, const T *in_im, T scale, T *re,
                                      T *im) {
  const T half_scale = scale * (T)0.5;
  for (size_t k = 0; k <= half / 2; k++) {
    const size_t mirror = k == 0 ? 0 : half - k;
    const T z_re = in_re[k], z_im = in_im[k], c_re = in_re[mirror], c_im = in_im[mirror];
    UNTANGLE(T, z_re, z_im, c_re, c_im, roots[2 * k], roots[2 * k + 1])
    re[k] = even_re + turned_re, im[k] = even_im + turned_im;
    re[half - k] = even_re - turned_re, im[half - k] = turned_im - even_im;
  }
}

APUS_CLONES void S(apus_fft_tangle)(const T *roots, size_t half, const T *in_re, const T *in_im, T *re, T *im) {
  for (size_t k = 0; k <= half / 2; k++) {
    const T x_re = in_re[k], c_re = in_re[half - k];
    const T x_im = k == 0 ? 0 : in_im[k], c_im = k == 0 ? 0 : in_im[half - k];
    TANGLE(T, x_re, x_im, c_re, c_im, roots[2 * k], roots[2 * k + 1])
    re[k] = even_re - odd_im, im[k] = even_im + odd_re;
    if (k > 0) re[half - k] = even_re + odd_im, im[half - k] = odd_re - even_im;
  }
}

// MARK: Cosine and sine transforms

APUS_CLONES void S(apus_dct_order)(const T *a, T odd_sign, T *result, size_t count) {
  T *last = result + count - 1;
  APUS_VECTORIZE for (size_t i = 0; i < count / 2; i++) {
    result[i] = a[2 * i];
    last[-(ptrdiff_t)i] = a[2 * i + 1] * odd_sign;
  }
  if (count % 2) result[count / 2] = a[count - 1];
}

APUS_CLONES void S(apus_dct_restore)(const T *a, T odd_sign, T *result, size_t count) {
  const T *last = a + count - 1;
  APUS_VECTORIZE for (size_t i = 0; i < count / 2; i++) {
    result[2 * i] = a[i];
    result[2 * i + 1] = last[-(ptrdiff_t)i] * odd_sign;
  }
  if (count % 2) result[count - 1] = a[count / 2];
}

// Element 0 and, of an even count, the middle one have no partner; `step` is a constant where these are called.
APUS_INLINE void turn(const T *w_re, const T *w_im, const T *z_re, const T *z_im, T scale, ptrdiff_t step, T *first,
                      size_t count) {
  T *end = first + step * (ptrdiff_t)count;
  first[0] = z_re[0] * scale;
  APUS_VECTORIZE for (size_t k = 1; k < (count + 1) / 2; k++) {
    first[step * (ptrdiff_t)k] = (z_re[k] * w_re[k] - z_im[k] * w_im[k]) * scale;
    end[-step * (ptrdiff_t)k] = (z_re[k] * w_im[k] + z_im[k] * w_re[k]) * -scale;
  }
  const size_t middle = count / 2;
  if (count % 2 == 0) {
    first[step * (ptrdiff_t)middle] = (z_re[middle] * w_re[middle] - z_im[middle] * w_im[middle]) * scale;
  }
}

APUS_CLONES void S(apus_dct_turn)(const T *roots_re, const T *roots_im, const T *z_re, const T *z_im, T scale,
                                  int reversed, T *result, size_t count) {
  if (reversed) turn(roots_re, roots_im, z_re, z_im, scale, -1, result + count - 1, count);
  else turn(roots_re, roots_im, z_re, z_im, scale, 1, result, count);
}

APUS_INLINE void turn_back(const T *w_re, const T *w_im, const T *first, ptrdiff_t step, T *re, T *im, size_t count) {
  const T *end = first + step * (ptrdiff_t)count;
  re[0] = first[0], im[0] = 0;
  APUS_VECTORIZE for (size_t k = 1; k <= count / 2; k++) {
    const T x = first[step * (ptrdiff_t)k], y = end[-step * (ptrdiff_t)k];
    re[k] = x * w_re[k] - y * w_im[k];
    im[k] = -(x * w_im[k] + y * w_re[k]);
  }
}

APUS_CLONES void S(apus_dct_turn_back)(const T *roots_re, const T *roots_im, const T *a, int reversed, T *re, T *im,
                                       size_t count) {
  if (reversed) turn_back(roots_re, roots_im, a + count - 1, -1, re, im, count);
  else turn_back(roots_re, roots_im, a, 1, re, im, count);
}

APUS_CLONES void S(apus_dct4_before)(const T *roots_re, const T *roots_im, const T *a, int sine, T *re, T *im,
                                     size_t half) {
  const T *last = a + 2 * half - 1;
  APUS_VECTORIZE for (size_t k = 0; k < half; k++) {
    const T up = a[2 * k], down = last[-2 * (ptrdiff_t)k], x = sine ? down : up, y = sine ? up : down;
    re[k] = x * roots_re[k] - y * roots_im[k];
    im[k] = x * roots_im[k] + y * roots_re[k];
  }
}

APUS_CLONES void S(apus_dct4_after)(const T *roots_re, const T *roots_im, const T *re, const T *im, T scale, int sine,
                                    T *result, size_t half) {
  T *last = result + 2 * half - 1;
  const T odd_scale = sine ? scale : -scale;
  APUS_VECTORIZE for (size_t k = 0; k < half; k++) {
    result[2 * k] = (re[k] * roots_re[k] - im[k] * roots_im[k]) * scale;
    last[-2 * (ptrdiff_t)k] = (re[k] * roots_im[k] + im[k] * roots_re[k]) * odd_scale;
  }
}
