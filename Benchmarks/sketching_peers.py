"""Sketching and sampling as a user of NumPy, SciPy, scikit-learn and DPPy does them."""

import numpy as np
import scipy.linalg
from scipy.optimize import linprog

normal = None  # set by peers.py: reads the input that both sides share


def sketched_regression(n, d):
    a, b = normal((n, d), "f64"), normal((n,), "f64", 2)
    gels = scipy.linalg.get_lapack_funcs("gels", (a, b))

    def sketched():
        both = np.column_stack([a, b])
        small = scipy.linalg.clarkson_woodruff_transform(both, 8 * d, seed=1)
        return np.linalg.lstsq(small[:, :-1], small[:, -1], rcond=None)

    if n <= 1 << 19:
        # The square of d rows that a CountSketch needs is what SciPy's documentation asks for.
        return {"scipy gels": lambda: gels(a, b), "numpy lstsq": lambda: np.linalg.lstsq(a, b, rcond=None)}
    return {
        "scipy gels": lambda: gels(a, b),
        "numpy lstsq": lambda: np.linalg.lstsq(a, b, rcond=None),
        "normal equations": lambda: scipy.linalg.solve(a.T @ a, a.T @ b, assume_a="pos"),
        "scipy clarkson_woodruff + lstsq": sketched,
    }


def refined_regression(n, d):
    a, b = normal((n, d), "f64"), normal((n,), "f64", 2)
    gels = scipy.linalg.get_lapack_funcs("gels", (a, b))
    return {"scipy gels": lambda: gels(a, b)}


def projection_dpp(n, m):
    """DPPy where it is installed, and the same chain rule written with NumPy."""
    v = np.linalg.qr(normal((n, m), "f64"))[0]
    random = np.random.default_rng(1)

    def chain():
        left = (v * v).sum(1)
        along = np.zeros((n, m))
        chosen = []
        for k in range(m):
            p = np.maximum(left, 0)
            j = random.choice(n, p=p / p.sum())
            chosen.append(j)
            along[:, k] = (v @ v[j] - along[:, :k] @ along[j, :k]) / np.sqrt(left[j])
            left = left - along[:, k] ** 2
            left[j] = 0
        return chosen

    result = {"numpy": chain}
    try:
        from dppy.finite_dpps import FiniteDPP

        dpp = FiniteDPP("correlation", projection=True, K_eig_dec=(np.ones(m), v))
        result["dppy"] = lambda: dpp.sample_exact()
    except ImportError:
        pass
    return result


def jacobi_dpp(m):
    from dppy.multivariate_jacobi_ope import MultivariateJacobiOPE

    process = MultivariateJacobiOPE(m, np.zeros((2, 2)))
    return {"dppy": lambda: process.sample()}


def leverage(n, d):
    a = normal((n, d), "f64")
    return {"numpy": lambda: (np.linalg.qr(a)[0] ** 2).sum(1)}


def sensitivities(n, d):
    a = normal((n, d), "f64")
    cost = np.r_[np.zeros(d), np.ones(n)]
    bounds = np.block([[a, -np.eye(n)], [-a, -np.eye(n)]])
    limits = [(None, None)] * d + [(0, None)] * n

    def programs():
        return [
            1 / linprog(cost, A_ub=bounds, b_ub=np.zeros(2 * n), A_eq=np.r_[row, np.zeros(n)][None], b_eq=[1.0],
                        bounds=limits).fun
            for row in a
        ]

    return {"scipy linprog": programs}


def walsh_hadamard(exponent, columns):
    x = normal((1 << exponent, columns), "f64")

    def transform():
        y = x.copy()
        h = 1
        while h < len(y):
            z = y.reshape(-1, 2, h, columns)
            y = np.stack([z[:, 0] + z[:, 1], z[:, 0] - z[:, 1]], 1).reshape(len(x), columns)
            h *= 2
        return y

    return {"numpy": transform}


def stream_eigenvector(n, d):
    from sklearn.decomposition import IncrementalPCA

    a = normal((n, d), "f64")
    return {
        "scikit-learn IncrementalPCA": lambda: IncrementalPCA(1, batch_size=5 * d).fit(a),
        "numpy covariance + eigh": lambda: scipy.linalg.eigh(a.T @ a, subset_by_index=[d - 1, d - 1]),
    }


WORKS = {
    "sketched-regression": sketched_regression,
    "refined-regression": refined_regression,
    "projection-dpp": projection_dpp,
    "jacobi-dpp": jacobi_dpp,
    "leverage": leverage,
    "sensitivities": sensitivities,
    "walsh-hadamard": walsh_hadamard,
    "stream-eigenvector": stream_eigenvector,
}
