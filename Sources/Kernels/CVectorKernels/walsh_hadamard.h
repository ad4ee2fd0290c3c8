// The fast Walsh–Hadamard transform of T = float or double, in place, in the natural order of rows.
//
// Butterflies of different distances commute. Long transforms do the distant ones first, two distances in one pass, and
// then their quarters one by one, each of which stays in the cache from there on.

// Distances h and 2h at once: a, b, c, d lie h apart.
APUS_INLINE void S(butterflies)(T *a, T *b, T *c, T *d, size_t count) {
  APUS_VECTORIZE
  for (size_t i = 0; i < count; i++) {
    T sum0 = a[i] + b[i], difference0 = a[i] - b[i], sum1 = c[i] + d[i], difference1 = c[i] - d[i];
    a[i] = sum0 + sum1;
    b[i] = difference0 + difference1;
    c[i] = sum0 - sum1;
    d[i] = difference0 - difference1;
  }
}

APUS_INLINE void S(butterfly)(T *a, T *b, size_t count) {
  APUS_VECTORIZE
  for (size_t i = 0; i < count; i++) {
    T sum = a[i] + b[i], difference = a[i] - b[i];
    a[i] = sum;
    b[i] = difference;
  }
}

// The distances inside one vector: an element and its partner exchange places, and one of them its sign.
APUS_INLINE void S(within_vectors)(T *x, size_t length) {
#if LANES == 16
  const S(line) sign1 = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1};
  const S(line) sign2 = {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1};
  const S(line) sign4 = {1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1};
  const S(line) sign8 = {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1};
  for (size_t i = 0; i < length; i += LANES) {
    S(line) v = *(S(lanes) *)(x + i);
    v = v * sign1 + __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    v = v * sign2 + __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    v = v * sign4 + __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v = v * sign8 + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    *(S(lanes) *)(x + i) = v;
  }
#else
  const S(line) sign1 = {1, -1, 1, -1, 1, -1, 1, -1};
  const S(line) sign2 = {1, 1, -1, -1, 1, 1, -1, -1};
  const S(line) sign4 = {1, 1, 1, 1, -1, -1, -1, -1};
  for (size_t i = 0; i < length; i += LANES) {
    S(line) v = *(S(lanes) *)(x + i);
    v = v * sign1 + __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6);
    v = v * sign2 + __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
    v = v * sign4 + __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
    *(S(lanes) *)(x + i) = v;
  }
#endif
}

// All distances of a transform that fits the cache.
static APUS_CLONES void S(transform_short)(T *x, size_t length, size_t width, size_t stride) {
  size_t h = 1;
  if (width == 1 && stride == 1 && length >= LANES) {
    S(within_vectors)(x, length);
    h = LANES;
    for (; 4 * h <= length; h *= 4)
      for (size_t i = 0; i < length; i += 4 * h) {
        T *a = x + i;
        S(butterflies)(a, a + h, a + 2 * h, a + 3 * h, h);
      }
    if (2 * h <= length) S(butterfly)(x, x + h, h);
    return;
  }
  for (; 4 * h <= length; h *= 4)
    for (size_t i = 0; i < length; i += 4 * h)
      for (size_t j = i; j < i + h; j++) {
        T *a = x + j * stride;
        S(butterflies)(a, a + h * stride, a + 2 * h * stride, a + 3 * h * stride, width);
      }
  if (2 * h <= length)
    for (size_t j = 0; j < h; j++) S(butterfly)(x + j * stride, x + (j + h) * stride, width);
}

// The two largest distances.
static APUS_CLONES void S(distant_butterflies)(T *x, size_t quarter, size_t width, size_t stride) {
  T *b = x + quarter * stride, *c = b + quarter * stride, *d = c + quarter * stride;
  if (width == 1 && stride == 1) {
    S(butterflies)(x, b, c, d, quarter);
    return;
  }
  for (size_t j = 0; j < quarter; j++)
    S(butterflies)(x + j * stride, b + j * stride, c + j * stride, d + j * stride, width);
}

static void S(walsh_hadamard)(void *data, size_t length, size_t width, size_t stride) {
  T *x = data;
  const size_t cache = 1 << 15;
  if (length < 4 || length * width * sizeof(T) <= cache) {
    S(transform_short)(x, length, width, stride);
    return;
  }
  size_t quarter = length / 4;
  S(distant_butterflies)(x, quarter, width, stride);
  for (size_t part = 0; part < 4; part++) S(walsh_hadamard)(x + part * quarter * stride, quarter, width, stride);
}
