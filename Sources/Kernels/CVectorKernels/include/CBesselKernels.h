// Logarithms of modified Bessel functions of real order v >= 0 and argument x >= 0.
//
// A stride of zero repeats one number. NaN comes of negative or not-a-number arguments.
#pragma once

#include <stddef.h>

#pragma clang assume_nonnull begin

/// y = log I_v(x), to a few units in 1e-16 max(1, |y|).
void apus_log_bessel_i(const double *v, size_t stride_v, const double *x, size_t stride_x, double *y, size_t count);
/// y = log K_v(x), to a few units in 1e-16 max(1, |y|).
void apus_log_bessel_k(const double *v, size_t stride_v, const double *x, size_t stride_x, double *y, size_t count);
/// y = I_{v+1}(x) / I_v(x), to a few units in the last place.
void apus_bessel_ratio(const double *v, size_t stride_v, const double *x, size_t stride_x, double *y, size_t count);
/// Which formula is used: 0 ... 3 for the uniform expansion of order 4, 6, 9, 13; 4 and 5 for series and integral;
/// 6 for Temme's series; 7 for arguments at the ends.
int apus_bessel_region(double v, double x);

#pragma clang assume_nonnull end
