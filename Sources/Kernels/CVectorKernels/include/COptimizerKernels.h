// Steps of first-order optimizers: one pass over parameter, gradient and state, each element by itself.
#pragma once

#include <stddef.h>

#pragma clang assume_nonnull begin

/// The rules. With g = gradient + decay * parameter, each makes a direction d from g and its slots of state, updates
/// those, and sets
///
///     result = kept * parameter - rate * d.
///
/// Slots and constants, by rule:
typedef enum {
  /// d = g. No slots.
  APUS_RULE_DESCENT,
  /// b = first_decay * b + first_share * g; d = mixture * g + first_correction * b. Slot b.
  APUS_RULE_MOMENTUM,
  /// m += first_share * (g - m); v = second_decay * v + second_share * g^2;
  /// d = first_correction * m / (second_correction * sqrt(v) + stability). Slots m, v.
  APUS_RULE_ADAM,
  /// The same with the largest v so far in its place. Slots m, v, and that.
  APUS_RULE_ADAM_LARGEST,
  /// v = second_decay * v + second_share * g^2; d = g / (sqrt(v) + stability). Slot v.
  APUS_RULE_ROOT_MEAN_SQUARE,
  /// The same with v less the square of m, m += second_share * (g - m). Slots v, m.
  APUS_RULE_ROOT_MEAN_SQUARE_CENTERED,
  /// b = first_decay * b + g / (sqrt(v) + stability); d = b. Slots v, b; centered: v, m, b.
  APUS_RULE_ROOT_MEAN_SQUARE_MOMENTUM,
  APUS_RULE_ROOT_MEAN_SQUARE_CENTERED_MOMENTUM,
  /// d = sign(first_decay * m + first_share * g); m = second_decay * m + second_share * g. Slot m.
  APUS_RULE_SIGN,
  /// As Adam, with a slower n += third_share * (g - n):
  /// d = (first_correction * m + mixture * n) / (second_correction * sqrt(v) + stability). Slots m, v, n.
  APUS_RULE_ADAM_MIXED
} apus_rule_kind;

typedef struct {
  apus_rule_kind kind;
  double rate, kept, decay;
  double first_decay, first_share, first_correction;
  double second_decay, second_share, second_correction;
  double third_share, mixture, stability;
} apus_rule;

/// Applies a rule to the elements first ..< last of arrays of f32 or f64: `bytes` is 4 or 8. `result` may be the
/// parameter itself. An element's result does not depend on its place, so arrays may be cut anywhere.
void apus_apply_rule(const apus_rule *rule, size_t bytes, const void *parameter, const void *gradient,
                     void *_Nullable const *_Nonnull slots, void *result, size_t first, size_t last);

#pragma clang assume_nonnull end
