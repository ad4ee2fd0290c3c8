// Compressed rows of T = float or double; LANES elements fill 64 bytes.

// One vector of 64 bytes, wherever it lies in memory, and one at a multiple of 64.
typedef T S(lanes) __attribute__((vector_size(64), aligned(sizeof(T))));
typedef T S(line) __attribute__((vector_size(64)));

// MARK: Products

static APUS_CLONES void S(times_vector)(const apus_csr *a, size_t first, size_t last, const void *operand,
                                        void *result) {
  const int32_t *starts = a->starts, *indices = a->indices;
  const T *values = a->values, *x = operand;
  T *y = result;
  size_t k = (size_t)starts[first];
  for (size_t i = first; i < last; i++) {
    size_t end = (size_t)starts[i + 1];
    if (end - k < 16) {
      // One sum in order: the processor overlaps short rows by itself, and this keeps the compiler from gathering their
      // elements into vectors, which takes longer than to load them one by one.
      T sum = 0;
      _Pragma("clang loop unroll(disable)")
      for (; k < end; k++) sum += values[k] * x[indices[k]];
      y[i] = sum;
      continue;
    }
    T sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    for (; k + 4 <= end; k += 4) {
      sum0 += values[k] * x[indices[k]];
      sum1 += values[k + 1] * x[indices[k + 1]];
      sum2 += values[k + 2] * x[indices[k + 2]];
      sum3 += values[k + 3] * x[indices[k + 3]];
    }
    for (; k < end; k++) sum0 += values[k] * x[indices[k]];
    y[i] = (sum0 + sum1) + (sum2 + sum3);
  }
}

// One row of the product over `count` vectors of columns, kept in registers while the entries go by.
APUS_INLINE void S(row_times_tile)(const int32_t *indices, const T *values, size_t entries, const T *x, size_t width,
                                   T *y, size_t count, bool streaming) {
  S(line) sums[8];
  for (size_t v = 0; v < count; v++) sums[v] = (S(line)){0};
  for (size_t k = 0; k < entries; k++) {
    const T *row = x + (size_t)indices[k] * width;
    T value = values[k];
    for (size_t v = 0; v < count; v++) sums[v] += value * *(const S(lanes) *)(row + v * LANES);
  }
  for (size_t v = 0; v < count; v++) {
    if (streaming) __builtin_nontemporal_store(sums[v], (S(line) *)(y + v * LANES));
    else *(S(lanes) *)(y + v * LANES) = sums[v];
  }
}

static APUS_CLONES void S(times_dense)(const apus_csr *a, size_t first, size_t last, const void *operand, size_t width,
                                       void *result, bool streaming) {
  const int32_t *starts = a->starts;
  for (size_t i = first; i < last; i++) {
    const int32_t *indices = a->indices + starts[i];
    const T *values = (const T *)a->values + starts[i];
    size_t entries = (size_t)(starts[i + 1] - starts[i]);
    const T *x = operand;
    T *y = (T *)result + i * width;
    size_t rest = width;
    for (; rest >= 8 * LANES; rest -= 8 * LANES, x += 8 * LANES, y += 8 * LANES)
      S(row_times_tile)(indices, values, entries, x, width, y, 8, streaming);
    if (rest >= 4 * LANES) {
      S(row_times_tile)(indices, values, entries, x, width, y, 4, streaming);
      rest -= 4 * LANES, x += 4 * LANES, y += 4 * LANES;
    }
    for (; rest >= LANES; rest -= LANES, x += LANES, y += LANES)
      S(row_times_tile)(indices, values, entries, x, width, y, 1, streaming);
    if (rest == 0) continue;
    T sums[LANES] = {0};
    for (size_t k = 0; k < entries; k++) {
      const T *row = x + (size_t)indices[k] * width;
      for (size_t j = 0; j < rest; j++) sums[j] += values[k] * row[j];
    }
    for (size_t j = 0; j < rest; j++) y[j] = sums[j];
  }
#if defined(__x86_64__)
  if (streaming) __builtin_ia32_sfence();
#endif
}

