// Kernels of recovery for T = float or double; LANES elements fill 64 bytes.

typedef T S(part) __attribute__((vector_size(64), aligned(sizeof(T))));
typedef T S(half) __attribute__((vector_size(32)));
typedef T S(quarter) __attribute__((vector_size(16)));

// The sum of a vector's elements.
APUS_INLINE T S(folded)(const S(part) *vector) {
  S(part) a = *vector;
#if LANES == 16
  S(half) b = __builtin_shufflevector(a, a, 0, 1, 2, 3, 4, 5, 6, 7) +
              __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15);
  S(quarter) c = __builtin_shufflevector(b, b, 0, 1, 2, 3) + __builtin_shufflevector(b, b, 4, 5, 6, 7);
  return (c[0] + c[1]) + (c[2] + c[3]);
#else
  S(half) b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
  S(quarter) c = __builtin_shufflevector(b, b, 0, 1) + __builtin_shufflevector(b, b, 2, 3);
  return c[0] + c[1];
#endif
}

APUS_INLINE T S(inner)(const T *a, const T *b, size_t count) {
  S(part) sum = (S(part)){0};
  for (size_t v = 0; v < count; v += LANES) sum += *(const S(part) *)(a + v) * *(const S(part) *)(b + v);
  return S(folded)(&sum);
}

// MARK: Normal equations that are not formed

// sums = Σ w (u · p) u over a row's entries, or with values b: Σ w (b - u · p) u. In the second form Huber's weights are
// set first, where there are some. `width` vectors are known when this is compiled, so that all sums stay in registers.
APUS_INLINE void S(normal_pass)(const int32_t *indices, size_t entries, const T *factor, size_t stride, size_t width,
                                const T *p, const T *values, T huber, T *weights, T *sums) {
  S(part) total[8], direction[8];
  for (size_t v = 0; v < width; v++) {
    total[v] = (S(part)){0};
    direction[v] = *(const S(part) *)(p + v * LANES);
  }
  for (size_t i = 0; i < entries; i++) {
    const T *u = factor + (size_t)indices[i] * stride;
    S(part) products = (S(part)){0};
    for (size_t v = 0; v < width; v++) products += *(const S(part) *)(u + v * LANES) * direction[v];
    T slope = S(folded)(&products);
    if (values) {
      slope = values[i] - slope;
      if (huber > 0) {
        T size = slope < 0 ? -slope : slope;
        weights[i] = size > huber ? huber / size : 1;
      }
    }
    if (huber > 0) slope *= weights[i];
    for (size_t v = 0; v < width; v++) total[v] += slope * *(const S(part) *)(u + v * LANES);
  }
  for (size_t v = 0; v < width; v++) *(S(part) *)(sums + v * LANES) = total[v];
}

// The same for any width.
APUS_INLINE void S(wide_normal_pass)(const int32_t *indices, size_t entries, const T *factor, size_t stride,
                                     const T *p, const T *values, T huber, T *weights, T *sums) {
  for (size_t v = 0; v < stride; v += LANES) *(S(part) *)(sums + v) = (S(part)){0};
  for (size_t i = 0; i < entries; i++) {
    const T *u = factor + (size_t)indices[i] * stride;
    T slope = S(inner)(u, p, stride);
    if (values) {
      slope = values[i] - slope;
      if (huber > 0) {
        T size = slope < 0 ? -slope : slope;
        weights[i] = size > huber ? huber / size : 1;
      }
    }
    if (huber > 0) slope *= weights[i];
    for (size_t v = 0; v < stride; v += LANES) *(S(part) *)(sums + v) += slope * *(const S(part) *)(u + v);
  }
}

APUS_INLINE void S(any_normal_pass)(const int32_t *indices, size_t entries, const T *factor, size_t stride, const T *p,
                                    const T *values, T huber, T *weights, T *sums) {
  switch (stride / LANES) {
    case 1: S(normal_pass)(indices, entries, factor, stride, 1, p, values, huber, weights, sums); break;
    case 2: S(normal_pass)(indices, entries, factor, stride, 2, p, values, huber, weights, sums); break;
    case 3: S(normal_pass)(indices, entries, factor, stride, 3, p, values, huber, weights, sums); break;
    case 4: S(normal_pass)(indices, entries, factor, stride, 4, p, values, huber, weights, sums); break;
    case 8: S(normal_pass)(indices, entries, factor, stride, 8, p, values, huber, weights, sums); break;
    default: S(wide_normal_pass)(indices, entries, factor, stride, p, values, huber, weights, sums);
  }
}

