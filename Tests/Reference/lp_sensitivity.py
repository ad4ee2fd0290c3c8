"""Sensitivities and regressions in p-norms, by linear programming and a general optimizer: lp_sensitivity.json."""

import json
import os

import numpy as np
from scipy.optimize import linprog, minimize

random = np.random.default_rng(5)
a = np.round(random.standard_normal((24, 3)) * random.uniform(0.2, 3, (24, 1)), 3)
b = np.round(a @ [1.0, -2.0, 0.5] + random.laplace(size=24), 3)


def program(matrix, offset, equality=None):
    """min |matrix x - offset|_1, subject to equality . x = 1."""
    n, d = matrix.shape
    cost = np.r_[np.zeros(d), np.ones(n)]
    bounds = np.block([[matrix, -np.eye(n)], [-matrix, -np.eye(n)]])
    right = np.r_[offset, -offset]
    fixed = {} if equality is None else {"A_eq": np.r_[equality, np.zeros(n)][None], "b_eq": [1.0]}
    found = linprog(cost, A_ub=bounds, b_ub=right, bounds=[(None, None)] * d + [(0, None)] * n, **fixed)
    return found.fun, found.x[:d]


def smooth(matrix, offset, p, equality=None):
    n, d = matrix.shape
    if equality is None:
        start, null = np.linalg.lstsq(matrix, offset, rcond=None)[0], np.eye(d)
    else:
        start = equality / (equality @ equality)
        null = np.linalg.svd(equality[None])[2][1:].T
    def cost(y):
        return (np.abs(matrix @ (start + null @ y) - offset) ** p).sum()

    def slope(y):
        r = matrix @ (start + null @ y) - offset
        return null.T @ (matrix.T @ (p * np.sign(r) * np.abs(r) ** (p - 1)))

    y = np.zeros(null.shape[1])
    for _ in range(5):
        y = minimize(cost, y, jac=slope, method="BFGS", options={"gtol": 1e-12, "maxiter": 5000}).x
    return cost(y), start + null @ y


zero = np.zeros(len(a))
result = {"a": a.tolist(), "b": b.tolist(), "sensitivities": {}, "regressions": {}}
for p in [1.0, 1.5, 3.0, 4.0]:
    solve = (lambda m, o, e=None: program(m, o, e)) if p == 1 else (lambda m, o, e=None: smooth(m, o, p, e))
    result["sensitivities"][str(p)] = [1 / solve(a, zero, row)[0] for row in a]
    cost, x = solve(a, b)
    result["regressions"][str(p)] = {"cost": cost ** (1 / p), "x": x.tolist()}
with open(os.path.join(os.path.dirname(__file__), "lp_sensitivity.json"), "w") as file:
    json.dump(result, file, indent=1)
