// The rules of COptimizerKernels.h, for T = float or double; S(name) is name_f32 or name_f64.

typedef void (*S(rule_loop))(const apus_rule *rule, const T *parameter, const T *gradient, void *const *slots,
                             T *result, size_t first, size_t last);

// A loop over the elements. `slots` declares the arrays of state; `body` computes `direction` from g.
#define RULE(name, slots, body)                                                                                       \
  APUS_CLONES static void S(name)(const apus_rule *rule, const T *parameter, const T *gradient, void *const *slot,    \
                                  T *result, size_t first, size_t last) {                                             \
    const T rate = (T)rule->rate, kept = (T)rule->kept, decay = (T)rule->decay;                                       \
    const T first_decay = (T)rule->first_decay, first_share = (T)rule->first_share;                                   \
    const T first_correction = (T)rule->first_correction, second_decay = (T)rule->second_decay;                       \
    const T second_share = (T)rule->second_share, second_correction = (T)rule->second_correction;                     \
    const T third_share = (T)rule->third_share, mixture = (T)rule->mixture, stability = (T)rule->stability;           \
    (void)first_decay, (void)first_share, (void)first_correction, (void)second_decay, (void)second_share;             \
    (void)second_correction, (void)third_share, (void)mixture, (void)stability, (void)slot;                           \
    slots;                                                                                                            \
    APUS_VECTORIZE for (size_t i = first; i < last; i++) {                                                            \
      const T g = gradient[i] + decay * parameter[i];                                                                 \
      T direction;                                                                                                    \
      body;                                                                                                           \
      result[i] = kept * parameter[i] - rate * direction;                                                             \
    }                                                                                                                 \
  }

#define ONE T *a = slot[0]
#define TWO T *a = slot[0], *b = slot[1]
#define THREE T *a = slot[0], *b = slot[1], *c = slot[2]
#define ROOT(x) __builtin_elementwise_sqrt(x)
#define LARGER(x, y) ((x) < (y) ? (y) : (x))

RULE(descent, (void)0, direction = g)

RULE(momentum, ONE, {
  const T moved = first_decay * a[i] + first_share * g;
  a[i] = moved;
  direction = mixture * g + first_correction * moved;
})

RULE(adam, TWO, {
  const T mean = a[i] + first_share * (g - a[i]);
  const T square = second_decay * b[i] + second_share * g * g;
  a[i] = mean;
  b[i] = square;
  direction = first_correction * mean / (second_correction * ROOT(square) + stability);
})

RULE(adam_largest, THREE, {
  const T mean = a[i] + first_share * (g - a[i]);
  const T square = second_decay * b[i] + second_share * g * g;
  const T largest = LARGER(c[i], square);
  a[i] = mean;
  b[i] = square;
  c[i] = largest;
  direction = first_correction * mean / (second_correction * ROOT(largest) + stability);
})

RULE(root_mean_square, ONE, {
  const T square = second_decay * a[i] + second_share * g * g;
  a[i] = square;
  direction = g / (ROOT(square) + stability);
})

// Rounding can make the variance negative where all gradients were equal.
RULE(root_mean_square_centered, TWO, {
  const T square = second_decay * a[i] + second_share * g * g;
  const T mean = b[i] + second_share * (g - b[i]);
  a[i] = square;
  b[i] = mean;
  const T variance = square - mean * mean;
  direction = g / (ROOT(variance < 0 ? 0 : variance) + stability);
})

RULE(root_mean_square_momentum, TWO, {
  const T square = second_decay * a[i] + second_share * g * g;
  a[i] = square;
  direction = first_decay * b[i] + g / (ROOT(square) + stability);
  b[i] = direction;
})

RULE(root_mean_square_centered_momentum, THREE, {
  const T square = second_decay * a[i] + second_share * g * g;
  const T mean = b[i] + second_share * (g - b[i]);
  a[i] = square;
  b[i] = mean;
  const T variance = square - mean * mean;
  direction = first_decay * c[i] + g / (ROOT(variance < 0 ? 0 : variance) + stability);
  c[i] = direction;
})

// The sign of zero is zero, and that of NaN is NaN.
RULE(sign, ONE, {
  const T mixed = first_decay * a[i] + first_share * g;
  a[i] = second_decay * a[i] + second_share * g;
  direction = mixed > 0 ? 1 : mixed < 0 ? -1 : mixed;
})

RULE(adam_mixed, THREE, {
  const T mean = a[i] + first_share * (g - a[i]);
  const T square = second_decay * b[i] + second_share * g * g;
  const T slow = c[i] + third_share * (g - c[i]);
  a[i] = mean;
  b[i] = square;
  c[i] = slow;
  direction = (first_correction * mean + mixture * slow) / (second_correction * ROOT(square) + stability);
})

static const S(rule_loop) S(rule_loops)[] = {
    [APUS_RULE_DESCENT] = S(descent),
    [APUS_RULE_MOMENTUM] = S(momentum),
    [APUS_RULE_ADAM] = S(adam),
    [APUS_RULE_ADAM_LARGEST] = S(adam_largest),
    [APUS_RULE_ROOT_MEAN_SQUARE] = S(root_mean_square),
    [APUS_RULE_ROOT_MEAN_SQUARE_CENTERED] = S(root_mean_square_centered),
    [APUS_RULE_ROOT_MEAN_SQUARE_MOMENTUM] = S(root_mean_square_momentum),
    [APUS_RULE_ROOT_MEAN_SQUARE_CENTERED_MOMENTUM] = S(root_mean_square_centered_momentum),
    [APUS_RULE_SIGN] = S(sign),
    [APUS_RULE_ADAM_MIXED] = S(adam_mixed),
};

#undef RULE
#undef ONE
#undef TWO
#undef THREE
#undef ROOT
#undef LARGER
