// Sparse coding over T = float or double; LANES elements fill 64 bytes. Correlations are worked on in tiles of four such
// vectors.

typedef T S(lanes) __attribute__((vector_size(64), aligned(sizeof(T))));

#define TILE (4 * LANES)

// The largest magnitude in a tile.
APUS_INLINE T S(peak)(const T *tile) {
  const S(lanes) *a = (const S(lanes) *)tile;
  S(lanes) most = __builtin_elementwise_max(
      __builtin_elementwise_max(__builtin_elementwise_abs(a[0]), __builtin_elementwise_abs(a[1])),
      __builtin_elementwise_max(__builtin_elementwise_abs(a[2]), __builtin_elementwise_abs(a[3])));
  T peak = most[0];
  for (int i = 1; i < LANES; i++) peak = most[i] > peak ? most[i] : peak;
  return peak;
}

// The position of the largest magnitude: the first tile whose peak it is, and the first place in it.
APUS_INLINE size_t S(leading_atom)(const T *correlations, const T *peaks, size_t tiles, T *magnitude) {
  size_t tile = 0;
  for (size_t i = 1; i < tiles; i++) {
    if (peaks[i] > peaks[tile]) tile = i;
  }
  *magnitude = peaks[tile];
  size_t i = tile * TILE;
  const size_t last = i + TILE - 1;
  while (i < last && (correlations[i] < 0 ? -correlations[i] : correlations[i]) != peaks[tile]) i++;
  return i;
}

// With Q the orthonormal basis of the chosen atoms in their order and D the dictionary, `rows` holds q_t . D for each t,
// tile by tile: the tiles of all t one behind the other. Row t of `lower` is what atom t has along q_0 ... q_t: the
// Cholesky factor of the chosen atoms' inner products. The residual's correlations lose z q_t . D when q_t, along which
// the signal has z, joins the basis.
static APUS_CLONES void S(pursue)(const apus_pursuit *p, size_t first, size_t last, const apus_codes *codes,
                                  void *squares, void *scratch) {
  const size_t leading = p->leading, sparsity = p->sparsity, tiles = leading / TILE;
  const T *gram = p->gram;
  const T tolerance = (T)p->tolerance;
  T *alpha = scratch, *open = alpha + leading, *rows = open + leading, *lower = rows + sparsity * leading;
  T *along = lower + sparsity * sparsity, *solution = along + sparsity, *peaks = solution + sparsity;
  for (size_t signal = first; signal < last; signal++) {
    const T *correlations = (const T *)p->correlations + signal * p->atoms;
    int32_t *chosen = codes->indices + signal * sparsity;
    T *values = (T *)codes->values + signal * sparsity;
    T rest = ((const T *)p->squares)[signal];
    memcpy(alpha, correlations, p->atoms * sizeof(T));
    for (size_t i = 0; i < p->atoms; i++) open[i] = 1;
    for (size_t i = p->atoms; i < leading; i++) alpha[i] = open[i] = 0;
    for (size_t tile = 0; tile < tiles; tile++) peaks[tile] = S(peak)(alpha + tile * TILE);
    size_t count = 0;
    T magnitude, least = -1;
    while (rest > tolerance) {
      const size_t atom = S(leading_atom)(alpha, peaks, tiles, &magnitude);
      // Below the rounding of the first correlations there is nothing left to explain.
      if (least < 0) least = 4 * PRECISION * magnitude;
      if (!(magnitude > least)) break;
      T pivot = gram[atom * leading + atom];
      const T norm = pivot;
      for (size_t t = 0; t < count; t++) {
        const T part = rows[(atom / TILE * sparsity + t) * TILE + atom % TILE];
        lower[count * sparsity + t] = part;
        pivot -= part * part;
      }
      const T correlation = alpha[atom];
      open[atom] = 0;
      alpha[atom] = 0;
      if (!(pivot > LEAST_PIVOT * norm)) {  // it lies in the span of those there are
        peaks[atom / TILE] = S(peak)(alpha + atom / TILE * TILE);
        continue;
      }
      const T root = __builtin_elementwise_sqrt(pivot), inverse = 1 / root, z = correlation * inverse;
      lower[count * sparsity + count] = root;
      along[count] = z;
      chosen[count] = (int32_t)atom;
      rest -= z * z;
      if (++count == sparsity) break;
      const T *row = gram + atom * leading, *parts = lower + (count - 1) * sparsity;
      for (size_t tile = 0; tile < tiles; tile++) {
        const size_t at = tile * TILE;
        const S(lanes) *g = (const S(lanes) *)(row + at), *o = (const S(lanes) *)(open + at);
        T *known = rows + tile * sparsity * TILE;
        S(lanes) q0 = g[0], q1 = g[1], q2 = g[2], q3 = g[3];
        for (size_t t = 0; t + 1 < count; t++) {
          const S(lanes) *r = (const S(lanes) *)(known + t * TILE);
          const T part = parts[t];
          q0 -= part * r[0], q1 -= part * r[1], q2 -= part * r[2], q3 -= part * r[3];
        }
        q0 *= inverse * o[0], q1 *= inverse * o[1], q2 *= inverse * o[2], q3 *= inverse * o[3];
        S(lanes) *n = (S(lanes) *)(known + (count - 1) * TILE), *a = (S(lanes) *)(alpha + at);
        n[0] = q0, n[1] = q1, n[2] = q2, n[3] = q3;
        a[0] -= z * q0, a[1] -= z * q1, a[2] -= z * q2, a[3] -= z * q3;
        peaks[tile] = S(peak)(alpha + at);
      }
    }
    for (size_t j = count; j-- > 0;) {
      T sum = along[j];
      for (size_t t = j + 1; t < count; t++) sum -= lower[t * sparsity + j] * solution[t];
      solution[j] = sum / lower[j * sparsity + j];
    }
    for (size_t i = 0; i < count; i++) {
      const int32_t atom = chosen[i];
      const T value = solution[i];
      size_t j = i;
      for (; j > 0 && chosen[j - 1] > atom; j--) {
        chosen[j] = chosen[j - 1];
        values[j] = values[j - 1];
      }
      chosen[j] = atom;
      values[j] = value;
    }
    codes->counts[signal] = (int32_t)count;
    ((T *)squares)[signal] = rest > 0 ? rest : 0;
  }
}

