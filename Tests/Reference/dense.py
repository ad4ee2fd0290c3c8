"""Reference values for matrix functions, equations and assignments, from SciPy and mpmath: writes dense.json beside itself.

Run: python3 Tests/Reference/dense.py
Matrices are made by a formula, so that the values can be checked by eye.
"""

import json
import pathlib

import mpmath
import numpy as np
import scipy.linalg
import scipy.optimize

mpmath.mp.dps = 40


def sequence(rows, columns, step=0.7):
    """Entries sin(step (i + 1)) + cos(step i j / 3): full rank, neither small nor symmetric."""
    i, j = np.indices((rows, columns))
    return np.sin(step * (i * columns + j + 1)) + np.cos(step * i * j / 3)


def exact(function, matrix, *arguments):
    value = function(mpmath.matrix(matrix.tolist()), *arguments)
    rows, columns = matrix.shape
    return [[float(mpmath.re(value[i, j])) for j in range(columns)] for i in range(rows)]


def derivative(function, matrix, direction):
    """By the block matrix, in 40 digits."""
    zero = np.zeros_like(matrix)
    block = np.block([[matrix, direction], [zero, matrix]])
    value = np.array(exact(function, block))
    n = matrix.shape[0]
    return value[:n, n:].tolist()


def functions():
    cases = {}
    for name, a in {
        "small": sequence(4, 4) * 0.01,
        "medium": sequence(5, 5),
        "large": sequence(4, 4) * 6,
        "overscaled": np.array([[0.0, 1e4, 2], [0, 0, 3], [0, 0, 0]]),
        "jordan": np.array([[2.0, 1, 0], [0, 2, 1], [0, 0, 2]]),
    }.items():
        e = sequence(a.shape[0], a.shape[0], 0.3)
        positive = scipy.linalg.expm(a / max(1, np.linalg.norm(a, 1)))
        cases[name] = {
            "matrix": a.tolist(), "direction": e.tolist(),
            "exponential": exact(mpmath.expm, a),
            "exponentialDerivative": derivative(mpmath.expm, a, e),
            "cosine": exact(mpmath.cosm, a), "sine": exact(mpmath.sinm, a),
            "positive": positive.tolist(),
            "logarithm": exact(mpmath.logm, positive), "squareRoot": exact(mpmath.sqrtm, positive),
            "power": exact(lambda m: mpmath.expm(mpmath.mpf("0.3") * mpmath.logm(m)), positive),
            "logarithmDerivative": derivative(mpmath.logm, positive, e),
        }
    return cases


def equations():
    a, b, c = sequence(5, 5), sequence(4, 4, 0.5) + 3 * np.eye(4), sequence(5, 4, 0.9)
    q = sequence(5, 5, 0.2)
    q = q @ q.T
    inputs, r = sequence(5, 2, 1.1), np.array([[2.0, 0.5], [0.5, 1.0]])
    return {
        "a": a.tolist(), "b": b.tolist(), "c": c.tolist(), "q": q.tolist(), "inputs": inputs.tolist(), "r": r.tolist(),
        "sylvester": scipy.linalg.solve_sylvester(a, b, c).tolist(),
        "lyapunov": scipy.linalg.solve_continuous_lyapunov(a, q).tolist(),
        "discreteLyapunov": scipy.linalg.solve_discrete_lyapunov(a / 3, q).tolist(),
        "care": scipy.linalg.solve_continuous_are(a, inputs, q, r).tolist(),
        "dare": scipy.linalg.solve_discrete_are(a, inputs, q, r).tolist(),
    }


def optimization():
    cost = np.round(10 * sequence(9, 12, 1.3), 3)
    rows, columns = scipy.optimize.linear_sum_assignment(cost)
    a, b = sequence(12, 7, 0.4), sequence(12, 1, 0.8)[:, 0]
    x, norm = scipy.optimize.nnls(a, b)
    return {
        "costs": cost.tolist(), "columns": columns.tolist(), "total": float(cost[rows, columns].sum()),
        "matrix": a.tolist(), "rightSide": b.tolist(), "nonNegative": x.tolist(), "residual": float(norm),
    }


def decompositions():
    a, b = sequence(6, 6), sequence(6, 6, 0.4)
    symmetric, metric = a + a.T, b @ b.T + np.eye(6)
    pencil = scipy.linalg.eigvals(a, b)
    pencil = pencil[np.lexsort((pencil.imag, pencil.real))]
    return {
        "a": a.tolist(), "b": b.tolist(), "symmetric": symmetric.tolist(), "metric": metric.tolist(),
        "generalizedSymmetric": scipy.linalg.eigh(symmetric, metric)[0].tolist(),
        "generalizedReal": pencil.real.tolist(), "generalizedImaginary": pencil.imag.tolist(),
        "toeplitzColumn": [4.0, 1, -0.5, 0.25, 2], "toeplitzRow": [4.0, -1, 0.3, 0.7, 0.1],
        "toeplitz": scipy.linalg.solve_toeplitz(
            ([4.0, 1, -0.5, 0.25, 2], [4.0, -1, 0.3, 0.7, 0.1]), [1.0, 2, 3, 4, 5]).tolist(),
    }


if __name__ == "__main__":
    result = {
        "functions": functions(), "equations": equations(), "optimization": optimization(),
        "decompositions": decompositions(),
    }
    path = pathlib.Path(__file__).with_name("dense.json")
    path.write_text(json.dumps(result) + "\n")
