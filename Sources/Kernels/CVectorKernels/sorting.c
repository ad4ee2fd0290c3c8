// Sorting by radix: each pass distributes the elements by eleven bits of a key whose order as an unsigned integer is the
// order of the numbers. Stable, and linear in the number of elements.
#include "CVectorKernels.h"

#include <string.h>

#define DIGIT 11
#define BUCKETS (1 << DIGIT)

// The order of floating-point numbers is that of their bits, once negative ones are flipped. NaN comes last whatever its
// sign; with `descending` the order is turned round by complementing the key, which leaves equal elements as they were.
#define DEFINE_KEYS(T, S, U, SIGN)                                                                                    \
  static inline U key_##S(T x) {                                                                                      \
    U bits;                                                                                                           \
    memcpy(&bits, &x, sizeof bits);                                                                                   \
    if (x != x) return (U)~(U)0;                                                                                      \
    return bits & SIGN ? (U)~bits : (U)(bits | SIGN);                                                                 \
  }                                                                                                                   \
  static inline T value_##S(U key) {                                                                                  \
    U bits = key & SIGN ? (U)(key & ~SIGN) : (U)~key;                                                                 \
    T x;                                                                                                              \
    memcpy(&x, &bits, sizeof bits);                                                                                   \
    return x;                                                                                                         \
  }

DEFINE_KEYS(float, f32, uint32_t, 0x80000000u)
DEFINE_KEYS(double, f64, uint64_t, 0x8000000000000000u)

// How many keys have each value of each digit, as positions of their first one; tells whether a pass would move anything.
static bool starts(uint32_t counts[BUCKETS], size_t count) {
  uint32_t total = 0;
  bool moves = true;
  for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
    uint32_t here = counts[bucket];
    if (here == count) moves = false;
    counts[bucket] = total;
    total += here;
  }
  return moves;
}

#define DEFINE_SORT(T, S, U, PASSES)                                                                                  \
  void apus_sort_##S(T *a, size_t count, bool descending, void *scratch) {                                            \
    uint32_t counts[PASSES][BUCKETS];                                                                                 \
    memset(counts, 0, sizeof counts);                                                                                 \
    U *from = scratch, *to = from + count, flip = descending ? (U)~(U)0 : 0;                                          \
    for (size_t i = 0; i < count; i++) {                                                                              \
      U key = key_##S(a[i]) ^ flip;                                                                                   \
      from[i] = key;                                                                                                  \
      for (int pass = 0; pass < PASSES; pass++) counts[pass][key >> pass * DIGIT & (BUCKETS - 1)]++;                  \
    }                                                                                                                 \
    for (int pass = 0; pass < PASSES; pass++) {                                                                       \
      if (!starts(counts[pass], count)) continue;                                                                     \
      for (size_t i = 0; i < count; i++) to[counts[pass][from[i] >> pass * DIGIT & (BUCKETS - 1)]++] = from[i];       \
      U *other = from;                                                                                                \
      from = to, to = other;                                                                                          \
    }                                                                                                                 \
    for (size_t i = 0; i < count; i++) {                                                                              \
      U key = from[i] ^ flip;                                                                                         \
      a[i] = value_##S(key);                                                                                          \
    }                                                                                                                 \
  }

DEFINE_SORT(float, f32, uint32_t, 3)
DEFINE_SORT(double, f64, uint64_t, 6)

// Keys and positions travel together: in one word for f32, in two for f64. Zeros of either sign are equal.
typedef struct { uint64_t key, position; } keyed_position;

void apus_argsort_f32(const float *a, size_t count, bool descending, size_t first, ptrdiff_t *result, void *scratch) {
  uint32_t counts[3][BUCKETS], flip = descending ? ~0u : 0;
  memset(counts, 0, sizeof counts);
  uint64_t *from = scratch, *to = from + count;
  for (size_t i = 0; i < count; i++) {
    uint32_t key = key_f32(a[i] + 0.0f) ^ flip;
    from[i] = (uint64_t)key << 32 | (uint32_t)i;
    for (int pass = 0; pass < 3; pass++) counts[pass][key >> pass * DIGIT & (BUCKETS - 1)]++;
  }
  for (int pass = 0; pass < 3; pass++) {
    if (!starts(counts[pass], count)) continue;
    for (size_t i = 0; i < count; i++) to[counts[pass][from[i] >> (32 + pass * DIGIT) & (BUCKETS - 1)]++] = from[i];
    uint64_t *other = from;
    from = to, to = other;
  }
  for (size_t i = 0; i < count; i++) result[i] = (ptrdiff_t)((from[i] & 0xFFFFFFFFu) + first);
}

