// Weights rounded to a few bits.
#include "CQuantizationKernels.h"
#include "dispatch.h"

APUS_INLINE size_t end_of_block(size_t first, size_t block, size_t count) {
  return count - first < block ? count : first + block;
}

// Sixteen weights at a time, so that the minima of a block depend on no other before its end.
typedef float weights16 __attribute__((vector_size(64), aligned(4)));

APUS_CLONES void apus_block_extremes(const float *weights, size_t count, size_t block, float *smallest,
                                     float *largest) {
  for (size_t first = 0, number = 0; first < count; first += block, number++) {
    const size_t end = end_of_block(first, block, count);
    float low = weights[first], high = low;
    size_t i = first;
    if (end - first >= 16) {
      weights16 lows = *(const weights16 *)(weights + first), highs = lows;
      for (i += 16; i + 16 <= end; i += 16) {
        const weights16 next = *(const weights16 *)(weights + i);
        lows = __builtin_elementwise_min(lows, next);
        highs = __builtin_elementwise_max(highs, next);
      }
      // Both at once: the largest of each half of a vector.
      const weights16 both = __builtin_elementwise_max(
          __builtin_shufflevector(highs, -lows, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
          __builtin_shufflevector(highs, -lows, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
      const weights16 four = __builtin_elementwise_max(
          both, __builtin_shufflevector(both, both, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
      const weights16 two = __builtin_elementwise_max(
          four, __builtin_shufflevector(four, four, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
      high = two[0] > two[1] ? two[0] : two[1];
      low = -(two[8] > two[9] ? two[8] : two[9]);
    }
    for (; i < end; i++) {
      low = weights[i] < low ? weights[i] : low;
      high = weights[i] > high ? weights[i] : high;
    }
    smallest[number] = low;
    largest[number] = high;
  }
}

// A quotient by a block's scale; 0 / 1 for a block of zeros.
APUS_INLINE float divisor(float scale) { return scale > 0 ? scale : 1; }

APUS_CLONES void apus_grid_codes(const float *weights, size_t count, size_t block, const float *scales,
                                 const float *zeros, float low, float high, uint8_t mask, uint8_t *codes) {
  for (size_t first = 0, number = 0; first < count; first += block, number++) {
    const size_t end = end_of_block(first, block, count);
    const float scale = divisor(scales[number]), zero = zeros ? zeros[number] : 0;
    for (size_t i = first; i < end; i++) {
      float steps = __builtin_elementwise_roundeven(weights[i] / scale) + zero;
      steps = steps > low ? steps : low;
      steps = steps < high ? steps : high;
      codes[i] = (uint8_t)(int32_t)steps & mask;
    }
  }
}

APUS_CLONES void apus_table_codes(const float *weights, size_t count, size_t block, const float *scales,
                                  const float *borders, size_t border_count, uint8_t *codes) {
  // The least 2^k - 1 that is not below the number of borders; those missing are above every number.
  float padded[255];
  size_t places = 1;
  while (places < border_count) places = 2 * places + 1;
  for (size_t b = 0; b < places; b++) padded[b] = b < border_count ? borders[b] : __builtin_inff();
  for (size_t first = 0, number = 0; first < count; first += block, number++) {
    const size_t end = end_of_block(first, block, count);
    const float scale = divisor(scales[number]);
    if (places <= 15) {
      // Fewer comparisons than a search would take look-ups.
      for (size_t i = first; i < end; i++) {
        const float x = weights[i] / scale;
        int32_t code = 0;
        for (size_t b = 0; b < places; b++) code += padded[b] < x;
        codes[i] = (uint8_t)code;
      }
    } else {
      for (size_t i = first; i < end; i++) {
        const float x = weights[i] / scale;
        uint32_t code = 0;
        for (uint32_t half = (uint32_t)(places + 1) / 2; half > 0; half /= 2)
          code += padded[code + half - 1] < x ? half : 0;
        codes[i] = (uint8_t)code;
      }
    }
  }
}

APUS_CLONES void apus_code_values(const uint8_t *codes, size_t count, size_t block, const float *table,
                                  const float *scales, const float *zeros, float *weights) {
  for (size_t first = 0, number = 0; first < count; first += block, number++) {
    const size_t end = end_of_block(first, block, count);
    const float scale = scales[number], zero = zeros ? zeros[number] : 0;
    APUS_VECTORIZE
    for (size_t i = first; i < end; i++) weights[i] = (table[codes[i]] - zero) * scale;
  }
}

APUS_CLONES void apus_pack_codes(const uint8_t *codes, size_t count, unsigned bits, uint8_t *bytes) {
  size_t i = 0;
  if (bits == 8) {
    memcpy(bytes, codes, count);
    return;
  }
  // Two or four codes are read as one number, whose parts move together.
  if (bits == 4) {
    for (; i + 2 <= count; i += 2) {
      uint16_t pair;
      memcpy(&pair, codes + i, sizeof pair);
      bytes[i / 2] = (uint8_t)(pair | pair >> 4);
    }
  } else if (bits == 2) {
    for (; i + 4 <= count; i += 4) {
      uint32_t four;
      memcpy(&four, codes + i, sizeof four);
      bytes[i / 4] = (uint8_t)(four | four >> 6 | four >> 12 | four >> 18);
    }
  }
  // Eight codes fill `bits` bytes.
  for (; i < count; i += 8) {
    const size_t some = count - i < 8 ? count - i : 8;
    uint64_t word = 0;
    for (size_t k = 0; k < some; k++) word |= (uint64_t)codes[i + k] << (bits * k);
    for (size_t k = 0; 8 * k < some * bits; k++) bytes[i * bits / 8 + k] = (uint8_t)(word >> (8 * k));
  }
}

APUS_CLONES void apus_unpack_codes(const uint8_t *bytes, size_t count, unsigned bits, uint8_t *codes) {
  size_t i = 0;
  const uint8_t mask = (uint8_t)((1u << bits) - 1);
  if (bits == 8) {
    memcpy(codes, bytes, count);
    return;
  }
  if (bits == 4) {
    for (; i + 2 <= count; i += 2) {
      const uint16_t byte = bytes[i / 2], pair = (byte | byte << 4) & 0x0f0f;
      memcpy(codes + i, &pair, sizeof pair);
    }
  } else if (bits == 2) {
    for (; i + 4 <= count; i += 4) {
      const uint32_t byte = bytes[i / 4], four = (byte | byte << 6 | byte << 12 | byte << 18) & 0x03030303;
      memcpy(codes + i, &four, sizeof four);
    }
  }
  for (; i < count; i += 8) {
    const size_t some = count - i < 8 ? count - i : 8;
    uint64_t word = 0;
    for (size_t k = 0; 8 * k < some * bits; k++) word |= (uint64_t)bytes[i * bits / 8 + k] << (8 * k);
    for (size_t k = 0; k < some; k++) codes[i + k] = (uint8_t)(word >> (bits * k)) & mask;
  }
}
