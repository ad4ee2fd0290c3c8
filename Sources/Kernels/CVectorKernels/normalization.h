// Normalisation of channels for T = float or double; LANES elements fill 64 bytes.
//
// Sums over a run are kept in lanes of T for at most `chunk` elements, then in f64.

enum { S(chunk) = 64 * LANES };

typedef T S(lanes) __attribute__((vector_size(64), aligned(sizeof(T))));

// By address: passing vectors by value would depend on the instruction set.
APUS_INLINE double S(total)(const S(lanes) *x) {
  double sum = 0;
  for (size_t lane = 0; lane < LANES; lane++) sum += (double)(*x)[lane];
  return sum;
}

// Σ x and Σ (x - centre)², whichever is wanted.
APUS_INLINE double S(sum)(const T *x, size_t count, bool squares, T centre) {
  double sum = 0;
  size_t i = 0;
  while (i + LANES <= count) {
    size_t end = count - i < S(chunk) ? i + (count - i) / LANES * LANES : i + S(chunk);
    S(lanes) sums[4] = {{0}, {0}, {0}, {0}};
    for (; i + 4 * LANES <= end; i += 4 * LANES) {
      for (size_t v = 0; v < 4; v++) {
        S(lanes) value = *(const S(lanes) *)(x + i + v * LANES) - centre;
        sums[v] += squares ? value * value : value;
      }
    }
    for (; i < end; i += LANES) {
      S(lanes) value = *(const S(lanes) *)(x + i) - centre;
      sums[0] += squares ? value * value : value;
    }
    sums[0] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    sum += S(total)(sums);
  }
  for (; i < count; i++) {
    T value = x[i] - centre;
    sum += (double)(squares ? value * value : value);
  }
  return sum;
}

// Plane by plane while it is near, and the planes together by the update of Chan, Golub and LeVeque (1983).
static APUS_CLONES void S(statistics)(const apus_norm_group *group, const void *input, double *mean_out,
                                      double *variance_out) {
  double mean = 0, deviations = 0, size = (double)group->size;
  for (size_t p = 0; p < group->planes; p++) {
    const T *x = (const T *)input + (ptrdiff_t)p * group->stride;
    // About a first element, in case the mean is far from zero.
    T start = x[0];
    double own = (double)start + S(sum)(x, group->size, false, start) / size;
    T centre = (T)own;
    double rest = own - (double)centre;
    double squares = S(sum)(x, group->size, true, centre) - size * rest * rest;
    double difference = own - mean, share = 1 / (double)(p + 1);
    mean += difference * share;
    deviations += squares + difference * difference * size * (double)p * share;
  }
  *mean_out = mean;
  *variance_out = deviations / (size * (double)group->planes);
}

APUS_INLINE void S(apply_plane)(apus_norm_activation activation, T mean, T factor, T bias, const T *residual,
                                const T *x, T *y, size_t count) {
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    T u = (x[i] - mean) * factor + bias;
    if (residual) u += residual[i];
    if (activation == APUS_NORM_RELU) u = u <= 0 ? 0 : u;  // NaN stays NaN
    if (activation == APUS_NORM_SILU) u *= S(sigmoid)(u);
    y[i] = u;
  }
}

static APUS_CLONES void S(apply)(const apus_norm_group *group, apus_norm_activation activation, double mean,
                                 double factor, const void *weights, const void *biases, const void *residual,
                                 const void *input, void *output) {
  for (size_t p = 0; p < group->planes; p++) {
    ptrdiff_t at = (ptrdiff_t)p * group->stride, channel = (ptrdiff_t)p * group->affine;
    T scale = (T)(factor * (double)((const T *)weights)[channel]), bias = ((const T *)biases)[channel];
    const T *x = (const T *)input + at, *r = residual ? (const T *)residual + at : NULL;
    T *y = (T *)output + at;
    T centre = (T)mean;
    size_t count = group->size;
    switch (activation) {
      case APUS_NORM_IDENTITY:
        if (r) S(apply_plane)(APUS_NORM_IDENTITY, centre, scale, bias, r, x, y, count);
        else S(apply_plane)(APUS_NORM_IDENTITY, centre, scale, bias, NULL, x, y, count);
        break;
      case APUS_NORM_RELU:
        if (r) S(apply_plane)(APUS_NORM_RELU, centre, scale, bias, r, x, y, count);
        else S(apply_plane)(APUS_NORM_RELU, centre, scale, bias, NULL, x, y, count);
        break;
      case APUS_NORM_SILU:
        if (r) S(apply_plane)(APUS_NORM_SILU, centre, scale, bias, r, x, y, count);
        else S(apply_plane)(APUS_NORM_SILU, centre, scale, bias, NULL, x, y, count);
        break;
    }
  }
}

// MARK: The way back