// MARK: Normal equations that are formed

// The lower triangle of G += Σ w u uᵀ, four rows at a time; with indices, rows of a factor, else rows one after another.
APUS_INLINE void S(add_gram)(const int32_t *indices, size_t entries, const T *factor, size_t rank, size_t stride,
                             const T *weights, T *gram) {
  size_t i = 0;
  for (; i + 4 <= entries; i += 4) {
    const T *u[4];
    T w[4];
    for (size_t l = 0; l < 4; l++) {
      u[l] = factor + (indices ? (size_t)indices[i + l] : i + l) * stride;
      w[l] = weights ? weights[i + l] : 1;
    }
    for (size_t a = 0; a < rank; a++) {
      T f0 = w[0] * u[0][a], f1 = w[1] * u[1][a], f2 = w[2] * u[2][a], f3 = w[3] * u[3][a];
      for (size_t v = 0; v <= a; v += LANES) {
        S(part) *g = (S(part) *)(gram + a * stride + v);
        *g += (f0 * *(const S(part) *)(u[0] + v) + f1 * *(const S(part) *)(u[1] + v)) +
              (f2 * *(const S(part) *)(u[2] + v) + f3 * *(const S(part) *)(u[3] + v));
      }
    }
  }
  for (; i < entries; i++) {
    const T *u = factor + (indices ? (size_t)indices[i] : i) * stride;
    T w = weights ? weights[i] : 1;
    for (size_t a = 0; a < rank; a++) {
      T f = w * u[a];
      for (size_t v = 0; v <= a; v += LANES) *(S(part) *)(gram + a * stride + v) += f * *(const S(part) *)(u + v);
    }
  }
}

// Replaces the lower triangle by its Cholesky factor. Returns 0 when a pivot is not positive.
APUS_INLINE int S(factor_in_place)(T *g, size_t rank, size_t stride, T *column) {
  for (size_t j = 0; j < rank; j++) {
    T pivot = g[j * stride + j];
    if (!(pivot > 0)) return 0;
    T root = (T)sqrt((double)pivot), inverse = 1 / root;
    g[j * stride + j] = root;
    for (size_t i = j + 1; i < rank; i++) column[i] = (g[i * stride + j] *= inverse);
    for (size_t i = j + 1; i < rank; i++) {
      T factor = column[i];
      T *row = g + i * stride;
      APUS_VECTORIZE
      for (size_t l = j + 1; l <= i; l++) row[l] -= factor * column[l];
    }
  }
  return 1;
}

// x = (L Lᵀ)⁻¹ x.
APUS_INLINE void S(solve_factored)(const T *l, size_t rank, size_t stride, T *x) {
  for (size_t i = 0; i < rank; i++) {
    T sum = x[i];
    for (size_t j = 0; j < i; j++) sum -= l[i * stride + j] * x[j];
    x[i] = sum / l[i * stride + i];
  }
  for (size_t i = rank; i-- > 0;) {
    T value = x[i] /= l[i * stride + i];
    APUS_VECTORIZE
    for (size_t j = 0; j < i; j++) x[j] -= value * l[i * stride + j];
  }
}

