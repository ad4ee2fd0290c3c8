// The functions are in the toolchain's libFuzzer.
#include "CLibFuzzer.h"
