"""Reference values of sparse solvers, by SciPy: writes sparse.json beside itself.

Matrices and right sides are given by formulas that the tests repeat. Needs: numpy, scipy.
"""
import json
import pathlib

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sl


def line(n):
    return sp.diags_array([-np.ones(n - 1), 2 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1])


def grid(n, m):
    return (sp.kron(line(n), sp.eye_array(m)) + sp.kron(sp.eye_array(n), line(m))).tocsr()


rows, columns = 9, 8
n = rows * columns
a = grid(rows, columns)
b = np.sin(np.arange(1, n + 1))
indefinite = (a - 3.1 * sp.eye_array(n)).tocsr()
# Convection along the rows, one-sided.
nonsymmetric = (a + sp.diags_array([2 * np.ones(n), -2 * np.ones(n - 1)], offsets=[0, -1])).tocsr()
# Every third column of the grid's matrix: an overdetermined system.
tall = a[:, ::3].tocsr()


def residuals(solver, matrix, steps, **options):
    """Residual norms of the iterates after 1, ..., steps iterations from zero, relative to that of zero."""
    norms = []
    for step in range(1, steps + 1):
        x, _ = solver(matrix, b, maxiter=step, **options)
        norms.append(np.linalg.norm(b - matrix @ x) / np.linalg.norm(b))
    return norms


result = {
    "solution": sl.spsolve(a.tocsc(), b).tolist(),
    "indefiniteSolution": sl.spsolve(indefinite.tocsc(), b).tolist(),
    "nonsymmetricSolution": sl.spsolve(nonsymmetric.tocsc(), b).tolist(),
    "leastSquares": np.linalg.lstsq(tall.toarray(), b)[0].tolist(),
    "dampedLeastSquares": sl.lsqr(tall, b, damp=0.7, atol=1e-15, btol=1e-15, iter_lim=500)[0].tolist(),
    "gradientResiduals": residuals(sl.cg, a, 12, rtol=0, atol=0),
    "minimalResiduals": residuals(sl.minres, indefinite, 12, rtol=1e-300),
    "generalizedResiduals": [
        np.linalg.norm(b - nonsymmetric @ sl.gmres(nonsymmetric, b, rtol=0, atol=0, restart=k, maxiter=1)[0])
        / np.linalg.norm(b)
        for k in range(1, 13)
    ],
    "lowerSolution": sl.spsolve_triangular(sp.tril(a).tocsr(), b, lower=True).tolist(),
    "eigenvalues": np.sort(np.linalg.eigvalsh(indefinite.toarray())).tolist(),
    "logDeterminant": float(np.linalg.slogdet(a.toarray())[1]),
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
