// Sliding windows: what needs no scalar type, and the tables of what does.
#include "CConvolutionKernels.h"
#include "dispatch.h"

// The places of one window that lie inside the axis.
typedef struct {
  ptrdiff_t first, count, step;
} window_span;

APUS_INLINE window_span span_of(const apus_window_axis *a, ptrdiff_t o) {
  if (a->stride == 0) {
    const ptrdiff_t first = o * a->input / a->output, end = ((o + 1) * a->input + a->output - 1) / a->output;
    return (window_span){first, end - first, 1};
  }
  const ptrdiff_t start = o * a->stride - a->padding, step = a->dilation;
  const ptrdiff_t skipped = start < 0 ? (-start + step - 1) / step : 0, first = start + skipped * step;
  const ptrdiff_t fitting = first < a->input ? (a->input - 1 - first) / step + 1 : 0, left = a->window - skipped;
  return (window_span){first, fitting < left ? fitting : left, step};
}

#define T float
#define S(name) name##_f32
#include "convolution.h"
#undef T
#undef S

#define T double
#define S(name) name##_f64
#include "convolution.h"
#undef T
#undef S

#define TABLE(S)                                                                                                      \
  const apus_window_kernels *apus_windows_##S(void) {                                                                 \
    static const apus_window_kernels table = {                                                                        \
        unfold_##S, fold_##S, maximum_pool_##S, gather_##S, scatter_##S, map_axis_##S,                                \
    };                                                                                                                \
    return &table;                                                                                                    \
  }

TABLE(f32)
TABLE(f64)
