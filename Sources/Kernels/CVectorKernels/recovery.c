// Low-rank and sparse recovery: the tables of what recovery.h writes for each scalar type.
#include "CRecoveryKernels.h"
#include "dispatch.h"

#include <math.h>

// A number that depends on its arguments alone, for signs and places of a sketch.
APUS_INLINE uint64_t sketch_word(uint64_t seed, uint64_t row, uint64_t entry) {
  uint64_t z = seed + row * 0x9E3779B97F4A7C15u + entry * 0xD1B54A32D192ED03u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

#define KERNELS "recovery.h"
#include "lanes.h"

#define TABLE(S)                                                                                                      \
  const apus_recovery_kernels *apus_recovery_##S(void) {                                                              \
    static const apus_recovery_kernels table = {                                                                      \
        rows_by_gradients_##S, rows_directly_##S,         rows_by_sketches_##S,                                       \
        row_residuals_##S,     residuals_and_adjoint_##S, lasso_sweep_##S,                                            \
    };                                                                                                                \
    return &table;                                                                                                    \
  }

TABLE(f32)
TABLE(f64)
