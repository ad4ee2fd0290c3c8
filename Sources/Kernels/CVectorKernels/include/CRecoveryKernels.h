// Kernels of low-rank and sparse recovery: least squares row by row over observed entries, measurements with their
// adjoint in one pass, and coordinate descent.
//
// Rows of factors and measurements are padded with zeros to whole lines of 64 bytes; `stride` is their length in elements.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "CSparseKernels.h"

#pragma clang assume_nonnull begin

/// How the rows of one factor are solved for, the other one given.
typedef struct {
  size_t rank;
  size_t stride;
  /// What is added to the diagonal of each row's normal equations.
  double ridge;
  /// Residuals above it count linearly (Huber); zero counts all of them squared.
  double huber;
  /// Steps of conjugate gradients: all of them, or at most as many with a tolerance.
  size_t steps;
  /// Relative gradient at which preconditioned steps end.
  double tolerance;
  size_t sketch_rows;
  uint64_t seed;
} apus_row_regression;

/// What a range of rows took.
typedef struct {
  double multiply_adds;
  /// Rows solved directly: because that was asked for, or because they are short or conjugate gradients got nowhere.
  size_t direct_rows;
} apus_row_regression_work;

typedef enum { APUS_LOSS_SQUARE = 0, APUS_LOSS_ABSOLUTE = 1, APUS_LOSS_HUBER = 2 } apus_loss;

typedef struct {
  /// Improves rows first ..< last of x by conjugate gradients on their normal equations, which are not formed. `scratch`
  /// has room for stride (2 rank + 8) + longest row + sketch_rows stride elements and starts at a multiple of 64 bytes, as
  /// `factor` and `x` do.
  void (*rows_by_gradients)(const apus_csr *a, size_t first, size_t last, const void *factor, void *x,
                            const apus_row_regression *settings, void *scratch, apus_row_regression_work *work);
  /// Solves the normal equations of each row.
  void (*rows_directly)(const apus_csr *a, size_t first, size_t last, const void *factor, void *x,
                        const apus_row_regression *settings, void *scratch, apus_row_regression_work *work);
  /// Conjugate gradients preconditioned by a sparse sketch of each row's equations.
  void (*rows_by_sketches)(const apus_csr *a, size_t first, size_t last, const void *factor, void *x,
                           const apus_row_regression *settings, void *scratch, apus_row_regression_work *work);
  /// The sum of squared differences of entries and products of rows; the differences too, if there is room for them.
  double (*row_residuals)(const apus_csr *a, size_t first, size_t last, const void *factor, const void *x,
                          size_t stride, void *_Nullable residuals);
  /// For measurements first ..< last: residuals r = A x - y, and sum += Aᵀ g with g the slope of the loss at r. Without
  /// `sum` the residuals alone.
  void (*residuals_and_adjoint)(const void *a, size_t first, size_t last, size_t stride, const void *x, const void *y,
                                apus_loss loss, double threshold, void *residuals, void *_Nullable sum);
  /// One sweep of coordinate descent for ½ ‖r‖² + penalty ‖θ‖₁ over the listed columns, which lie one a row of z.
  /// Keeps r = y - Zᵀ θ; returns the largest change of a coordinate times the norm of its column.
  double (*lasso_sweep)(const void *z, size_t stride, const int32_t *list, size_t count, const void *squares,
                        double penalty, void *coefficients, void *residual);
} apus_recovery_kernels;

const apus_recovery_kernels *apus_recovery_f32(void);
const apus_recovery_kernels *apus_recovery_f64(void);

#pragma clang assume_nonnull end
