"""Reference values for Fourier transforms (by mpmath, 40 digits) and cosine and sine transforms (by SciPy); writes
fourier.json."""

import json
import os

import mpmath
import numpy as np
import scipy.fft

HERE = os.path.dirname(os.path.abspath(__file__))


def complex_transforms():
    """Of the numbers that pattern() in the tests gives too."""
    mpmath.mp.dps = 40
    for n in [5, 7, 11, 16, 27, 59, 60, 67, 120, 134, 251]:
        x = [mpmath.mpc((j * 37 + 11) % 101 - 50, (j * 53 + 29) % 97 - 48) / 64 for j in range(n)]
        roots = [mpmath.expjpi(mpmath.mpf(-2 * k) / n) for k in range(n)]
        y = [mpmath.fsum(x[j] * roots[j * k % n] for j in range(n)) for k in range(n)]
        yield {"real": [float(z.real) for z in y], "imaginary": [float(z.imag) for z in y]}


def trigonometric():
    rng = np.random.default_rng(1)
    for n in [1, 2, 3, 4, 5, 8, 9, 16, 21, 71]:
        x = rng.standard_normal(n).round(6)
        for sine in [False, True]:
            there, back = (scipy.fft.dst, scipy.fft.idst) if sine else (scipy.fft.dct, scipy.fft.idct)
            for kind in [1, 2, 3, 4]:
                if kind == 1 and not sine and n < 2:
                    continue
                for orthonormal in [False, True]:
                    norm = "ortho" if orthonormal else None
                    yield {
                        "type": kind,
                        "sine": sine,
                        "orthonormal": orthonormal,
                        "input": x.tolist(),
                        "output": there(x, kind, norm=norm).tolist(),
                        "inverse": back(x, kind, norm=norm).tolist(),
                    }


if __name__ == "__main__":
    with open(os.path.join(HERE, "fourier.json"), "w") as file:
        json.dump({"complex": list(complex_transforms()), "trigonometric": list(trigonometric())}, file, separators=(",", ":"))
        file.write("\n")
