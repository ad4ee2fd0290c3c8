// CBLAS and the Fortran LAPACK symbols of OpenBLAS, as Swift can read them.
//
// C's `_Complex` reaches Swift as an opaque pointer; plain structs of the same size and layout do not. Only OpenBLAS is
// linked: it exports every LAPACK symbol itself, and Debian's liblapack would go through the alternatives system.
#pragma once

typedef struct { float real, imaginary; } apus_complex_float;
typedef struct { double real, imaginary; } apus_complex_double;

#define LAPACK_COMPLEX_CUSTOM
#define lapack_complex_float apus_complex_float
#define lapack_complex_double apus_complex_double

#include <cblas.h>
#include <lapack.h>
