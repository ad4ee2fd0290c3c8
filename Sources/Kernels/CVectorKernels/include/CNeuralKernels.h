// Fused loops of neural networks: activations, normalisation, attention's softmax, rotary positions, cross-entropy.
//
// Each function takes its scalar type as the first argument; the arrays behind `void *` are of that type, contiguous and
// row-major. Functions named _back turn the derivative with respect to a result (`g`) into that with respect to an
// argument. Results may be the array of an argument of the same size. Nothing here allocates or starts a thread, and a
// value does not depend on the machine's vector length.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { APUS_F32, APUS_F64 } apus_precision;

// The parameter is the slope below zero of the leaky ReLU, and the limit -parameter of the ELU.
typedef enum {
  APUS_GELU, APUS_GELU_TANH, APUS_SILU, APUS_MISH, APUS_ELU, APUS_SELU, APUS_LEAKY_RELU
} apus_activation;

/// result = f(x).
void apus_activate(apus_precision precision, apus_activation f, double parameter, const void *x, void *result,
                   size_t count);
/// result = g f'(x).
void apus_activate_back(apus_precision precision, apus_activation f, double parameter, const void *x, const void *g,
                        void *result, size_t count);

/// result = silu(gate) up.
void apus_swiglu(apus_precision precision, const void *gate, const void *up, void *result, size_t count);
void apus_swiglu_back(apus_precision precision, const void *gate, const void *up, const void *g, void *to_gate,
                      void *to_up, size_t count);

/// x[r, c] += bias[c] in place, then f(x) where `activates`.
void apus_add_bias(apus_precision precision, const void *bias, bool activates, apus_activation f, double parameter,
                   void *x, size_t rows, size_t columns);

/// result = (x - mean) scale weight + bias for each row, where scale = 1 / sqrt(mean((x - mean)^2) + epsilon), and mean
/// is zero unless `centred`. weight and bias may be NULL; means and scales hold one number a row.
void apus_normalize(apus_precision precision, bool centred, double epsilon, const void *x, const void *weight,
                    const void *bias, void *result, void *means, void *scales, size_t rows, size_t columns);
/// to_x = the derivative towards x; what falls on the weight and the bias is added to `to_weight` and `to_bias`, which
/// may be NULL.
void apus_normalize_back(apus_precision precision, bool centred, const void *x, const void *weight, const void *g,
                         const void *means, const void *scales, void *to_x, void *to_weight, void *to_bias,
                         size_t rows, size_t columns);

/// The softmax of each row of scores, in place. Row r sees its first min(columns, first + step r) columns, and of those
/// the ones that `mask` allows (all, if it is NULL); the others become zero. A row that sees nothing is all zeros.
void apus_masked_softmax(apus_precision precision, void *scores, size_t rows, size_t columns, size_t first, size_t step,
                         const bool *mask);
/// g becomes p (g - sum(p g)), row by row, for p = softmax(...) as above.
void apus_masked_softmax_back(apus_precision precision, const void *p, void *g, size_t rows, size_t columns,
                              size_t first, size_t step);

/// Turns the pairs (x[i], x[i + half]) of each head by angles whose cosines and sines [positions, half] are given; by
/// their negatives when `inverse`. x has the shape [positions, heads, 2 half].
void apus_rotate(apus_precision precision, const void *x, const void *cosines, const void *sines, bool inverse,
                 void *result, size_t positions, size_t heads, size_t half);

/// losses = log(sum(exp(row))) - row[label]; the logarithms too.
void apus_cross_entropy(apus_precision precision, const void *logits, const ptrdiff_t *labels, void *losses,
                        void *logarithms, size_t rows, size_t columns);
/// result = g (softmax(row) - onehot(label)), with one g a row.
void apus_cross_entropy_back(apus_precision precision, const void *logits, const ptrdiff_t *labels,
                             const void *logarithms, const void *g, void *result, size_t rows, size_t columns);
