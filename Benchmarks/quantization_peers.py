"""Peers of quantized weights with their correction, and of sparse dictionaries: NumPy, SciPy, scikit-learn, PyTorch."""

import sys
import warnings

import numpy as np
import scipy.linalg
import scipy.stats

try:
    import torch
except ImportError:
    torch = None
try:
    from sklearn.decomposition import dict_learning
    from sklearn.linear_model import orthogonal_mp_gram
except ImportError:
    dict_learning = orthogonal_mp_gram = None

FOLDER = sys.argv[1]


def normal(shape, kind, seed=1):
    name = "x".join(map(str, shape))
    return np.load(f"{FOLDER}/normal-{kind}-{name}-{seed}.npy")


def qera(n, rank):
    """The paper's formula as its authors compute it: a matrix square root, a full decomposition, a linear solve."""
    error = (normal((n, n), "f64") - np.load(f"{FOLDER}/quantized-{n}.npy")).T
    moment = np.load(f"{FOLDER}/second-moment-{n}.npy")

    def by_scipy():
        root = scipy.linalg.sqrtm(moment).real
        u, s, v = np.linalg.svd(root @ error, full_matrices=False)
        return np.linalg.solve(root, u[:, :rank]), s[:rank, None] * v[:rank]

    def by_torch():
        root = torch.from_numpy(scipy.linalg.sqrtm(moment).real)
        u, s, v = torch.linalg.svd(root @ torch.from_numpy(error), full_matrices=False)
        return torch.linalg.solve(root, u[:, :rank]), s[:rank, None] * v[:rank]

    return {"scipy": by_scipy} | ({"torch": by_torch} if torch is not None else {})


def batch_omp(kind, n, k, sparsity):
    signals, atoms = normal((n, k), kind), normal((k, k), kind, 2)
    dictionary = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)

    def run():
        gram, products = dictionary @ dictionary.T, dictionary @ signals.T
        return orthogonal_mp_gram(gram, products, n_nonzero_coefs=sparsity)

    return {"scikit-learn": run} if orthogonal_mp_gram is not None else {}


def dictionary_learning(kind, n, k, sparsity):
    """Ten sweeps of scikit-learn's alternation, then codes of the given sparsity; of the penalties 0.1 and 1 the better one."""
    signals = np.load(f"{FOLDER}/sparse-signals-{n}.npy")
    last = {}

    def run():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, dictionary, _ = dict_learning(
                signals, k, alpha=1.0, method="cd", max_iter=10, random_state=0, tol=0
            )
        codes = orthogonal_mp_gram(dictionary @ dictionary.T, dictionary @ signals.T, n_nonzero_coefs=sparsity).T
        last.update(codes=codes, dictionary=dictionary)
        return codes

    run.error = lambda: np.linalg.norm(signals - last["codes"] @ last["dictionary"]) / np.linalg.norm(signals)
    return {"scikit-learn": run} if dict_learning is not None else {}


def quantize_nf4(n):
    """bitsandbytes needs its own library; this is the same arithmetic in PyTorch."""
    weight = torch.from_numpy(normal((n, n), "f32"))
    positive = scipy.stats.norm.ppf(np.linspace(0.9677083, 0.5, 9)[:-1])
    negative = -scipy.stats.norm.ppf(np.linspace(0.9677083, 0.5, 8)[:-1])
    table = np.sort(np.concatenate([positive, negative, [0]]))
    table = torch.from_numpy((table / table.max()).astype(np.float32))
    borders = (table[1:] + table[:-1]) / 2

    def run():
        blocks = weight.reshape(-1, 64)
        scale = blocks.abs().amax(1, keepdim=True)
        return (table[torch.bucketize(blocks / scale, borders)] * scale).reshape(n, n)

    return {"torch": run} if torch is not None else {}


def quantize_mxint4(n):
    weight = torch.from_numpy(normal((n, n), "f32"))

    def run():
        blocks = weight.reshape(-1, 32)
        step = torch.exp2(torch.floor(torch.log2(blocks.abs().amax(1, keepdim=True))) - 2)
        return (torch.clamp(torch.round(blocks / step), -7, 7) * step).reshape(n, n)

    return {"torch": run} if torch is not None else {}


WORKS = {
    "qera": qera,
    "qera-randomized": qera,
    "batch-omp": batch_omp,
    "dictionary-learning": dictionary_learning,
    "quantize-nf4": quantize_nf4,
    "quantize-mxint4": quantize_mxint4,
}
