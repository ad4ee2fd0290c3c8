"""Writes Sources/Kernels/CVectorKernels/bessel_tables.h: Debye's polynomials and the reciprocal gamma function's series,
from exact rationals and 60-digit arithmetic."""

from fractions import Fraction

import mpmath as mp

mp.mp.dps = 60
ORDER = 13


def debye(order):
    """u_0 ... u_order as coefficients of t (DLMF 10.41.9)."""
    polynomials = [[Fraction(1)]]
    for _ in range(order):
        u = polynomials[-1]
        derivative = [k * c for k, c in enumerate(u)][1:] or [Fraction(0)]
        nxt = [Fraction(0)] * (len(u) + 4)
        for k, c in enumerate(derivative):  # t^2 (1 - t^2) u' / 2
            nxt[k + 2] += c / 2
            nxt[k + 4] -= c / 2
        for k, c in enumerate(u):  # integral of (1 - 5 s^2) u / 8
            nxt[k + 1] += c / (8 * (k + 1))
            nxt[k + 3] -= 5 * c / (8 * (k + 3))
        polynomials.append(nxt)
    return polynomials


def literal(x):
    return float(mp.mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else x).hex()


def row(name, values, comment):
    body = ", ".join(literal(v) for v in values)
    return f"// {comment}\nstatic const double {name}[{len(values)}] = {{{body}}};\n"


out = "// Made by Tests/Reference/bessel_tables.py.\n#pragma once\n\n"
polynomials = debye(ORDER)
out += "// u_k(t) = t^k (c[0] + c[1] t^2 + ... + c[k] t^2k), in row k - 1.\n"
out += f"static const double debye[{ORDER}][{ORDER + 1}] = {{\n"
for k in range(1, ORDER + 1):
    u = polynomials[k]
    out += "    {" + ", ".join(literal(u[k + 2 * j]) for j in range(k + 1)) + "},\n"
out += "};\n\n"
series = mp.taylor(lambda z: mp.rgamma(1 + z), 0, 24)
out += row("reciprocal_gamma_even", series[0:22:2], "(1/Gamma(1 + z) + 1/Gamma(1 - z)) / 2 by powers of z^2.")
out += row("reciprocal_gamma_odd", series[1:23:2], "(1/Gamma(1 + z) - 1/Gamma(1 - z)) / (2 z) by powers of z^2.")
centre = mp.mpf("3.125")
high = float(mp.log(centre))
out += f"// log(3.125), in two parts.\nstatic const double log_centre_high = {high.hex()}, "
out += f"log_centre_low = {float(mp.log(centre) - high).hex()};\n"
out += row("cosh_minus_one", [mp.cosh(mp.mpf(j) / 7) - 1 for j in range(32)], "cosh(j / 7) - 1.")
out += row("exp_sevenths", [mp.exp(mp.mpf(j) / 7) for j in range(32)], "exp(j / 7).")
open("Sources/Kernels/CVectorKernels/bessel_tables.h", "w").write(out)
