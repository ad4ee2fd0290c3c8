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
    T centre = (T)((double)start + S(sum)(x, group->size, false, start) / size);
    double rest = S(sum)(x, group->size, false, centre) / size;
    double squares = S(sum)(x, group->size, true, centre) - size * rest * rest;
    double difference = (double)centre + rest - mean, share = 1 / (double)(p + 1);
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
    if (activation == APUS_NORM_RELU) u = u > 0 ? u : 0;
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

// The cotangent before the activation goes to `h`; returns its sum, and its sum times the normalised values.
APUS_INLINE double S(backward_plane)(apus_norm_activation activation, T mean, double factor, T scale, T bias,
                                     const T *x, const T *y, const T *g, T *h, size_t count, double *weighted) {
  double sum = 0, product = 0;
  for (size_t start = 0; start < count; start += S(chunk)) {
    size_t end = count - start < S(chunk) ? count : start + S(chunk), i = start;
    APUS_VECTORIZE for (size_t j = start; j < end; j++) {
      T value = g[j];
      if (activation == APUS_NORM_RELU) value = (y ? y[j] : (x[j] - mean) * scale + bias) > 0 ? value : 0;
      if (activation == APUS_NORM_SILU) {
        T u = (x[j] - mean) * scale + bias, s = S(sigmoid)(u);
        value *= s * (1 + u * (1 - s));
      }
      h[j] = value;
    }
    S(lanes) sums = {0}, products = {0}, more = {0}, others = {0};
    for (; i + 2 * LANES <= end; i += 2 * LANES) {
      S(lanes) value = *(const S(lanes) *)(h + i), next = *(const S(lanes) *)(h + i + LANES);
      sums += value;
      more += next;
      products += value * (*(const S(lanes) *)(x + i) - mean);
      others += next * (*(const S(lanes) *)(x + i + LANES) - mean);
    }
    sums += more;
    products += others;
    sum += S(total)(&sums);
    product += S(total)(&products);
    for (; i < end; i++) {
      sum += (double)h[i];
      product += (double)(h[i] * (x[i] - mean));
    }
  }
  *weighted = product * factor;
  return sum;
}

static APUS_CLONES void S(backward)(const apus_norm_group *group, apus_norm_activation activation, double mean,
                                    double factor, const void *weights, const void *biases, const void *input,
                                    const void *output, const void *cotangent, void *dinput, void *dresidual,
                                    double *dweight, double *dbias) {
  T centre = (T)mean;
  double sum = 0, product = 0;
  T *between = dresidual ? dresidual : dinput;
  for (size_t p = 0; p < group->planes; p++) {
    ptrdiff_t at = (ptrdiff_t)p * group->stride, channel = (ptrdiff_t)p * group->affine;
    double weight = (double)((const T *)weights)[channel];
    T scale = (T)(factor * weight), bias = ((const T *)biases)[channel];
    const T *x = (const T *)input + at, *y = output ? (const T *)output + at : NULL, *g = (const T *)cotangent + at;
    T *h = between + at;
    size_t count = group->size;
    switch (activation) {
      case APUS_NORM_IDENTITY:
        dbias[p] = S(backward_plane)(APUS_NORM_IDENTITY, centre, factor, scale, bias, x, NULL, g, h, count,
                                     dweight + p);
        break;
      case APUS_NORM_RELU:
        dbias[p] = y ? S(backward_plane)(APUS_NORM_RELU, centre, factor, scale, bias, x, y, g, h, count, dweight + p)
                     : S(backward_plane)(APUS_NORM_RELU, centre, factor, scale, bias, x, NULL, g, h, count,
                                         dweight + p);
        break;
      case APUS_NORM_SILU:
        dbias[p] = S(backward_plane)(APUS_NORM_SILU, centre, factor, scale, bias, x, NULL, g, h, count, dweight + p);
        break;
    }
    sum += weight * dbias[p];
    product += weight * dweight[p];
  }
  double total = (double)group->size * (double)group->planes;
  T offset = (T)(-factor * sum / total), slope = (T)(-factor * factor * product / total);
  for (size_t p = 0; p < group->planes; p++) {
    ptrdiff_t at = (ptrdiff_t)p * group->stride;
    T scale = (T)(factor * (double)((const T *)weights)[(ptrdiff_t)p * group->affine]);
    const T *x = (const T *)input + at, *h = between + at;
    T *dx = (T *)dinput + at;
    APUS_VECTORIZE for (size_t i = 0; i < group->size; i++) dx[i] = h[i] * scale + (x[i] - centre) * slope + offset;
  }
}

const apus_norm_kernels *S(apus_norm)(void) {
  static const apus_norm_kernels table = {S(statistics), S(apply), S(backward)};
  return &table;
}