// Inner products of rows of two dense operands at the places of a matrix.
static APUS_CLONES void S(sampled_product)(const apus_csr *a, size_t first, size_t last, const void *left,
                                           const void *right, size_t width, void *result) {
  const int32_t *starts = a->starts, *indices = a->indices;
  T *values = result;
  for (size_t i = first; i < last; i++) {
    const T *x = (const T *)left + i * width;
    for (int32_t k = starts[i]; k < starts[i + 1]; k++) {
      const T *y = (const T *)right + (size_t)indices[k] * width;
      S(line) sum0 = {0}, sum1 = {0};
      size_t j = 0;
      for (; j + 2 * LANES <= width; j += 2 * LANES) {
        sum0 += *(const S(lanes) *)(x + j) * *(const S(lanes) *)(y + j);
        sum1 += *(const S(lanes) *)(x + j + LANES) * *(const S(lanes) *)(y + j + LANES);
      }
      sum0 += sum1;
      T sum = 0;
      for (size_t l = 0; l < LANES; l++) sum += sum0[l];
      for (; j < width; j++) sum += x[j] * y[j];
      values[k] = sum;
    }
  }
}

static APUS_CLONES void S(transposed_times_vector)(const apus_csr *a, size_t first, size_t last, const void *operand,
                                                   void *result, size_t offset) {
  const int32_t *starts = a->starts, *indices = a->indices;
  const T *values = a->values, *x = operand;
  T *y = result;
  for (size_t i = first; i < last; i++) {
    T factor = x[i];
    for (int32_t k = starts[i]; k < starts[i + 1]; k++) y[(size_t)indices[k] - offset] += values[k] * factor;
  }
}

static void S(product)(const apus_csr *a, const apus_csr *b, size_t first, size_t last, const int32_t *starts,
                       int32_t *indices, void *result, int32_t *marker, void *scratch) {
  const T *a_values = a->values, *b_values = b->values;
  T *values = result, *sums = scratch;
  for (size_t i = first; i < last; i++) {
    int32_t *row = indices + starts[i];
    size_t count = 0;
    for (int32_t k = a->starts[i]; k < a->starts[i + 1]; k++) {
      size_t j = (size_t)a->indices[k];
      T factor = a_values[k];
      for (int32_t l = b->starts[j]; l < b->starts[j + 1]; l++) {
        int32_t column = b->indices[l];
        if (marker[column] < 0) {
          marker[column] = 0;
          sums[column] = factor * b_values[l];
          row[count++] = column;
        } else {
          sums[column] += factor * b_values[l];
        }
      }
    }
    sort_indices(row, count);
    for (size_t k = 0; k < count; k++) {
      values[(size_t)starts[i] + k] = sums[row[k]];
      marker[row[k]] = -1;
    }
  }
}

// MARK: Rearrangement

// Turns the counts in starts[1 ...] into starts.
APUS_INLINE void S(accumulate)(int32_t *starts, size_t extent) {
  starts[0] = 0;
  for (size_t i = 0; i < extent; i++) starts[i + 1] += starts[i];
}

// Undoes the advance of starts[i] to its row's end.
APUS_INLINE void S(rewind)(int32_t *starts, size_t extent) {
  for (size_t i = extent; i > 0; i--) starts[i] = starts[i - 1];
  starts[0] = 0;
}

static void S(transpose)(const apus_csr *a, size_t columns, int32_t *starts, int32_t *indices, void *result) {
  const T *entries = a->values;
  T *values = result;
  size_t count = (size_t)a->starts[a->rows];
  memset(starts, 0, (columns + 1) * sizeof *starts);
  for (size_t k = 0; k < count; k++) starts[a->indices[k] + 1]++;
  S(accumulate)(starts, columns);
  for (size_t i = 0; i < a->rows; i++) {
    for (int32_t k = a->starts[i]; k < a->starts[i + 1]; k++) {
      int32_t place = starts[a->indices[k]]++;
      indices[place] = (int32_t)i;
      values[place] = entries[k];
    }
  }
  S(rewind)(starts, columns);
}

