// Compressed rows: what needs no scalar type, and the tables of what does.
#include "CSparseKernels.h"
#include "dispatch.h"

#include <math.h>

void apus_csr_product_counts(const apus_csr *a, const apus_csr *b, size_t first, size_t last, int32_t *marker,
                             int32_t *counts) {
  for (size_t i = first; i < last; i++) {
    int32_t count = 0;
    for (int32_t k = a->starts[i]; k < a->starts[i + 1]; k++) {
      size_t j = (size_t)a->indices[k];
      for (int32_t l = b->starts[j]; l < b->starts[j + 1]; l++) {
        int32_t column = b->indices[l];
        if (marker[column] == (int32_t)i) continue;
        marker[column] = (int32_t)i;
        count++;
      }
    }
    counts[i] = count;
  }
}

// Increasing order, in place: quicksort down to short runs, insertion for those.
static void sort_indices(int32_t *a, size_t count) {
  while (count > 24) {
    int32_t low = a[0], middle = a[count / 2], high = a[count - 1];
    int32_t pivot = low < middle ? (middle < high ? middle : low < high ? high : low)
                                 : (low < high ? low : middle < high ? high : middle);
    size_t i = 0, j = count - 1;
    for (;;) {
      while (a[i] < pivot) i++;
      while (a[j] > pivot) j--;
      if (i >= j) break;
      int32_t exchanged = a[i];
      a[i++] = a[j];
      a[j--] = exchanged;
    }
    // The shorter part by recursion, so that its depth stays logarithmic.
    size_t left = j + 1;
    if (left <= count - left) {
      sort_indices(a, left);
      a += left;
      count -= left;
    } else {
      sort_indices(a + left, count - left);
      count = left;
    }
  }
  for (size_t i = 1; i < count; i++) {
    int32_t moved = a[i];
    size_t j = i;
    for (; j > 0 && a[j - 1] > moved; j--) a[j] = a[j - 1];
    a[j] = moved;
  }
}

#define KERNELS "sparse.h"
#include "lanes.h"

#define TABLE(S)                                                                                                      \
  const apus_sparse_kernels *apus_sparse_##S(void) {                                                                  \
    static const apus_sparse_kernels table = {                                                                        \
        times_vector_##S, times_dense_##S,    transposed_times_vector_##S, transpose_##S,           distribute_##S,   \
        sum_duplicates_##S, add_##S,          product_##S,                 solve_triangle_##S,      sweep_##S,        \
        incomplete_cholesky_##S, incomplete_lu_##S, walsh_hadamard_##S, sampled_product_##S,                          \
    };                                                                                                                \
    return &table;                                                                                                    \
  }

TABLE(f32)
TABLE(f64)
