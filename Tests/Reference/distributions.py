"""Reference values of distributions and polynomials, by mpmath at 40 digits: writes distributions.json beside itself.

Needs: mpmath.
"""
import json
import pathlib
import random

from mpmath import mp, mpf
import mpmath

mp.dps = 40
random.seed(3)


def student(t, n):
    t, n = mpf(t), mpf(n)
    tail = mpmath.betainc(n / 2, mpf(1) / 2, 0, n / (n + t * t), regularized=True) / 2
    return tail if t < 0 else 1 - tail


def chi_square(x, n):
    return mpmath.gammainc(mpf(n) / 2, 0, mpf(x) / 2, regularized=True)


def fisher(x, a, b):
    x, a, b = mpf(x), mpf(a), mpf(b)
    return mpmath.betainc(a / 2, b / 2, 0, a * x / (a * x + b), regularized=True)


def hermite_of_unit_variance(n, x):
    return mpmath.hermite(n, x / mpmath.sqrt(2)) / mpf(2) ** (mpf(n) / 2)


rows = {"student": [], "chiSquare": [], "fisher": [], "polynomials": []}
for n in [0.5, 1, 2, 3.5, 10, 47, 300]:
    for t in [-400, -35, -6.5, -2, -0.7, -1e-3, 0.2, 1.3, 4, 20]:
        rows["student"].append([t, n, float(student(t, n))])
    for x in [1e-6, 0.01, 0.4, 1.7, 5, 23, 90, 400]:
        value = chi_square(x, n)
        if value > mpf(10) ** -280:
            rows["chiSquare"].append([x, n, float(value)])
    for b in [1, 4, 33]:
        for x in [1e-4, 0.2, 0.9, 1.5, 8, 120]:
            rows["fisher"].append([x, n, b, float(fisher(x, n, b))])
for n in [0, 1, 2, 3, 7, 20, 41]:
    for x in [-0.95, -0.31, 0, 0.42, 0.999]:
        rows["polynomials"].append(
            [n, x]
            + [
                float(f)
                for f in (
                    mpmath.legendre(n, x),
                    mpmath.chebyt(n, x),
                    mpmath.chebyu(n, x),
                    mpmath.hermite(n, x),
                    hermite_of_unit_variance(n, mpf(x)),
                    mpmath.laguerre(n, 0, x),
                )
            ]
        )
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(rows, indent=None))