static void S(distribute)(size_t count, const ptrdiff_t *keys, const ptrdiff_t *others, const void *source,
                          size_t extent, int32_t *starts, int32_t *indices, void *result) {
  const T *entries = source;
  T *values = result;
  memset(starts, 0, (extent + 1) * sizeof *starts);
  for (size_t k = 0; k < count; k++) starts[keys[k] + 1]++;
  S(accumulate)(starts, extent);
  for (size_t k = 0; k < count; k++) {
    int32_t place = starts[keys[k]]++;
    indices[place] = (int32_t)others[k];
    values[place] = entries[k];
  }
  S(rewind)(starts, extent);
}

static size_t S(sum_duplicates)(size_t rows, int32_t *starts, int32_t *indices, void *entries) {
  T *values = entries;
  int32_t kept = 0, k = 0;
  for (size_t i = 0; i < rows; i++) {
    int32_t end = starts[i + 1], row = kept;
    starts[i] = row;
    for (; k < end; k++) {
      if (kept > row && indices[kept - 1] == indices[k]) {
        values[kept - 1] += values[k];
      } else {
        indices[kept] = indices[k];
        values[kept++] = values[k];
      }
    }
  }
  starts[rows] = kept;
  return (size_t)kept;
}

static size_t S(add)(const apus_csr *a, double alpha, const apus_csr *b, double beta, int32_t *starts,
                     int32_t *indices, void *result) {
  const T *a_values = a->values, *b_values = b->values;
  T *values = result;
  T s = (T)alpha, t = (T)beta;
  int32_t count = 0;
  starts[0] = 0;
  for (size_t i = 0; i < a->rows; i++) {
    int32_t k = a->starts[i], k_end = a->starts[i + 1], l = b->starts[i], l_end = b->starts[i + 1];
    while (k < k_end || l < l_end) {
      int32_t left = k < k_end ? a->indices[k] : INT32_MAX, right = l < l_end ? b->indices[l] : INT32_MAX;
      indices[count] = left < right ? left : right;
      T sum = 0;
      if (left <= right) sum = s * a_values[k++];
      if (right <= left) sum += t * b_values[l++];
      values[count++] = sum;
    }
    starts[i + 1] = count;
  }
  return (size_t)count;
}

// MARK: Triangles and sweeps

// x[i] -= value * x[j], for rows of `width` elements.
APUS_INLINE void S(subtract_row)(T *x, size_t i, size_t j, T value, size_t width) {
  T *to = x + i * width;
  const T *from = x + j * width;
  for (size_t c = 0; c < width; c++) to[c] -= value * from[c];
}

APUS_INLINE ptrdiff_t S(solve_rows)(const apus_csr *a, bool upper, bool transposed, bool unit_diagonal, T *x,
                                    size_t width) {
  const T *values = a->values;
  // Rows of T go from the first on when it is lower; its transpose is the other triangle.
  bool backward = upper != transposed;
  for (size_t step = 0; step < a->rows; step++) {
    size_t i = backward ? a->rows - 1 - step : step;
    int32_t first = a->starts[i], last = a->starts[i + 1], diagonal = (int32_t)i;
    T pivot = 0;
    // Sorted columns: those of the triangle come first (lower) or last (upper), the diagonal next to the others.
    int32_t begin = first, end = last;
    if (upper) {
      while (begin < last && a->indices[begin] < diagonal) begin++;
      if (begin < last && a->indices[begin] == diagonal) pivot = values[begin++];
    } else {
      while (end > first && a->indices[end - 1] > diagonal) end--;
      if (end > first && a->indices[end - 1] == diagonal) pivot = values[--end];
    }
    if (unit_diagonal) pivot = 1;
    if (pivot == 0) return (ptrdiff_t)i;
    if (!transposed) {
      for (int32_t k = begin; k < end; k++) S(subtract_row)(x, i, (size_t)a->indices[k], values[k], width);
    }
    if (!unit_diagonal) {
      for (size_t c = 0; c < width; c++) x[i * width + c] /= pivot;
    }
    if (transposed) {
      for (int32_t k = begin; k < end; k++) S(subtract_row)(x, (size_t)a->indices[k], i, values[k], width);
    }
  }
  return -1;
}

