// Sliding windows for T = float or double. S(name) is name_f32 or name_f64. Included by convolution.c.

// MARK: Columns

// Places o = 0 ..< count of a run read start + o * stride; those inside 0 ..< extent are first ..< last.
APUS_INLINE void S(inside)(ptrdiff_t start, ptrdiff_t stride, ptrdiff_t extent, ptrdiff_t count, ptrdiff_t *first,
                           ptrdiff_t *last) {
  ptrdiff_t low = start < 0 ? (-start + stride - 1) / stride : 0;
  ptrdiff_t high = start < extent ? (extent - 1 - start) / stride + 1 : 0;
  *first = low < count ? low : count;
  *last = high < count ? high : count;
  if (*last < *first) *last = *first;
}

// Walks the runs of output windows along the last axis, for each channel and tap: BODY sees `run`, the columns' part,
// `line`, the input's line or NULL outside, `start`, where the run's first window reads it, and `count`.
#define FOR_EACH_RUN(IMAGE_T, COLUMN_T, ...)                                                                          \
  const apus_window_axis z = windows->axes[0], y = windows->axes[1], x = windows->axes[2];                            \
  const ptrdiff_t width = (ptrdiff_t)(last - first), plane = z.input * y.input * x.input;                             \
  COLUMN_T *row = columns;                                                                                            \
  for (size_t c = 0; c < channels; c++) {                                                                             \
    IMAGE_T *channel = (IMAGE_T *)image + (ptrdiff_t)c * plane;                                                       \
    for (ptrdiff_t tz = 0; tz < z.window; tz++)                                                                       \
      for (ptrdiff_t ty = 0; ty < y.window; ty++)                                                                     \
        for (ptrdiff_t tx = 0; tx < x.window; tx++, row += width) {                                                   \
          ptrdiff_t ox = (ptrdiff_t)first % x.output, oy = (ptrdiff_t)first / x.output % y.output;                    \
          ptrdiff_t oz = (ptrdiff_t)first / x.output / y.output;                                                      \
          for (ptrdiff_t p = 0; p < width;) {                                                                         \
            const ptrdiff_t iz = oz * z.stride - z.padding + tz * z.dilation;                                         \
            const ptrdiff_t iy = oy * y.stride - y.padding + ty * y.dilation;                                         \
            const ptrdiff_t start = ox * x.stride - x.padding + tx * x.dilation;                                      \
            const ptrdiff_t count = x.output - ox < width - p ? x.output - ox : width - p;                            \
            const int is_inside = iz >= 0 && iz < z.input && iy >= 0 && iy < y.input;                                 \
            IMAGE_T *line = is_inside ? channel + (iz * y.input + iy) * x.input : NULL;                               \
            COLUMN_T *run = row + p;                                                                                  \
            __VA_ARGS__;                                                                                              \
            p += count, ox = 0;                                                                                       \
            if (++oy == y.output) oy = 0, oz++;                                                                       \
          }                                                                                                           \
        }                                                                                                             \
  }

APUS_CLONES static void S(unfold)(const apus_windows *windows, size_t channels, size_t first, size_t last,
                                  const void *image, void *columns) {
  FOR_EACH_RUN(const T, T, {
    ptrdiff_t low = 0, high = 0;
    if (line) S(inside)(start, x.stride, x.input, count, &low, &high);
    for (ptrdiff_t i = 0; i < low; i++) run[i] = 0;
    const T *from = line ? line + start : NULL;
    if (x.stride == 1) {
      for (ptrdiff_t i = low; i < high; i++) run[i] = from[i];
    } else if (x.stride == 2) {
      for (ptrdiff_t i = low; i < high; i++) run[i] = from[2 * i];
    } else {
      for (ptrdiff_t i = low; i < high; i++) run[i] = from[i * x.stride];
    }
    for (ptrdiff_t i = high; i < count; i++) run[i] = 0;
  })
}

APUS_CLONES static void S(fold)(const apus_windows *windows, size_t channels, size_t first, size_t last,
                                const void *columns, void *image) {
  FOR_EACH_RUN(T, const T, {
    if (line) {
      ptrdiff_t low = 0, high = 0;
      S(inside)(start, x.stride, x.input, count, &low, &high);
      T *to = line + start;
      if (x.stride == 1) {
        APUS_VECTORIZE for (ptrdiff_t i = low; i < high; i++) to[i] += run[i];
      } else {
        for (ptrdiff_t i = low; i < high; i++) to[i * x.stride] += run[i];
      }
    }
  })
}

#undef FOR_EACH_RUN

// MARK: Maximum pooling, axis by axis

// Whether a number takes the place of the largest so far.
#define EXCEEDS(value, best) (((value) > (best)) | ((value) != (value)))

