// Kernels for sparse coding over a dictionary, and for learning one.
//
// One table of functions for each scalar type. Signals, atoms and residuals are rows of row-major matrices of `width`
// columns. The code of a signal has room for `sparsity` entries, of which its count says how many are used. Signals are
// independent of each other: ranges of them may be worked on by several threads.
#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Orthogonal matching pursuit of many signals over one dictionary, from inner products alone.
typedef struct {
  size_t atoms;
  /// The length of a row of `gram`: `atoms` rounded up to a multiple of 64; what is beyond the atoms is zero.
  size_t leading;
  size_t sparsity;
  /// Stop when the squared residual is at most this, in absolute terms.
  double tolerance;
  /// Inner products of the atoms, [atoms, leading].
  const void *gram;
  /// Inner products of signals and atoms, [signals, atoms].
  const void *correlations;
  /// Squared norms of the signals.
  const void *squares;
} apus_pursuit;

/// Codes of signals, entries by increasing atom.
typedef struct {
  /// [signals, sparsity]
  int32_t *indices;
  /// [signals, sparsity]
  void *values;
  /// [signals]
  int32_t *counts;
} apus_codes;

/// One atom, the signals that use it, and what they would leave without it.
typedef struct {
  size_t width;
  /// [signals, width], all of them.
  void *residuals;
  /// The signals that use the atom, and where their coefficients are among the values of the codes.
  const int32_t *rows, *places;
  size_t count;
  /// [width]: as it was, and as it becomes.
  const void *previous;
  void *atom;
  /// [count]: as they were, and as they become.
  const void *coefficients;
  void *updated;
} apus_atom;

typedef struct {
  /// Codes of the signals first ..< last, and their squared residuals. `scratch` has room for
  /// (sparsity + 2) leading + sparsity (sparsity + 2) + leading / 16 numbers.
  void (*pursue)(const apus_pursuit *pursuit, size_t first, size_t last, const apus_codes *codes, void *squares,
                 void *scratch);
  /// Takes the codes of `candidates` for those signals first ..< last whose residual they make no larger, and updates
  /// residuals and their squares. `scratch` has room for a signal.
  void (*adopt)(size_t first, size_t last, size_t width, size_t sparsity, const void *signals, const void *dictionary,
                const apus_codes *candidates, const apus_codes *codes, void *residuals, void *squares, void *scratch);
  /// The coefficients of an atom among the values of the codes, and back.
  void (*gather)(const void *values, const int32_t *places, size_t count, void *coefficients);
  void (*scatter)(const void *coefficients, const int32_t *places, size_t count, void *values);
  /// Columns first ..< last of the sum of (residual + coefficient * previous) * updated over the atom's signals: what a
  /// power iteration makes of the atom, before it is normalised.
  void (*combine)(const apus_atom *atom, size_t first, size_t last);
  /// updated = (residual + coefficient * previous) . atom for number first ..< last of the atom's signals.
  void (*project)(const apus_atom *atom, size_t first, size_t last);
  /// residual += coefficient * previous - updated * atom, for the same.
  void (*replace)(const apus_atom *atom, size_t first, size_t last);
  /// Divides x by its norm, which is returned; leaves zero as it is.
  double (*normalize)(void *x, size_t count);
} apus_pursuit_kernels;

const apus_pursuit_kernels *apus_pursuit_f32(void);
const apus_pursuit_kernels *apus_pursuit_f64(void);

#pragma clang assume_nonnull end
