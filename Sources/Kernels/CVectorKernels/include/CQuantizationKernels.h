// Kernels for weights rounded to a few bits: scales of blocks, codes, and codes packed without gaps.
//
// A row of `count` weights has a block for every `block` of them, the last one shorter where they do not fit.
#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The smallest and the largest weight of each block.
void apus_block_extremes(const float *weights, size_t count, size_t block, float *smallest, float *largest);

/// code = min(max(round(weight / scale) + zero, low), high), ties to even, of which the bits of `mask` stay. Where the
/// scale is zero, so is the quotient. Without `zeros` they count as zero.
void apus_grid_codes(const float *weights, size_t count, size_t block, const float *scales,
                     const float *_Nullable zeros, float low, float high, uint8_t mask, uint8_t *codes);

/// code = how many of the increasing `borders`, at most 255, lie below weight / scale.
void apus_table_codes(const float *weights, size_t count, size_t block, const float *scales, const float *borders,
                      size_t border_count, uint8_t *codes);

/// weight = (table[code] - zero) scale.
void apus_code_values(const uint8_t *codes, size_t count, size_t block, const float *table, const float *scales,
                      const float *_Nullable zeros, float *weights);

/// Codes of 1 to 8 bits, the lowest bits of a byte first; what is left of the last byte is zero.
void apus_pack_codes(const uint8_t *codes, size_t count, unsigned bits, uint8_t *bytes);
/// Reads `count` codes, the first of which begins with `bytes`.
void apus_unpack_codes(const uint8_t *bytes, size_t count, unsigned bits, uint8_t *codes);

#pragma clang assume_nonnull end