static APUS_CLONES ptrdiff_t S(solve_triangle)(const apus_csr *a, bool upper, bool transposed, bool unit_diagonal,
                                               void *x, size_t width) {
  if (width == 1) return S(solve_rows)(a, upper, transposed, unit_diagonal, x, 1);
  return S(solve_rows)(a, upper, transposed, unit_diagonal, x, width);
}

static APUS_CLONES void S(sweep)(const apus_csr *a, const void *inverse_diagonal, double relaxation, bool backward,
                                 const void *right_side, void *solution, size_t width) {
  const T *values = a->values, *inverse = inverse_diagonal, *b = right_side;
  T *x = solution, omega = (T)relaxation;
  for (size_t step = 0; step < a->rows; step++) {
    size_t i = backward ? a->rows - 1 - step : step;
    T factor = omega * inverse[i];
    int32_t first = a->starts[i], last = a->starts[i + 1];
    if (width == 1) {
      T rest = b[i];
      for (int32_t k = first; k < last; k++) rest -= values[k] * x[a->indices[k]];
      x[i] += factor * rest;
      continue;
    }
    for (size_t c = 0; c < width; c++) {
      T rest = b[i * width + c];
      for (int32_t k = first; k < last; k++) rest -= values[k] * x[(size_t)a->indices[k] * width + c];
      x[i * width + c] += factor * rest;
    }
  }
}

// MARK: Incomplete factors

static ptrdiff_t S(incomplete_cholesky)(size_t rows, const int32_t *starts, const int32_t *indices, void *entries) {
  T *values = entries;
  for (size_t i = 0; i < rows; i++) {
    int32_t first = starts[i], diagonal = starts[i + 1] - 1;
    if (diagonal < first || indices[diagonal] != (int32_t)i) return (ptrdiff_t)i;
    T pivot = values[diagonal];
    for (int32_t k = first; k < diagonal; k++) {
      // Row j is finished: (L L^T)[i][j] = A[i][j] gives L[i][j].
      size_t j = (size_t)indices[k];
      int32_t l = starts[j], l_end = starts[j + 1] - 1, m = first;
      T sum = values[k];
      while (l < l_end && m < k) {
        if (indices[l] == indices[m]) sum -= values[l++] * values[m++];
        else if (indices[l] < indices[m]) l++;
        else m++;
      }
      values[k] = sum / values[l_end];
      pivot -= values[k] * values[k];
    }
    if (!(pivot > 0)) return (ptrdiff_t)i;
    values[diagonal] = (T)sqrt((double)pivot);
  }
  return -1;
}

static ptrdiff_t S(incomplete_lu)(size_t rows, const int32_t *starts, const int32_t *indices, void *entries,
                                  int32_t *marker) {
  T *values = entries;
  for (size_t i = 0; i < rows; i++) {
    int32_t first = starts[i], end = starts[i + 1];
    for (int32_t k = first; k < end; k++) marker[indices[k]] = k;
    for (int32_t k = first; k < end && indices[k] < (int32_t)i; k++) {
      // Subtract the multiple of row j's upper part that eliminates column j; fill is dropped.
      size_t j = (size_t)indices[k];
      int32_t l = starts[j];
      while (indices[l] < (int32_t)j) l++;
      T factor = values[k] / values[l];
      values[k] = factor;
      for (l++; l < starts[j + 1]; l++) {
        int32_t place = marker[indices[l]];
        if (place >= 0) values[place] -= factor * values[l];
      }
    }
    int32_t diagonal = marker[i];
    for (int32_t k = first; k < end; k++) marker[indices[k]] = -1;
    if (diagonal < 0 || values[diagonal] == 0) return (ptrdiff_t)i;
  }
  return -1;
}

#include "walsh_hadamard.h"