// The sum of x[i] y[i], in LANES partial sums.
APUS_INLINE T S(dot_rows)(const T *x, const T *y, size_t count) {
  S(lanes) sums = {0};
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) sums += *(const S(lanes) *)(x + i) * *(const S(lanes) *)(y + i);
  T sum = 0;
  for (; i < count; i++) sum += x[i] * y[i];
  for (int lane = 0; lane < LANES; lane++) sum += sums[lane];
  return sum;
}

static APUS_CLONES void S(adopt)(size_t first, size_t last, size_t width, size_t sparsity, const void *signals,
                                 const void *dictionary, const apus_codes *candidates, const apus_codes *codes,
                                 void *residuals, void *squares, void *scratch) {
  T *rest = scratch;
  for (size_t signal = first; signal < last; signal++) {
    const size_t at = signal * sparsity, count = (size_t)candidates->counts[signal];
    const int32_t *indices = candidates->indices + at;
    const T *values = (const T *)candidates->values + at;
    memcpy(rest, (const T *)signals + signal * width, width * sizeof(T));
    for (size_t e = 0; e < count; e++) {
      const T *atom = (const T *)dictionary + (size_t)indices[e] * width, value = values[e];
      for (size_t i = 0; i < width; i++) rest[i] -= value * atom[i];
    }
    T *residual = (T *)residuals + signal * width;
    const T before = S(dot_rows)(residual, residual, width), after = S(dot_rows)(rest, rest, width);
    const int is_taken = after <= before;
    ((T *)squares)[signal] = is_taken ? after : before;
    if (!is_taken) continue;
    memcpy(residual, rest, width * sizeof(T));
    memcpy(codes->indices + at, indices, count * sizeof *indices);
    memcpy((T *)codes->values + at, values, count * sizeof *values);
    codes->counts[signal] = (int32_t)count;
  }
}

static void S(gather)(const void *values, const int32_t *places, size_t count, void *coefficients) {
  for (size_t i = 0; i < count; i++) ((T *)coefficients)[i] = ((const T *)values)[places[i]];
}

static void S(scatter)(const void *coefficients, const int32_t *places, size_t count, void *values) {
  for (size_t i = 0; i < count; i++) ((T *)values)[places[i]] = ((const T *)coefficients)[i];
}

static APUS_CLONES void S(combine)(const apus_atom *u, size_t first, size_t last) {
  const size_t width = u->width, count = u->count;
  const T *residuals = u->residuals, *weights = u->updated, *previous = u->previous;
  const T share = S(dot_rows)(u->coefficients, weights, count);
  T *atom = u->atom;
  size_t at = first;
  for (; at + TILE <= last; at += TILE) {
    const S(lanes) *p = (const S(lanes) *)(previous + at);
    S(lanes) s0 = share * p[0], s1 = share * p[1], s2 = share * p[2], s3 = share * p[3];
    for (size_t i = 0; i < count; i++) {
      const S(lanes) *r = (const S(lanes) *)(residuals + (size_t)u->rows[i] * width + at);
      const T weight = weights[i];
      s0 += weight * r[0], s1 += weight * r[1], s2 += weight * r[2], s3 += weight * r[3];
    }
    S(lanes) *a = (S(lanes) *)(atom + at);
    a[0] = s0, a[1] = s1, a[2] = s2, a[3] = s3;
  }
  for (; at < last; at++) {
    T sum = share * previous[at];
    for (size_t i = 0; i < count; i++) sum += weights[i] * residuals[(size_t)u->rows[i] * width + at];
    atom[at] = sum;
  }
}

static APUS_CLONES void S(project)(const apus_atom *u, size_t first, size_t last) {
  const T *residuals = u->residuals, *coefficients = u->coefficients, *atom = u->atom;
  const T overlap = S(dot_rows)(u->previous, atom, u->width);
  T *updated = u->updated;
  for (size_t i = first; i < last; i++) {
    updated[i] = S(dot_rows)(residuals + (size_t)u->rows[i] * u->width, atom, u->width) + coefficients[i] * overlap;
  }
}

static APUS_CLONES void S(replace)(const apus_atom *u, size_t first, size_t last) {
  const T *previous = u->previous, *atom = u->atom, *coefficients = u->coefficients, *updated = u->updated;
  for (size_t i = first; i < last; i++) {
    T *residual = (T *)u->residuals + (size_t)u->rows[i] * u->width;
    const T back = coefficients[i], away = updated[i];
    APUS_VECTORIZE
    for (size_t c = 0; c < u->width; c++) residual[c] += back * previous[c] - away * atom[c];
  }
}

static APUS_CLONES double S(normalize)(void *vector, size_t count) {
  T *x = vector;
  const T square = S(dot_rows)(x, x, count), norm = __builtin_elementwise_sqrt(square);
  if (!(norm > 0)) return 0;
  const T inverse = 1 / norm;
  for (size_t i = 0; i < count; i++) x[i] *= inverse;
  return norm;
}

#undef TILE

const apus_pursuit_kernels *S(apus_pursuit)(void) {
  static const apus_pursuit_kernels table = {
      S(pursue), S(adopt), S(gather), S(scatter), S(combine), S(project), S(replace), S(normalize),
  };
  return &table;
}