// Along the last axis of one line. The lines' windows are searched from the first place on, so a tie keeps the first.
APUS_CLONES static void S(pool_line)(const apus_window_axis *axis, const T *line, T *best, int32_t *index) {
  const apus_window_axis a = *axis;
  if (a.stride == 0) {
    for (ptrdiff_t o = 0; o < a.output; o++) {
      const window_span span = span_of(axis, o);
      ptrdiff_t at = span.first;
      for (ptrdiff_t i = at + 1; i < span.first + span.count; i++) at = EXCEEDS(line[i], line[at]) ? i : at;
      best[o] = line[at], index[o] = (int32_t)at;
    }
    return;
  }
  // The first place of each window, then place after place for all windows at once.
  for (ptrdiff_t o = 0; o < a.output; o++) {
    const ptrdiff_t start = o * a.stride - a.padding;
    const ptrdiff_t place = start < 0 ? start + (-start + a.dilation - 1) / a.dilation * a.dilation : start;
    best[o] = line[place], index[o] = (int32_t)place;
  }
  for (ptrdiff_t tap = 1; tap < a.window; tap++) {
    const ptrdiff_t start = tap * a.dilation - a.padding;
    ptrdiff_t low = 0, high = 0;
    S(inside)(start, a.stride, a.input, a.output, &low, &high);
    const T *from = line + start;
    if (a.stride == 2) {
      APUS_VECTORIZE for (ptrdiff_t o = low; o < high; o++) {
        const T value = from[2 * o];
        const int32_t place = (int32_t)(start + 2 * o);
        index[o] = EXCEEDS(value, best[o]) ? place : index[o];
        best[o] = EXCEEDS(value, best[o]) ? value : best[o];
      }
    } else {
      APUS_VECTORIZE for (ptrdiff_t o = low; o < high; o++) {
        const T value = from[o * a.stride];
        const int32_t place = (int32_t)(start + o * a.stride);
        index[o] = EXCEEDS(value, best[o]) ? place : index[o];
        best[o] = EXCEEDS(value, best[o]) ? value : best[o];
      }
    }
  }
}

// Along an axis whose places are rows of `width` candidates each; an index grows by `step` from row to row.
APUS_CLONES static void S(pool_rows)(const apus_window_axis *axis, ptrdiff_t width, ptrdiff_t step, const T *rows,
                                     const int32_t *row_indices, T *result, int32_t *indices) {
  for (ptrdiff_t o = 0; o < axis->output; o++) {
    const window_span span = span_of(axis, o);
    T *best = result + o * width;
    int32_t *index = indices + o * width;
    for (ptrdiff_t k = 0; k < span.count; k++) {
      const ptrdiff_t row = span.first + k * span.step;
      const int32_t base = (int32_t)(row * step);
      const T *value = rows + row * width;
      const int32_t *place = row_indices + row * width;
      if (k == 0) {
        for (ptrdiff_t i = 0; i < width; i++) best[i] = value[i], index[i] = place[i] + base;
      } else {
        APUS_VECTORIZE for (ptrdiff_t i = 0; i < width; i++) {
          index[i] = EXCEEDS(value[i], best[i]) ? place[i] + base : index[i];
          best[i] = EXCEEDS(value[i], best[i]) ? value[i] : best[i];
        }
      }
    }
  }
}

static void S(maximum_pool)(const apus_windows *windows, const void *plane, void *result, int32_t *indices,
                            void *scratch) {
  const apus_window_axis *z = &windows->axes[0], *y = &windows->axes[1], *x = &windows->axes[2];
  const ptrdiff_t lines = z->input * y->input, after_x = lines * x->output, after_y = z->input * y->output * x->output;
  const int is_line = lines == 1, is_flat = z->input == 1;
  T *best_x = is_line ? (T *)result : (T *)scratch;
  T *best_y = is_flat ? (T *)result : (T *)scratch + after_x;
  int32_t *spare = (int32_t *)((T *)scratch + after_x + after_y);
  int32_t *index_x = is_line ? indices : spare, *index_y = is_flat ? indices : spare + after_x;
  for (ptrdiff_t line = 0; line < lines; line++) {
    S(pool_line)(x, (const T *)plane + line * x->input, best_x + line * x->output, index_x + line * x->output);
  }
  if (is_line) return;
  for (ptrdiff_t iz = 0; iz < z->input; iz++) {
    const ptrdiff_t from = iz * y->input * x->output, to = iz * y->output * x->output;
    S(pool_rows)(y, x->output, x->input, best_x + from, index_x + from, best_y + to, index_y + to);
  }
  if (is_flat) return;
  S(pool_rows)(z, y->output * x->output, y->input * x->input, best_y, index_y, result, indices);
}

#undef EXCEEDS

static void S(gather)(const void *plane, const int32_t *indices, void *result, size_t count) {
  const T *from = plane;
  T *to = result;
  for (size_t i = 0; i < count; i++) to[i] = from[indices[i]];
}

static void S(scatter)(const void *values, const int32_t *indices, void *plane, size_t count) {
  const T *from = values;
  T *to = plane;
  for (size_t i = 0; i < count; i++) to[indices[i]] += from[i];
}

// MARK: Sparse maps along an axis

APUS_CLONES static void S(map_axis)(const apus_axis_map *map, size_t outer, size_t inner, const void *source,
                                    void *result) {
  const int32_t *starts = map->starts, *indices = map->indices;
  const T *weights = map->weights, *from = source;
  T *to = result;
  for (size_t b = 0; b < outer; b++, from += map->columns * inner) {
    if (inner == 1 && map->is_selection) {
      APUS_VECTORIZE for (size_t r = 0; r < map->rows; r++) to[r] = from[indices[r]];
      to += map->rows;
      continue;
    }
    for (size_t r = 0; r < map->rows; r++, to += inner) {
      const int32_t end = starts[r + 1];
      int32_t k = starts[r];
      if (inner == 1) {
        T sum = 0;
        for (; k < end; k++) sum += weights[k] * from[indices[k]];
        *to = sum;
        continue;
      }
      if (k == end) {
        for (size_t i = 0; i < inner; i++) to[i] = 0;
        continue;
      }
      const T first = weights[k];
      const T *row = from + (size_t)indices[k] * inner;
      for (size_t i = 0; i < inner; i++) to[i] = first * row[i];
      for (k++; k < end; k++) {
        const T weight = weights[k];
        row = from + (size_t)indices[k] * inner;
        APUS_VECTORIZE for (size_t i = 0; i < inner; i++) to[i] += weight * row[i];
      }
    }
  }
}
