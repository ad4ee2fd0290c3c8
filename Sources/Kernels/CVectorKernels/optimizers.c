// The steps of first-order optimizers, in both scalar types.
#include "CVectorKernels.h"
#include "dispatch.h"

#define T float
#define S(name) name##_f32
#include "optimizer_rules.h"
#undef T
#undef S

#define T double
#define S(name) name##_f64
#include "optimizer_rules.h"
#undef T
#undef S

void apus_apply_rule(const apus_rule *rule, size_t bytes, const void *parameter, const void *gradient,
                     void *const *slots, void *result, size_t first, size_t last) {
  if (bytes == sizeof(float)) {
    rule_loops_f32[rule->kind](rule, parameter, gradient, slots, result, first, last);
  } else {
    rule_loops_f64[rule->kind](rule, parameter, gradient, slots, result, first, last);
  }
}
