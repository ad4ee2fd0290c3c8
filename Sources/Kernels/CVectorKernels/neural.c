// The fused loops of neural networks by scalar type.
#include "CNeuralKernels.h"

#define EACH_TYPE(DECLARE) DECLARE(float, f32) DECLARE(double, f64)

// `name`, with the parameters it has for scalar type T after the leading precision, calls name_f32 or name_f64.
#define CHOOSE(name, floats, doubles) (precision == APUS_F32 ? name##_f32 floats : name##_f64 doubles)

#define DECLARE(T, S)                                                                                                 \
  void apus_activate_##S(apus_activation f, T parameter, const T *x, T *result, size_t count);                        \
  void apus_activate_back_##S(apus_activation f, T parameter, const T *x, const T *g, T *result, size_t count);       \
  void apus_swiglu_##S(const T *gate, const T *up, T *result, size_t count);                                          \
  void apus_swiglu_back_##S(const T *gate, const T *up, const T *g, T *to_gate, T *to_up, size_t count);              \
  void apus_add_bias_##S(const T *bias, bool activates, apus_activation f, T parameter, T *x, size_t rows,            \
                         size_t columns);                                                                             \
  void apus_normalize_##S(bool centred, double epsilon, const T *x, const T *weight, const T *bias, T *result,        \
                          T *means, T *scales, size_t rows, size_t columns);                                          \
  void apus_normalize_back_##S(bool centred, const T *x, const T *weight, const T *g, const T *means,                 \
                               const T *scales, T *to_x, T *to_weight, T *to_bias, size_t rows, size_t columns);      \
  void apus_masked_softmax_##S(T *scores, size_t rows, size_t columns, size_t first, size_t step, const bool *mask);  \
  void apus_masked_softmax_back_##S(const T *p, T *g, size_t rows, size_t columns, size_t first, size_t step);        \
  void apus_rotate_##S(const T *x, const T *cosines, const T *sines, T sign, T *result, size_t positions,             \
                       size_t heads, size_t half);                                                                    \
  void apus_cross_entropy_##S(const T *logits, const ptrdiff_t *labels, T *losses, T *logarithms, size_t rows,        \
                              size_t columns);                                                                        \
  void apus_cross_entropy_back_##S(const T *logits, const ptrdiff_t *labels, const T *logarithms, const T *g,         \
                                   T *result, size_t rows, size_t columns);
EACH_TYPE(DECLARE)

void apus_activate(apus_precision precision, apus_activation f, double parameter, const void *x, void *result,
                   size_t count) {
  CHOOSE(apus_activate, (f, (float)parameter, x, result, count), (f, parameter, x, result, count));
}

void apus_activate_back(apus_precision precision, apus_activation f, double parameter, const void *x, const void *g,
                        void *result, size_t count) {
  CHOOSE(apus_activate_back, (f, (float)parameter, x, g, result, count), (f, parameter, x, g, result, count));
}

#define SAME(name, ...) CHOOSE(name, (__VA_ARGS__), (__VA_ARGS__))

void apus_swiglu(apus_precision precision, const void *gate, const void *up, void *result, size_t count) {
  SAME(apus_swiglu, gate, up, result, count);
}

void apus_swiglu_back(apus_precision precision, const void *gate, const void *up, const void *g, void *to_gate,
                      void *to_up, size_t count) {
  SAME(apus_swiglu_back, gate, up, g, to_gate, to_up, count);
}

void apus_add_bias(apus_precision precision, const void *bias, bool activates, apus_activation f, double parameter,
                   void *x, size_t rows, size_t columns) {
  CHOOSE(apus_add_bias, (bias, activates, f, (float)parameter, x, rows, columns),
         (bias, activates, f, parameter, x, rows, columns));
}

void apus_normalize(apus_precision precision, bool centred, double epsilon, const void *x, const void *weight,
                    const void *bias, void *result, void *means, void *scales, size_t rows, size_t columns) {
  SAME(apus_normalize, centred, epsilon, x, weight, bias, result, means, scales, rows, columns);
}

void apus_normalize_back(apus_precision precision, bool centred, const void *x, const void *weight, const void *g,
                         const void *means, const void *scales, void *to_x, void *to_weight, void *to_bias,
                         size_t rows, size_t columns) {
  SAME(apus_normalize_back, centred, x, weight, g, means, scales, to_x, to_weight, to_bias, rows, columns);
}

void apus_masked_softmax(apus_precision precision, void *scores, size_t rows, size_t columns, size_t first, size_t step,
                         const bool *mask) {
  SAME(apus_masked_softmax, scores, rows, columns, first, step, mask);
}

void apus_masked_softmax_back(apus_precision precision, const void *p, void *g, size_t rows, size_t columns,
                              size_t first, size_t step) {
  SAME(apus_masked_softmax_back, p, g, rows, columns, first, step);
}

void apus_rotate(apus_precision precision, const void *x, const void *cosines, const void *sines, bool inverse,
                 void *result, size_t positions, size_t heads, size_t half) {
  SAME(apus_rotate, x, cosines, sines, inverse ? -1 : 1, result, positions, heads, half);
}

void apus_cross_entropy(apus_precision precision, const void *logits, const ptrdiff_t *labels, void *losses,
                        void *logarithms, size_t rows, size_t columns) {
  SAME(apus_cross_entropy, logits, labels, losses, logarithms, rows, columns);
}

void apus_cross_entropy_back(apus_precision precision, const void *logits, const ptrdiff_t *labels,
                             const void *logarithms, const void *g, void *result, size_t rows, size_t columns) {
  SAME(apus_cross_entropy_back, logits, labels, logarithms, g, result, rows, columns);
}