// One row by its normal equations. A row with too few entries, or dependent ones, gets a ridge of 1e-8 of its mean
// diagonal: of all solutions nearly the one of least norm. Huber's weights are those at x as it comes in.
APUS_INLINE void S(direct_row)(const int32_t *indices, const T *values, size_t entries, const T *factor, T *x,
                               const apus_row_regression *settings, T *scratch, T *weights,
                               apus_row_regression_work *work) {
  size_t k = settings->rank, stride = settings->stride;
  T *gram = scratch, *right = scratch + k * stride, *column = right + stride;
  T huber = (T)settings->huber;
  T *zero = column + stride;
  for (size_t j = 0; j < stride; j++) zero[j] = 0;
  if (huber > 0) {
    S(any_normal_pass)(indices, entries, factor, stride, x, values, huber, weights, right);
    for (size_t j = 0; j < stride; j++) right[j] = 0;
    for (size_t i = 0; i < entries; i++) {
      const T *u = factor + (size_t)indices[i] * stride;
      T f = weights[i] * values[i];
      for (size_t v = 0; v < stride; v += LANES) *(S(part) *)(right + v) += f * *(const S(part) *)(u + v);
    }
  } else {
    S(any_normal_pass)(indices, entries, factor, stride, zero, values, 0, weights, right);
  }
  double ridge = settings->ridge;
  for (int attempt = 0; attempt < 3; attempt++) {
    for (size_t j = 0; j < k * stride; j++) gram[j] = 0;
    S(add_gram)(indices, entries, factor, k, stride, huber > 0 ? weights : 0, gram);
    double trace = 0;
    for (size_t j = 0; j < k; j++) trace += gram[j * stride + j];
    work->multiply_adds += (double)entries * (double)(k * (k + 1)) / 2 + (double)(k * k * k) / 6;
    if (attempt == 0 && entries < k && ridge == 0) ridge = 1e-8 * trace / (double)k;
    if (attempt > 0) ridge += (attempt == 1 ? 1e-8 : 1e-4) * trace / (double)k;
    for (size_t j = 0; j < k; j++) gram[j * stride + j] += (T)ridge;
    if (S(factor_in_place)(gram, k, stride, column)) {
      for (size_t j = 0; j < k; j++) x[j] = right[j];
      S(solve_factored)(gram, k, stride, x);
      break;
    }
    if (attempt == 2)
      for (size_t j = 0; j < k; j++) x[j] = 0;
  }
  work->multiply_adds += (double)(entries * k + k * k);
  work->direct_rows++;
}

// MARK: Rows

static APUS_CLONES void S(rows_directly)(const apus_csr *a, size_t first, size_t last, const void *factor, void *rows,
                                         const apus_row_regression *settings, void *scratch,
                                         apus_row_regression_work *work) {
  size_t stride = settings->stride;
  T *space = scratch, *weights = space + stride * (2 * settings->rank + 8);
  for (size_t row = first; row < last; row++) {
    size_t start = (size_t)a->starts[row], entries = (size_t)a->starts[row + 1] - start;
    T *x = (T *)rows + row * stride;
    if (entries == 0) {
      for (size_t j = 0; j < stride; j++) x[j] = 0;
      continue;
    }
    S(direct_row)(a->indices + start, (const T *)a->values + start, entries, factor, x, settings, space, weights, work);
  }
}

static APUS_CLONES void S(rows_by_gradients)(const apus_csr *a, size_t first, size_t last, const void *factor,
                                             void *rows, const apus_row_regression *settings, void *scratch,
                                             apus_row_regression_work *work) {
  size_t stride = settings->stride, k = settings->rank;
  T *space = scratch, *weights = space + stride * (2 * k + 8);
  T *gradient = space, *direction = space + stride, *curved = space + 2 * stride, *start_x = space + 3 * stride;
  T huber = (T)settings->huber, ridge = (T)settings->ridge;
  for (size_t row = first; row < last; row++) {
    size_t start = (size_t)a->starts[row], entries = (size_t)a->starts[row + 1] - start;
    const int32_t *indices = a->indices + start;
    const T *values = (const T *)a->values + start;
    T *x = (T *)rows + row * stride;
    if (entries == 0) {
      for (size_t j = 0; j < stride; j++) x[j] = 0;
      continue;
    }
    if (2 * entries < 3 * k) {
      S(direct_row)(indices, values, entries, factor, x, settings, space, weights, work);
      continue;
    }
    S(any_normal_pass)(indices, entries, factor, stride, x, values, huber, weights, gradient);
    T square = 0;
    for (size_t j = 0; j < k; j++) {
      gradient[j] -= ridge * x[j];
      direction[j] = gradient[j];
      start_x[j] = x[j];
      square += gradient[j] * gradient[j];
    }
    for (size_t j = k; j < stride; j++) gradient[j] = direction[j] = 0;
    T square0 = square;
    int stuck = 0;
    size_t step = 0;
    for (; step < settings->steps && square > 0; step++) {
      S(any_normal_pass)(indices, entries, factor, stride, direction, 0, huber, weights, curved);
      T curvature = 0;
      for (size_t j = 0; j < k; j++) {
        curved[j] += ridge * direction[j];
        curvature += curved[j] * direction[j];
      }
      if (!(curvature > 0)) {
        stuck = 1;
        break;
      }
      T length = square / curvature, next = 0;
      for (size_t j = 0; j < k; j++) {
        x[j] += length * direction[j];
        gradient[j] -= length * curved[j];
        next += gradient[j] * gradient[j];
      }
      T ratio = next / square;
      for (size_t j = 0; j < k; j++) direction[j] = gradient[j] + ratio * direction[j];
      square = next;
    }
    work->multiply_adds += (double)(2 * entries * k) * (double)(step + 1);
    // Steps that leave a larger gradient than they found are on an ill-conditioned row.
    if (stuck || !(square <= square0)) {
      for (size_t j = 0; j < k; j++) x[j] = start_x[j];
      S(direct_row)(indices, values, entries, factor, x, settings, space, weights, work);
    }
  }
}

