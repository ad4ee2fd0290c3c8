"""Reference values for Tests/LinearAlgebraTests, from NumPy and SciPy.

Run: python3 Tests/Reference/linear_algebra.py
Writes linear_algebra.json beside this file. Matrices are made by a formula, so that the values can be checked by eye.
"""

import json
import pathlib

import numpy as np
import scipy.linalg


def sequence(rows, columns, step=0.7):
    """Entries sin(step (i + 1)) + cos(step i j / 3): full rank, neither small nor symmetric."""
    i, j = np.indices((rows, columns))
    return np.sin(step * (i * columns + j + 1)) + np.cos(step * i * j / 3)


def entry(matrix, rightSide):
    square = matrix.shape[0] == matrix.shape[1]
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    q, r, pivots = scipy.linalg.qr(matrix, mode="economic", pivoting=True)
    plain = np.linalg.qr(matrix)
    signs = np.where(np.diagonal(plain.R) < 0, -1.0, 1.0)
    solution = np.linalg.lstsq(matrix, rightSide, rcond=None)
    result = {
        "matrix": matrix.tolist(),
        "rightSide": rightSide.tolist(),
        "singularValues": s.tolist(),
        "upper": (signs[:, None] * plain.R).tolist(),
        "orthogonal": (plain.Q * signs).tolist(),
        "pivots": pivots.tolist(),
        "pivotedDiagonal": np.abs(np.diagonal(r)).tolist(),
        "leastSquares": solution[0].tolist(),
        "rank": int(solution[2]),
        "pseudoInverse": np.linalg.pinv(matrix).tolist(),
        "norms": {
            "frobenius": np.linalg.norm(matrix),
            "spectral": np.linalg.norm(matrix, 2),
            "nuclear": np.linalg.norm(matrix, "nuc"),
            "one": np.linalg.norm(matrix, 1),
            "infinity": np.linalg.norm(matrix, np.inf),
            "schatten3": float(np.sum(s**3) ** (1 / 3)),
            "columns21": float(np.sum(np.linalg.norm(matrix, axis=0))),
        },
        "polarFactor": scipy.linalg.polar(matrix)[0].tolist(),
    }
    if square:
        p, l, u = scipy.linalg.lu(matrix, p_indices=True)
        sign, logarithm = np.linalg.slogdet(matrix)
        positive = matrix @ matrix.T + np.eye(len(matrix))
        shifted = matrix + 4 * np.eye(len(matrix))
        values = np.linalg.eigvals(matrix)
        order = np.lexsort((values.imag, values.real))
        result["square"] = {
            # SciPy gives the row of L U for each row of A; here the row of A for each row of L U.
            "permutation": np.argsort(p).tolist(),
            "lower": l.tolist(),
            "upper": u.tolist(),
            "sign": sign,
            "logDeterminant": logarithm,
            "inverse": np.linalg.inv(matrix).tolist(),
            "solution": np.linalg.solve(matrix, rightSide).tolist(),
            "eigenvaluesReal": values[order].real.tolist(),
            "eigenvaluesImaginary": values[order].imag.tolist(),
            "symmetricEigenvalues": np.linalg.eigvalsh((matrix + matrix.T) / 2).tolist(),
            "cholesky": np.linalg.cholesky(positive).tolist(),
            "positiveRoot": scipy.linalg.sqrtm(positive).real.tolist(),
            "shiftedRoot": scipy.linalg.sqrtm(shifted).real.tolist(),
        }
    return result


def main():
    cases = {
        "square": entry(sequence(6, 6), np.arange(1.0, 7)),
        "tall": entry(sequence(9, 4), np.arange(1.0, 10)),
        "wide": entry(sequence(3, 7), np.arange(1.0, 4)),
        "deficient": entry(sequence(6, 2) @ sequence(2, 5, 1.1), np.arange(1.0, 7)),
        "hilbert": entry(scipy.linalg.hilbert(5), np.ones(5)),
        "single": entry(np.array([[-3.0]]), np.array([6.0])),
    }
    target = pathlib.Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(cases, indent=1) + "\n")


main()
