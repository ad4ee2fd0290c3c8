// Dispatch by instruction set, and the bits of floating-point numbers.
#pragma once

#include <stdint.h>
#include <string.h>

#pragma clang diagnostic ignored "-Wpass-failed"

// A function so marked is compiled for three x86 levels, and the dynamic linker takes the widest the processor has.
// ThreadSanitizer is not ready yet when the choice is made, and crashes. NEON needs no choice.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define APUS_PLAIN 1
#endif
#endif
#if defined(__x86_64__) && defined(__ELF__) && !defined(APUS_PLAIN)
#define APUS_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define APUS_CLONES
#endif

// Must end up inside the clone that uses it.
#define APUS_INLINE static inline __attribute__((always_inline, unused))

// The next loop reads and writes element i alone in its i-th turn: arrays may be one and the same.
// (Unoptimised and sanitised builds leave such loops alone, and should not warn of it.)
#define APUS_VECTORIZE _Pragma("clang loop vectorize(assume_safety)")

APUS_INLINE uint32_t bits_f32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

APUS_INLINE float float_from(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

APUS_INLINE uint64_t bits_f64(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

APUS_INLINE double double_from(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
