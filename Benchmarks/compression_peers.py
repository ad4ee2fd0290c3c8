"""Compression that knows its data: the same formulas in SciPy and in PyTorch, as a user would write them."""

import sys

import numpy as np
import scipy.linalg as sl

try:
    import torch
except ImportError:
    torch = None

FOLDER = sys.argv[1] if len(sys.argv) > 1 else "."


def normal(shape, seed=1):
    name = "x".join(map(str, shape))
    return np.load(f"{FOLDER}/normal-f32-{name}-{seed}.npy")


def moments(width):
    x = normal((8192, width)).astype(np.float64)
    drift = normal((8192, width), 2).astype(np.float64) * 0.1
    return x.T @ x, drift.T @ x


def damped(gram):
    return gram + 1e-6 * gram.diagonal().mean() * np.eye(len(gram))


def target(w, gram, cross):
    root = sl.cholesky(damped(gram), lower=True)
    a = sl.solve_triangular(root, gram @ w.T, lower=True).T
    b = sl.solve_triangular(root, cross.T @ w.T, lower=True).T
    return root, a, b


def truncated(g, root, rank):
    u, s, vt = sl.svd(g, full_matrices=False)
    return u[:, :rank] * s[:rank], sl.solve_triangular(root, vt[:rank].T, lower=True, trans="T").T


def torch_target(w, gram, cross):
    n = len(gram)
    root = torch.linalg.cholesky(gram + 1e-6 * gram.diagonal().mean() * torch.eye(n, dtype=gram.dtype))
    a = torch.linalg.solve_triangular(root, gram @ w.T, upper=False).T
    b = torch.linalg.solve_triangular(root, cross.T @ w.T, upper=False).T
    return root, a, b


def torch_truncated(g, root, rank):
    u, s, vt = torch.linalg.svd(g, full_matrices=False)
    return u[:, :rank] * s[:rank], torch.linalg.solve_triangular(root.T, vt[:rank].T, upper=True).T


def saes_solve(width, rank):
    w = normal((width, width), 3).astype(np.float64)
    gram, cross = moments(width)

    def scipy():
        root, a, b = target(w, gram, cross)
        return truncated(a + 0.5 * b, root, rank)

    works = {"scipy": scipy}
    if torch is not None:
        tw, tg, tc = (torch.from_numpy(x) for x in (w, gram, cross))

        def with_torch():
            root, a, b = torch_target(tw, tg, tc)
            return torch_truncated(a + 0.5 * b, root, rank)

        works["torch"] = with_torch
    return works


def saes_search(width, rank):
    w = normal((width, width), 3).astype(np.float64)
    gram, cross = moments(width)
    betas = np.linspace(0.5, 0.9, 33)

    def scipy():
        root, a, b = target(w, gram, cross)
        ratios = []
        for beta in betas:
            squares = sl.svdvals(a + beta * b) ** 2
            ratios.append(squares[:rank].sum() / squares.sum())
        return truncated(a + betas[int(np.argmax(ratios))] * b, root, rank)

    works = {"scipy": scipy}
    if torch is not None:
        tw, tg, tc = (torch.from_numpy(x) for x in (w, gram, cross))

        def with_torch():
            root, a, b = torch_target(tw, tg, tc)
            ratios = []
            for beta in betas:
                squares = torch.linalg.svdvals(a + float(beta) * b) ** 2
                ratios.append(float(squares[:rank].sum() / squares.sum()))
            return torch_truncated(a + float(betas[int(np.argmax(ratios))]) * b, root, rank)

        works["torch"] = with_torch
    return works


def fwsvd(size, rank):
    w, gradient = normal((size, size)), normal((size, size), 2)
    fisher = gradient * gradient

    def scipy():
        d = np.sqrt(fisher.sum(1))[:, None]
        u, s, vt = np.linalg.svd(d * w, full_matrices=False)
        return u[:, :rank] * s[:rank] / d, vt[:rank]

    works = {"numpy": scipy}
    if torch is not None:
        tw, tf = torch.from_numpy(w), torch.from_numpy(fisher)

        def with_torch():
            d = tf.sum(1).sqrt()[:, None]
            u, s, vt = torch.linalg.svd(d * tw, full_matrices=False)
            return u[:, :rank] * s[:rank] / d, vt[:rank]

        works["torch"] = with_torch
    return works


def closed_form_encoder(path):
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        weights = [
            file.get_tensor(name).astype(np.float64)
            for name in sorted(file.keys())
            if "encoder.layer." in name and name.endswith(".weight")
        ]
    weights = [w for w in weights if w.ndim == 2]
    grams = {}
    for w in weights:
        width = w.shape[1]
        if width not in grams:
            x = normal((2048, width)).astype(np.float64)
            grams[width] = x.T @ x

    def rank(w):
        return int(0.5 * w.shape[0] * w.shape[1] / sum(w.shape))

    def scipy():
        result = []
        for w in weights:
            root = sl.cholesky(damped(grams[w.shape[1]]), lower=True)
            result.append(truncated(w @ root, root, rank(w)))
        return result

    works = {"scipy": scipy}
    if torch is not None:
        tensors = [torch.from_numpy(w) for w in weights]
        moments = {width: torch.from_numpy(gram) for width, gram in grams.items()}

        def with_torch():
            result = []
            for w in tensors:
                gram = moments[w.shape[1]]
                shift = 1e-6 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
                root = torch.linalg.cholesky(gram + shift)
                result.append(torch_truncated(w @ root, root, rank(w)))
            return result

        works["torch"] = with_torch
    return works


WORKS = {
    "saes-solve": saes_solve,
    "saes-search": saes_search,
    "fwsvd": fwsvd,
    "closed-form-encoder": closed_form_encoder,
}
