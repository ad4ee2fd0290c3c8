// Normalisation of channels in f32 and f64.
#include "CNormalizationKernels.h"
#include "dispatch.h"

#include <stdbool.h>

// Multiplication and addition stay apart, so that the way back finds the sign that the way forth found.
#pragma STDC FP_CONTRACT OFF

#define V(name) name##_wide
#define NARROW 0
#include "functions_single.h"
#undef V
#undef NARROW

APUS_INLINE float sigmoid_f32(float x) { return 1 / (1 + exp_single(-x)); }
APUS_INLINE double sigmoid_f64(double x) { return sigmoid_wide(x); }

#define KERNELS "normalization.h"
#include "lanes.h"
