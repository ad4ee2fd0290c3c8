// Gathering, scattering and strided copies: memory traffic by the size of an element, whatever its type.
#include "CVectorKernels.h"

#include <string.h>

size_t apus_first_index_out_of_range(const ptrdiff_t *indices, size_t count, size_t extent) {
  // Whole blocks first, without a branch inside.
  for (size_t start = 0; start < count; start += 1024) {
    size_t end = start + 1024 < count ? start + 1024 : count;
    bool is_bad = false;
    for (size_t i = start; i < end; i++) is_bad |= (uint64_t)indices[i] >= extent;
    if (!is_bad) continue;
    for (size_t i = start; i < end; i++) {
      if ((uint64_t)indices[i] >= extent) return i;
    }
  }
  return count;
}

#define GATHER(U)                                                                                                     \
  {                                                                                                                   \
    const U *from = source;                                                                                           \
    U *to = result;                                                                                                   \
    for (size_t i = 0; i < count; i++) to[i] = from[indices[i]];                                                      \
    return;                                                                                                           \
  }

void apus_gather(size_t bytes, const void *source, const ptrdiff_t *indices, void *result, size_t count) {
  switch (bytes) {
    case 1: GATHER(uint8_t)
    case 2: GATHER(uint16_t)
    case 4: GATHER(uint32_t)
    case 8: GATHER(uint64_t)
    default:
      for (size_t i = 0; i < count; i++) {
        memcpy((char *)result + i * bytes, (const char *)source + (size_t)indices[i] * bytes, bytes);
      }
  }
}

#define COPY(U)                                                                                                       \
  {                                                                                                                   \
    const U *from = source;                                                                                           \
    U *to = result;                                                                                                   \
    for (ptrdiff_t i = 0; i < (ptrdiff_t)count; i++) to[i * result_stride] = from[i * source_stride];                 \
    return;                                                                                                           \
  }

void apus_copy_strided(size_t bytes, const void *source, ptrdiff_t source_stride, void *result, ptrdiff_t result_stride,
                       size_t count) {
  switch (bytes) {
    case 1: COPY(uint8_t)
    case 2: COPY(uint16_t)
    case 4: COPY(uint32_t)
    case 8: COPY(uint64_t)
  }
}

void apus_scatter_add_f32(const float *values, const ptrdiff_t *indices, float *result, size_t count) {
  for (size_t i = 0; i < count; i++) result[indices[i]] += values[i];
}

void apus_scatter_add_f64(const double *values, const ptrdiff_t *indices, double *result, size_t count) {
  for (size_t i = 0; i < count; i++) result[indices[i]] += values[i];
}
