// The parts of libFuzzer's interface that Swift calls.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// Runs libFuzzer with a program's arguments; `body` returns 0.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*body)(const uint8_t *data, size_t count));

/// One of libFuzzer's own mutations, in place; returns the new count, at most `capacity`.
size_t LLVMFuzzerMutate(uint8_t *data, size_t count, size_t capacity);