static APUS_CLONES void S(rows_by_sketches)(const apus_csr *a, size_t first, size_t last, const void *factor,
                                            void *rows, const apus_row_regression *settings, void *scratch,
                                            apus_row_regression_work *work) {
  size_t stride = settings->stride, k = settings->rank, buckets = settings->sketch_rows;
  T *space = scratch, *sketch = space + stride * (2 * k + 8), *weights = sketch + buckets * stride;
  T *gram = space, *column = space + k * stride, *gradient = column + stride, *direction = gradient + stride,
    *curved = direction + stride, *z = curved + stride;
  T huber = (T)settings->huber, ridge = (T)settings->ridge;
  for (size_t row = first; row < last; row++) {
    size_t start = (size_t)a->starts[row], entries = (size_t)a->starts[row + 1] - start;
    const int32_t *indices = a->indices + start;
    const T *values = (const T *)a->values + start;
    T *x = (T *)rows + row * stride;
    if (entries == 0) {
      for (size_t j = 0; j < stride; j++) x[j] = 0;
      continue;
    }
    // A sketch with half as many rows as there are entries saves nothing.
    if (entries <= 2 * buckets) {
      S(direct_row)(indices, values, entries, factor, x, settings, space, weights, work);
      continue;
    }
    S(any_normal_pass)(indices, entries, factor, stride, x, values, huber, weights, gradient);
    for (size_t j = 0; j < buckets * stride; j++) sketch[j] = 0;
    for (size_t i = 0; i < entries; i++) {
      const T *u = (const T *)factor + (size_t)indices[i] * stride;
      uint64_t word = sketch_word(settings->seed, row, i);
      T root = huber > 0 ? (T)sqrt((double)weights[i]) : 1;
      // Two places for each entry, of weight 1/√2.
      for (int copy = 0; copy < 2; copy++) {
        size_t place = (size_t)(((word >> (32 * copy)) & 0x7FFFFFFFu) * buckets >> 31);
        T sign = (word >> (32 * copy + 31)) & 1 ? (T)0.70710678118654752 : (T)-0.70710678118654752;
        sign *= root;
        for (size_t v = 0; v < stride; v += LANES)
          *(S(part) *)(sketch + place * stride + v) += sign * *(const S(part) *)(u + v);
      }
    }
    for (size_t j = 0; j < k * stride; j++) gram[j] = 0;
    S(add_gram)(0, buckets, sketch, k, stride, 0, gram);
    for (size_t j = 0; j < k; j++) gram[j * stride + j] += ridge;
    work->multiply_adds += (double)(4 * entries * k) + (double)buckets * (double)(k * (k + 1)) / 2 +
                           (double)(k * k * k) / 6;
    if (!S(factor_in_place)(gram, k, stride, column)) {
      S(direct_row)(indices, values, entries, factor, x, settings, space, weights, work);
      continue;
    }
    for (size_t j = 0; j < k; j++) z[j] = gradient[j] -= ridge * x[j];
    S(solve_factored)(gram, k, stride, z);
    T square = 0;
    for (size_t j = 0; j < stride; j++) direction[j] = 0;
    for (size_t j = 0; j < k; j++) {
      direction[j] = z[j];
      square += z[j] * gradient[j];
    }
    T wanted = square * (T)(settings->tolerance * settings->tolerance);
    size_t step = 0;
    for (; step < settings->steps && square > wanted; step++) {
      S(any_normal_pass)(indices, entries, factor, stride, direction, 0, huber, weights, curved);
      T curvature = 0;
      for (size_t j = 0; j < k; j++) {
        curved[j] += ridge * direction[j];
        curvature += curved[j] * direction[j];
      }
      if (!(curvature > 0)) break;
      T length = square / curvature, next = 0;
      for (size_t j = 0; j < k; j++) {
        x[j] += length * direction[j];
        gradient[j] -= length * curved[j];
        z[j] = gradient[j];
      }
      S(solve_factored)(gram, k, stride, z);
      for (size_t j = 0; j < k; j++) next += z[j] * gradient[j];
      T ratio = next / square;
      for (size_t j = 0; j < k; j++) direction[j] = z[j] + ratio * direction[j];
      square = next;
    }
    work->multiply_adds += (double)(2 * entries * k + k * k) * (double)(step + 1);
  }
}

