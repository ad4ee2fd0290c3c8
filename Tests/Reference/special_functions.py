"""Reference values of special functions, to 17 digits, by mpmath: writes special_functions.json beside itself.

Arguments are the exact values of the doubles that the tests use. Needs: mpmath.
"""
import json
import pathlib
import random

from mpmath import mp, mpf
import mpmath

mp.dps = 50
random.seed(7)


def log_uniform(low, high):
    return float(10 ** mpf(random.uniform(low, high)))


def table(function, arguments):
    rows = []
    for args in arguments:
        value = float(function(*map(mpf, args)))
        if value == value and abs(value) != float("inf") and (value == 0 or abs(value) > 1e-290):
            rows.append([*args, value])
    return rows


def gamma_p(a, x):
    if a > 1e4:
        return 1 - gamma_q(a, x)
    return mpmath.gammainc(a, 0, x, regularized=True)


def gamma_q(a, x):
    if a > 1e4:  # the density of x = a exp(t) over t, by quadrature around its mode
        def density(t):
            return mpmath.exp(a * (t - mpmath.expm1(t)))
        width = 1 / mpmath.sqrt(a)
        start = mpmath.log(x / a)
        def mass(low, high):
            return mpmath.quad(density, [low + (high - low) * i / 12 for i in range(13)])
        return mass(start, 40 * width) / mass(-40 * width, 40 * width)
    return mpmath.gammainc(a, x, mpmath.inf, regularized=True)


def beta(a, b, x):
    if x > (a + 1) / (a + b + 2):
        return 1 - mpmath.betainc(b, a, 0, 1 - x, regularized=True)
    return mpmath.betainc(a, b, 0, x, regularized=True)


def quantile(p):
    return -mpmath.sqrt(2) * erfc_inverse(2 * p)


def erfc_inverse(y):
    if y > 1:
        return -erfc_inverse(2 - y)
    x = mpmath.erfinv(1 - y) if y > mpf("1e-15") else mpmath.sqrt(-mpmath.log(y))
    for _ in range(200):
        step = (mpmath.log(mpmath.erfc(x)) - mpmath.log(y)) / (
            -2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-x * x) / mpmath.erfc(x))
        x -= step
        if abs(step) < mpf(10) ** -40:
            break
    return x


def gauss_legendre(n, i):
    n, i = int(n), int(i)
    x = mpmath.cos(mpmath.pi * (i + mpf("0.75")) / (n + mpf("0.5")))
    for _ in range(8):
        p, q = mpmath.legendre(n, x), mpmath.legendre(n - 1, x)
        x -= p * (x * x - 1) / (n * (x * p - q))
    slope = n * (x * mpmath.legendre(n, x) - mpmath.legendre(n - 1, x)) / (x * x - 1)
    return x, 2 / ((1 - x * x) * slope**2)


def gauss_hermite(n):
    with mpmath.workdps(60):
        matrix = mpmath.zeros(n)
        for k in range(1, n):
            matrix[k, k - 1] = matrix[k - 1, k] = mpmath.sqrt(mpf(k) / 2)
        nodes = mpmath.eigsy(matrix, eigvals_only=True)
        rows = []
        for x in nodes:
            previous, current, total = mpf(0), mpmath.pi ** (mpf(-1) / 4), mpf(0)
            for k in range(n):
                total += current**2
                previous, current = current, (
                    mpmath.sqrt(mpf(2) / (k + 1)) * x * current - mpmath.sqrt(mpf(k) / (k + 1)) * previous)
            rows.append([float(x) if abs(x) > mpf(10) ** -40 else 0.0, float(1 / total)])
        return rows


signed = [(x,) for x in [0.1, 0.5, 1.0, 1.4616, 1.45, 1.4616321449683622, 1.5, 2.0, 3.7, 11.9, 12.0, 100.0, 1e6, 1e-8,
                         1e-200, -0.5, -1e-5, -1.3, -7.25, -30.9, -100.4]]
signed += [(random.uniform(-20, 30),) for _ in range(60)]

shapes = [1e-6, 0.01, 0.3, 0.5, 1.0, 1.5, 3.0, 9.9, 10.0, 42.0, 300.0, 5000.0]
gammas = [(a, a * f) for a in shapes for f in [1e-3, 0.1, 0.5, 0.9, 0.99, 1.0, 1.01, 1.1, 2.0, 5.0]]
gammas += [(a, x) for a in shapes[:7] for x in [1e-10, 0.2, 0.7, 0.999, 1.0, 1.2, 3.0, 30.0, 200.0, 600.0]]
gammas += [(a, log_uniform(-3, 2.5)) for a in shapes for _ in range(4)]

gammas += [(a, a + f * a**0.5) for a in [1e5, 1e7, 9e7, 1.1e8, 1e12] for f in [-4.0, -0.5, 0.0, 1.0, 5.0]]

beta_shapes = [0.05, 0.5, 1.0, 2.5, 8.0, 30.0, 400.0]
betas = [(a, b, x) for a in beta_shapes for b in beta_shapes for x in [1e-6, 0.05, 0.3, 0.5, 0.75, 0.99]]

normals = [(x,) for x in [-37.0, -20.0, -8.0, -3.0, -1.0, -0.1, 0.0, 0.3, 1.7, 5.0]]
probabilities = [(p,) for p in [1e-280, 1e-100, 1e-20, 1e-5, 0.01, 0.1, 0.2, 0.249, 0.25, 0.3, 0.49, 0.5000001, 0.6, 0.75, 0.9,
                                0.999, 0.999999999]]

result = {
    "digamma": table(mpmath.digamma, signed),
    "trigamma": table(lambda x: mpmath.polygamma(1, x), signed),
    "gamma": table(mpmath.gamma, signed),
    "logGamma": table(lambda x: mpmath.log(abs(mpmath.gamma(x))), signed),
    "signGamma": [[x, 1.0 if mpmath.gamma(x) > 0 else -1.0] for (x,) in signed],
    "gammaP": table(gamma_p, gammas),
    "gammaQ": table(gamma_q, gammas),
    "beta": table(beta, betas),
    "erf": table(mpmath.erf, normals),
    "erfc": table(mpmath.erfc, normals),
    "scaledErfc": table(lambda x: mpmath.exp(x * x) * mpmath.erfc(x),
                        [(x,) for x in [-20.0, -5.5, -1.0, 0.0, 0.4, 3.3, 7.77, 9.9999, 10.0, 25.0, 1e3, 1e10]]),
    "inverseErf": table(lambda y: erfc_inverse(1 - y), [(y,) for y in
                        [1e-300, 1e-9, 0.01, 0.3, -0.4999, 0.5, -0.5001, 0.7, 0.99, -0.999999999, 0.1, 0.45]]),
    "inverseErfc": table(erfc_inverse, [(y,) for y in [1e-300, 1e-30, 1e-3, 0.3, 0.4999, 0.5, 0.8, 1.2, 1.4, 1.7, 1.99]]),
    "normalCDF": table(mpmath.ncdf, normals),
    "normalQuantile": table(quantile, probabilities),
    "legendre": {str(n): [[float(v) for v in gauss_legendre(n, i)] for i in range((n + 1) // 2)]
                 for n in [1, 2, 3, 7, 20, 64]},
    "legendre200": {str(i): [float(v) for v in gauss_legendre(200, i)] for i in [0, 1, 10, 99]},
    "hermite": {str(n): gauss_hermite(n) for n in [1, 2, 3, 8, 21, 40]},
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(result, separators=(",", ":")) + "\n")
print(path, {name: len(rows) for name, rows in result.items()})
