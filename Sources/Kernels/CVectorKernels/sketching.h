// Sketches and streams of T = float or double; LANES elements fill 64 bytes.

static APUS_CLONES void S(flip_rows)(const void *data, size_t rows, size_t width, const ptrdiff_t *choices,
                                     void *result) {
  const T *x = data;
  T *y = result;
  for (size_t i = 0; i < rows; i++) {
    T sign = choices[i] & 1 ? -1 : 1;
    const T *from = x + i * width;
    T *to = y + i * width;
    APUS_VECTORIZE
    for (size_t j = 0; j < width; j++) to[j] = sign * from[j];
  }
}

static APUS_CLONES void S(add_signed_rows)(const void *data, const int32_t *inner, const int32_t *outer, size_t block,
                                           size_t count, size_t width, void *result) {
  const T *x = data;
  T *y = result;
  for (size_t i = 0; i < count; i++) {
    T sign = __builtin_parityll((unsigned long long)outer[i] & block) ? -1 : 1;
    const T *from = x + (size_t)inner[i] * width;
    T *to = y + i * width;
    APUS_VECTORIZE
    for (size_t j = 0; j < width; j++) to[j] += sign * from[j];
  }
}

static APUS_CLONES void S(scatter_rows)(const void *data, size_t rows, size_t width, const ptrdiff_t *choices,
                                        size_t nonzeros, void *result) {
  const T *x = data;
  T *y = result;
  for (size_t i = 0; i < rows; i++) {
    const T *from = x + i * width;
    for (size_t k = 0; k < nonzeros; k++) {
      ptrdiff_t choice = choices[i * nonzeros + k];
      T sign = choice & 1 ? -1 : 1;
      T *to = y + (size_t)(choice >> 1) * width;
      APUS_VECTORIZE
      for (size_t j = 0; j < width; j++) to[j] += sign * from[j];
    }
  }
}

// The sums run over 2 x LANES places at a time, which are added up in a fixed order at the end.
static APUS_CLONES void S(row_products)(const void *data, size_t rows, size_t width, const void *direction,
                                        void *squares, void *products) {
  const T *z = direction;
  for (size_t i = 0; i < rows; i++) {
    const T *x = (const T *)data + i * width;
    T square[2 * LANES] = {0}, product[2 * LANES] = {0};
    size_t j = 0;
    for (; j + 2 * LANES <= width; j += 2 * LANES) {
      APUS_VECTORIZE
      for (size_t k = 0; k < 2 * LANES; k++) {
        square[k] += x[j + k] * x[j + k];
        product[k] += x[j + k] * z[j + k];
      }
    }
    T square_sum = 0, product_sum = 0;
    for (; j < width; j++) {
      square_sum += x[j] * x[j];
      product_sum += x[j] * z[j];
    }
    for (size_t k = 0; k < 2 * LANES; k++) {
      square_sum += square[k];
      product_sum += product[k];
    }
    ((T *)squares)[i] = square_sum;
    ((T *)products)[i] = product_sum;
  }
}

static APUS_CLONES void S(add_combination)(const void *data, size_t rows, size_t width, const void *coefficients,
                                           size_t first, size_t last, void *result) {
  const T *x = data, *c = coefficients;
  T *y = result;
  size_t i = 0;
  // Each element takes its rows in the same order, whether they come four at a time or not.
  for (; i + 4 <= rows; i += 4) {
    const T *a = x + i * width;
    T c0 = c[i], c1 = c[i + 1], c2 = c[i + 2], c3 = c[i + 3];
    APUS_VECTORIZE
    for (size_t j = first; j < last; j++) {
      y[j] = (((y[j] + c0 * a[j]) + c1 * a[j + width]) + c2 * a[j + 2 * width]) + c3 * a[j + 3 * width];
    }
  }
  for (; i < rows; i++) {
    const T *a = x + i * width;
    APUS_VECTORIZE
    for (size_t j = first; j < last; j++) y[j] += c[i] * a[j];
  }
}
