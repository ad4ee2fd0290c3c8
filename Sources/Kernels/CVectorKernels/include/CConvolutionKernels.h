// Loops over windows that slide along up to three spatial axes: convolutions by columns, pooling, resampling.
//
// Fewer axes are written as leading axes of extent one. Pointers to numbers are untyped so that one table serves f32
// and f64. Indices are those of a plane of the input: one channel of one image.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Windows along one axis: number o covers the places o * stride - padding + k * dilation, k = 0 ..< window, as far as
/// they lie in 0 ..< input. A stride of zero splits the axis instead into `output` windows of nearly equal extent.
typedef struct {
  ptrdiff_t input, output, window, stride, padding, dilation;
} apus_window_axis;

typedef struct {
  apus_window_axis axes[3];
} apus_windows;

/// A sparse matrix that acts along one axis: row r has the entries starts[r] ..< starts[r + 1]. In a selection each row
/// has one entry of weight one.
typedef struct {
  size_t rows, columns;
  bool is_selection;
  const int32_t *starts, *indices;
  const void *weights;
} apus_axis_map;

typedef struct {
  /// columns[c * taps + tap][p - first] is what tap `tap` of output window p sees of channel c; zero outside. Output
  /// windows first ..< last, counted in row-major order.
  void (*unfold)(const apus_windows *windows, size_t channels, size_t first, size_t last, const void *image,
                 void *columns);
  /// Adds such columns to the places that they were taken from.
  void (*fold)(const apus_windows *windows, size_t channels, size_t first, size_t last, const void *columns,
               void *image);
  /// The largest number under each window of one plane, and where the first such lies; the last NaN if there is one.
  /// Every window must hold a place. `scratch` has room for axes[0].input * (axes[1].input + axes[1].output) *
  /// axes[2].output numbers and as many indices.
  void (*maximum_pool)(const apus_windows *windows, const void *plane, void *result, int32_t *indices, void *scratch);
  /// result[i] = plane[indices[i]].
  void (*gather)(const void *plane, const int32_t *indices, void *result, size_t count);
  /// plane[indices[i]] += values[i], in order.
  void (*scatter)(const void *values, const int32_t *indices, void *plane, size_t count);
  /// result[b][r][i] = sum over the row's entries of weight * source[b][index][i].
  void (*map_axis)(const apus_axis_map *map, size_t outer, size_t inner, const void *source, void *result);
} apus_window_kernels;

const apus_window_kernels *apus_windows_f32(void);
const apus_window_kernels *apus_windows_f64(void);

#pragma clang assume_nonnull end