// The cotangent before the activation, from that behind it: in `h`, or where it is already.
APUS_INLINE const T *S(before)(apus_norm_activation activation, T mean, T scale, T bias, const T *x, const T *y,
                               const T *g, T *h, size_t count) {
  if (activation == APUS_NORM_IDENTITY) return g;
  APUS_VECTORIZE for (size_t i = 0; i < count; i++) {
    T value = g[i];
    if (activation == APUS_NORM_RELU) value = (y ? y[i] : (x[i] - mean) * scale + bias) > 0 ? value : 0;
    if (activation == APUS_NORM_SILU) {
      T u = (x[i] - mean) * scale + bias, s = S(sigmoid)(u);
      value *= s * (1 + u * (1 - s));
    }
    h[i] = value;
  }
  return h;
}

// The sum of `h`, added to *sum, and its product with the distances from the mean, added to *product.
APUS_INLINE void S(add_sums)(T mean, const T *x, const T *h, size_t count, double *sum, double *product) {
  S(lanes) sums = {0}, products = {0}, more = {0}, others = {0};
  size_t i = 0;
  for (; i + 2 * LANES <= count; i += 2 * LANES) {
    S(lanes) value = *(const S(lanes) *)(h + i), next = *(const S(lanes) *)(h + i + LANES);
    sums += value;
    more += next;
    products += value * (*(const S(lanes) *)(x + i) - mean);
    others += next * (*(const S(lanes) *)(x + i + LANES) - mean);
  }
  sums += more;
  products += others;
  *sum += S(total)(&sums);
  *product += S(total)(&products);
  for (; i < count; i++) {
    *sum += (double)h[i];
    *product += (double)(h[i] * (x[i] - mean));
  }
}

// `kept` has room for the cotangents before the activation, or is NULL: they are then found a second time, which for
// all but the exponential is less work than to write and read them.
APUS_INLINE void S(backward_group)(const apus_norm_group *group, apus_norm_activation activation, double mean,
                                   double factor, const T *weights, const T *biases, const T *input, const T *output,
                                   const T *cotangent, T *dinput, T *kept, double *dweight, double *dbias) {
  T centre = (T)mean, buffer[S(chunk)];
  double sum = 0, product = 0;
  for (size_t p = 0; p < group->planes; p++) {
    ptrdiff_t plane = (ptrdiff_t)p * group->stride, channel = (ptrdiff_t)p * group->affine;
    T scale = (T)(factor * (double)weights[channel]), bias = biases[channel];
    double plane_sum = 0, plane_product = 0;
    for (size_t start = 0; start < group->size; start += S(chunk)) {
      ptrdiff_t at = plane + (ptrdiff_t)start;
      size_t count = group->size - start < S(chunk) ? group->size - start : S(chunk);
      const T *h = S(before)(activation, centre, scale, bias, input + at, output ? output + at : NULL, cotangent + at,
                             kept ? kept + at : buffer, count);
      S(add_sums)(centre, input + at, h, count, &plane_sum, &plane_product);
    }
    dbias[p] = plane_sum;
    dweight[p] = plane_product * factor;
    sum += (double)weights[channel] * dbias[p];
    product += (double)weights[channel] * dweight[p];
  }
  double total = (double)group->size * (double)group->planes;
  T offset = (T)(-factor * sum / total), slope = (T)(-factor * factor * product / total);
  for (size_t p = 0; p < group->planes; p++) {
    ptrdiff_t plane = (ptrdiff_t)p * group->stride, channel = (ptrdiff_t)p * group->affine;
    T scale = (T)(factor * (double)weights[channel]), bias = biases[channel];
    for (size_t start = 0; start < group->size; start += S(chunk)) {
      ptrdiff_t at = plane + (ptrdiff_t)start;
      size_t count = group->size - start < S(chunk) ? group->size - start : S(chunk);
      const T *x = input + at, *h = kept ? kept + at
                                         : S(before)(activation, centre, scale, bias, x, output ? output + at : NULL,
                                                     cotangent + at, buffer, count);
      T *dx = dinput + at;
      APUS_VECTORIZE for (size_t i = 0; i < count; i++) dx[i] = h[i] * scale + (x[i] - centre) * slope + offset;
    }
  }
}

static APUS_CLONES void S(backward)(const apus_norm_group *group, apus_norm_activation activation, double mean,
                                    double factor, const void *weights, const void *biases, const void *input,
                                    const void *output, const void *cotangent, void *dinput, void *kept,
                                    double *dweight, double *dbias) {
  switch (activation) {
    case APUS_NORM_IDENTITY:
      S(backward_group)(group, APUS_NORM_IDENTITY, mean, factor, weights, biases, input, NULL, cotangent, dinput, NULL,
                        dweight, dbias);
      break;
    case APUS_NORM_RELU:
      if (output)
        S(backward_group)(group, APUS_NORM_RELU, mean, factor, weights, biases, input, output, cotangent, dinput, kept,
                          dweight, dbias);
      else
        S(backward_group)(group, APUS_NORM_RELU, mean, factor, weights, biases, input, NULL, cotangent, dinput, NULL,
                          dweight, dbias);
      break;
    case APUS_NORM_SILU:
      S(backward_group)(group, APUS_NORM_SILU, mean, factor, weights, biases, input, NULL, cotangent, dinput, dinput,
                        dweight, dbias);
      break;
  }
}

const apus_norm_kernels *S(apus_norm)(void) {
  static const apus_norm_kernels table = {S(statistics), S(apply), S(backward)};
  return &table;
}