static APUS_CLONES double S(row_residuals)(const apus_csr *a, size_t first, size_t last, const void *factor,
                                           const void *rows, size_t stride, void *residuals) {
  double total = 0;
  T *differences = residuals;
  for (size_t row = first; row < last; row++) {
    const T *x = (const T *)rows + row * stride;
    double sum = 0;
    for (int32_t i = a->starts[row]; i < a->starts[row + 1]; i++) {
      const T *u = (const T *)factor + (size_t)a->indices[i] * stride;
      T difference = ((const T *)a->values)[i] - S(inner)(u, x, stride);
      if (differences) differences[i] = difference;
      sum += (double)difference * (double)difference;
    }
    total += sum;
  }
  return total;
}

// MARK: Measurements

static APUS_CLONES void S(residuals_and_adjoint)(const void *measurements, size_t first, size_t last, size_t stride,
                                                 const void *unknowns, const void *observed, apus_loss loss,
                                                 double threshold, void *results, void *adjoint) {
  const T *x = unknowns, *y = observed;
  T *residuals = results, *sum = adjoint;
  T corner = (T)threshold;
  for (size_t i = first; i < last; i++) {
    const T *a = (const T *)measurements + i * stride;
    S(part) s0 = (S(part)){0}, s1 = s0, s2 = s0, s3 = s0;
    size_t v = 0;
    for (; v + 4 * LANES <= stride; v += 4 * LANES) {
      s0 += *(const S(part) *)(a + v) * *(const S(part) *)(x + v);
      s1 += *(const S(part) *)(a + v + LANES) * *(const S(part) *)(x + v + LANES);
      s2 += *(const S(part) *)(a + v + 2 * LANES) * *(const S(part) *)(x + v + 2 * LANES);
      s3 += *(const S(part) *)(a + v + 3 * LANES) * *(const S(part) *)(x + v + 3 * LANES);
    }
    for (; v < stride; v += LANES) s0 += *(const S(part) *)(a + v) * *(const S(part) *)(x + v);
    s0 = (s0 + s1) + (s2 + s3);
    T r = S(folded)(&s0) - y[i];
    residuals[i] = r;
    if (!sum) continue;
    T slope = r;
    if (loss == APUS_LOSS_ABSOLUTE) slope = r > 0 ? 1 : r < 0 ? -1 : 0;
    if (loss == APUS_LOSS_HUBER) slope = r > corner ? corner : r < -corner ? -corner : r;
    if (slope == 0) continue;
    for (v = 0; v < stride; v += LANES) *(S(part) *)(sum + v) += slope * *(const S(part) *)(a + v);
  }
}

// MARK: Coordinate descent

static APUS_CLONES double S(lasso_sweep)(const void *columns, size_t stride, const int32_t *list, size_t count,
                                         const void *squares, double penalty, void *coefficients, void *residual) {
  T *theta = coefficients, *r = residual;
  T bound = (T)penalty;
  double largest = 0;
  for (size_t i = 0; i < count; i++) {
    size_t j = (size_t)list[i];
    T square = ((const T *)squares)[j];
    if (!(square > 0)) continue;
    const T *z = (const T *)columns + j * stride;
    T old = theta[j];
    T correlation = S(inner)(z, r, stride) + square * old;
    T shrunk = correlation > bound ? correlation - bound : correlation < -bound ? correlation + bound : 0;
    T value = shrunk / square, change = value - old;
    if (change == 0) continue;
    theta[j] = value;
    for (size_t v = 0; v < stride; v += LANES) *(S(part) *)(r + v) -= change * *(const S(part) *)(z + v);
    double size = fabs((double)change) * sqrt((double)square);
    if (size > largest) largest = size;
  }
  return largest;
}
