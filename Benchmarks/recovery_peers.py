"""Low-rank and sparse recovery in Python: scikit-learn where it has the method, else NumPy and SciPy as an expert would
write it. `pip: implicit` takes part if it is installed, for the time of its sweeps."""

import sys

import numpy as np
import scipy.sparse as sparse

FOLDER, THREADS = sys.argv[1], int(sys.argv[2])


def normal(shape, seed=1):
    name = "x".join(map(str, shape))
    return np.load(f"{FOLDER}/normal-f64-{name}-{seed}.npy")


def altmin_completion(rows, columns, per_row, rank):
    if rank > 10:  # minutes a round: those ranks show how our own time grows
        return {}
    left, right = normal((rows, rank)), normal((columns, rank), 2)
    i = np.repeat(np.arange(rows), per_row)
    j = np.tile(np.arange(per_row), rows)
    places = (i * 7919 + j * 50 + (i * j + j * j) % 50) % columns
    values = np.einsum("ek,ek->e", left[i], right[places])
    observed = sparse.csr_matrix((values, (i, places)), shape=(rows, columns))
    transposed = observed.T.tocsr()

    def half(matrix, factor):
        """All rows at once: Gram matrices by one sparse product with the outer products of the factor's rows."""
        pattern = sparse.csr_matrix((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
        products = (factor[:, :, None] * factor[:, None, :]).reshape(len(factor), -1)
        grams = (pattern @ products).reshape(-1, rank, rank) + 1e-12 * np.eye(rank)
        return np.linalg.solve(grams, (matrix @ factor)[:, :, None])[:, :, 0]

    def start():
        generator = np.random.default_rng(0)
        basis = np.linalg.qr(observed @ generator.normal(size=(columns, rank + 8)))[0]
        for _ in range(4):
            basis = np.linalg.qr(observed @ np.linalg.qr(transposed @ basis)[0])[0]
        small = np.linalg.svd(transposed @ basis, full_matrices=False)
        return basis @ small[2].T[:, :rank]

    scale = np.linalg.norm(values)

    def alternate():
        u = start()
        while True:
            v = np.linalg.qr(half(transposed, u))[0]
            u = half(observed, v)
            gap = np.einsum("ek,ek->e", u[i], v[places]) - values
            if np.linalg.norm(gap) <= 1e-6 * scale:
                return u, v
            u = np.linalg.qr(u)[0]

    result = {"numpy": alternate}
    try:
        from implicit.als import AlternatingLeastSquares

        positive = sparse.csr_matrix((np.abs(values), (i, places)), shape=(rows, columns)).astype(np.float64)

        def implicit():
            model = AlternatingLeastSquares(
                factors=rank, iterations=16, use_cg=True, dtype=np.float64, num_threads=THREADS, use_gpu=False)
            model.fit(positive, show_progress=False)

        result["implicit, 16 sweeps"] = implicit
    except ImportError:
        pass
    return result


def orthogonal_dictionary(n, batch, count):
    from sklearn.decomposition import MiniBatchDictionaryLearning

    codes = normal((batch * count, n)) * (normal((batch * count, n), 2) > 0.84)
    truth = np.linalg.qr(normal((n, n), 3))[0]
    samples = codes @ truth.T
    last = []

    def learn():
        learner = MiniBatchDictionaryLearning(n_components=n, batch_size=batch, alpha=0.2, random_state=0)
        for first in range(0, len(samples), batch):
            learner.partial_fit(samples[first : first + batch])
        last[:] = [learner.components_]
        return learner.components_

    def error():
        atoms = last[0] / np.linalg.norm(last[0], axis=1, keepdims=True)
        return 1 - np.abs(atoms @ truth).max(axis=0).mean()

    learn.error = error
    return {"scikit-learn": learn}


def lasso_path(rows, columns, count):
    from sklearn.linear_model import lasso_path as path

    walks = normal((rows, columns)).cumsum(axis=1)
    design = np.asfortranarray(walks / np.linalg.norm(walks, axis=0))
    y = design[:, 700] * 3 - design[:, 3100] * 2 + normal((rows,)) * 0.05
    largest = np.abs(design.T @ y).max()
    penalties = largest * 0.02 ** (np.arange(count) / (count - 1)) / rows
    return {"scikit-learn": lambda: path(design, y, alphas=penalties, tol=1e-6, max_iter=100_000)}


def subgm(n, count, steps):
    a = normal((count, n, n)).reshape(count, n * n)
    factor = normal((n, 2), 2)
    y = a @ (factor @ factor.T).ravel()
    signs = (np.sign(y) @ a).reshape(n, n) / count
    values, vectors = np.linalg.eigh((signs + signs.T) / 2)
    first = 1e-8 * vectors * np.sqrt(np.maximum(values, 0))

    def recover():
        u = first
        for _ in range(steps):
            r = a @ (u @ u.T).ravel() - y
            q = (np.sign(r) @ a).reshape(n, n) / count
            u = u - 0.3 * np.median(np.abs(r)) / np.median(np.abs(y)) * (q + q.T) @ u
        return u

    return {"numpy": recover}


def matrix_sensing(n, count, rank, steps):
    a = normal((count, n, n)).reshape(count, n * n)
    factor = normal((n, 2), 2)
    y = a @ (factor @ factor.T).ravel()

    def recover():
        generator = np.random.default_rng(0)
        gram, pull = a.T @ a / count, a.T @ y / count
        f = generator.normal(size=(n, rank)) * 0.1 / np.sqrt(n)
        g = generator.normal(size=(n, rank)) * 0.1 / 3 / np.sqrt(n)
        step = 0.2 / np.linalg.norm(pull.reshape(n, n), 2)
        for _ in range(steps):
            e = (gram @ (f @ g.T).ravel() - pull).reshape(n, n)
            f, g = f - step * e @ g, g - step * e.T @ f
        return f, g

    return {"numpy": recover}


def kronecker_sbl(rows, columns, iterations):
    factors = [normal((rows, columns), seed) for seed in (1, 2, 3)]
    a = np.kron(np.kron(factors[0], factors[1]), factors[2])
    y = normal((rows**3,))

    def classic():
        gamma = np.full(columns**3, float(columns))
        for _ in range(iterations):
            weighted = a * gamma
            covariance = weighted @ a.T + 0.1 * np.eye(len(y))
            gain = np.linalg.solve(covariance, weighted).T
            mean = gain @ y
            gamma = gamma - np.einsum("ij,ji->i", gain, weighted) + mean**2
        return mean

    return {"numpy, dense": classic}


WORKS = {
    "altmin-completion": altmin_completion,
    "orthogonal-dictionary": orthogonal_dictionary,
    "lasso-path": lasso_path,
    "subgm": subgm,
    "matrix-sensing": matrix_sensing,
    "kronecker-sbl": kronecker_sbl,
}
