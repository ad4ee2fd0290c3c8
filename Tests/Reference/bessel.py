"""Reference values of log I_v(x), log K_v(x) and I_{v+1}/I_v to 17 digits: writes bessel.json.

I comes from mpmath. K comes from its integral by the trapezoidal rule in long arithmetic, for mpmath's besselk loses all
digits at large orders that are not whole."""

import json
import random

import mpmath as mp

mp.mp.dps = 40


def log_k(v, x):
    r, peak = mp.sqrt(v * v + x * x), mp.asinh(v / x)
    step = mp.mpf(1) / 10 / max(1, mp.sqrt(r))
    total = mp.mpf(1)
    for sign in (1, -1):
        j = 1
        while True:
            s = sign * j * step
            exponent = r * (mp.cosh(s) - 1) + v * (mp.sinh(s) - s)
            if exponent > 95:
                break
            total += mp.exp(-exponent)
            j += 1
    return v * peak - r + mp.log(step / 2 * total)


def row(v, x):
    v, x = mp.mpf(v), mp.mpf(x)
    i = mp.besseli(v, x)
    return [float(v), float(x)] + [float(y) for y in (mp.log(i), log_k(v, x), mp.besseli(v + 1, x) / i)]


random.seed(1)
rows = []
for k in range(700):
    v, x = 10 ** random.uniform(-3, 3.3), 10 ** random.uniform(-3, 3.3)
    if k % 4 == 0:  # where log I and log K pass through zero
        x = v * random.uniform(0.5, 0.85)
    rows.append(row(v, x))
for v in (0, 0.5, 1, 24.9, 25.1, 59.9, 60.1, 119.9, 120.1, 299.9, 300.1):  # borders of the regions, and whole orders
    rows.append(row(v, 1.999999))
    rows.append(row(v, 2.000001))
with open("Tests/Reference/bessel.json", "w") as file:
    file.write("[" + ",\n".join(json.dumps(r) for r in rows) + "]\n")