void apus_argsort_f64(const double *a, size_t count, bool descending, size_t first, ptrdiff_t *result, void *scratch) {
  uint32_t counts[6][BUCKETS];
  uint64_t flip = descending ? ~(uint64_t)0 : 0;
  memset(counts, 0, sizeof counts);
  keyed_position *from = scratch, *to = from + count;
  for (size_t i = 0; i < count; i++) {
    uint64_t key = key_f64(a[i] + 0.0) ^ flip;
    from[i] = (keyed_position){key, i + first};
    for (int pass = 0; pass < 6; pass++) counts[pass][key >> pass * DIGIT & (BUCKETS - 1)]++;
  }
  for (int pass = 0; pass < 6; pass++) {
    if (!starts(counts[pass], count)) continue;
    for (size_t i = 0; i < count; i++) to[counts[pass][from[i].key >> pass * DIGIT & (BUCKETS - 1)]++] = from[i];
    keyed_position *other = from;
    from = to, to = other;
  }
  for (size_t i = 0; i < count; i++) result[i] = (ptrdiff_t)from[i].position;
}

// MARK: Merging two sorted runs, from the front or from the back

// In order: a before b, where NaN counts as largest.
#define DEFINE_MERGE(T, S)                                                                                            \
  static inline bool before_##S(T a, T b, bool descending) {                                                          \
    return descending ? (b < a || (a != a && b == b)) : (a < b || (b != b && a == a));                                \
  }                                                                                                                   \
  void apus_merge_##S(const T *a, size_t left, size_t right, bool descending, bool from_front, T *result,             \
                      size_t count) {                                                                                 \
    const T *b = a + left;                                                                                            \
    if (from_front) {                                                                                                 \
      size_t i = 0, j = 0;                                                                                            \
      for (size_t k = 0; k < count; k++) {                                                                            \
        bool takes_b = i == left || (j < right && before_##S(b[j], a[i], descending));                                \
        result[k] = takes_b ? b[j] : a[i];                                                                            \
        j += takes_b, i += !takes_b;                                                                                  \
      }                                                                                                               \
    } else {                                                                                                          \
      size_t i = left, j = right;                                                                                     \
      for (size_t k = left + right; k-- > left + right - count;) {                                                    \
        bool takes_a = j == 0 || (i > 0 && before_##S(b[j - 1], a[i - 1], descending));                               \
        result[k] = takes_a ? a[i - 1] : b[j - 1];                                                                    \
        i -= takes_a, j -= !takes_a;                                                                                  \
      }                                                                                                               \
    }                                                                                                                 \
  }                                                                                                                   \
  void apus_merge_positions_##S(const T *keys, const ptrdiff_t *a, size_t left, size_t right, bool descending,          \
                                bool from_front, ptrdiff_t *result, size_t count) {                                     \
    const ptrdiff_t *b = a + left;                                                                                      \
    if (from_front) {                                                                                                 \
      size_t i = 0, j = 0;                                                                                            \
      for (size_t k = 0; k < count; k++) {                                                                            \
        bool takes_b = i == left || (j < right && before_##S(keys[b[j]], keys[a[i]], descending));                    \
        result[k] = takes_b ? b[j] : a[i];                                                                            \
        j += takes_b, i += !takes_b;                                                                                  \
      }                                                                                                               \
    } else {                                                                                                          \
      size_t i = left, j = right;                                                                                     \
      for (size_t k = left + right; k-- > left + right - count;) {                                                    \
        bool takes_a = j == 0 || (i > 0 && before_##S(keys[b[j - 1]], keys[a[i - 1]], descending));                   \
        result[k] = takes_a ? a[i - 1] : b[j - 1];                                                                    \
        i -= takes_a, j -= !takes_a;                                                                                  \
      }                                                                                                               \
    }                                                                                                                 \
  }

DEFINE_MERGE(float, f32)
DEFINE_MERGE(double, f64)
