"""Gradients and Hessian-vector products of PyTorch: writes decomposition_derivatives.json beside itself.

Run with a Python that has PyTorch: python3 Tests/Reference/decomposition_derivatives.py
Matrices are made by a formula. Each function's results are folded to one number with the weights sin(1), sin(2), ...;
factors whose signs are a convention are squared first.
"""

import json
import pathlib

import torch

torch.set_default_dtype(torch.float64)


def sequence(*shape, step=0.7):
    """Entries sin(step (k + 1)) + cos(0.3 k² + step): full rank, neither small nor symmetric."""
    k = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (torch.sin(step * (k + 1)) + torch.cos(0.3 * k * k + step)).reshape(shape)


def folded(results):
    total = 0
    for y in results:
        weights = torch.sin(torch.arange(1, y.numel() + 1, dtype=torch.float64)).reshape(y.shape)
        total = total + (y * weights).sum()
    return total


def definite(x):
    return x @ x.T + torch.eye(len(x))


def symmetric(x):
    return (x + x.T) / 2


def squares(tensors):
    return [t * t for t in tensors]


def svd(x):
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    return squares([u, vh.T]) + [s]


def eigen(x):
    w, v = torch.linalg.eigh(symmetric(x))
    return [w, v * v]


def polar(x):
    u, _, vh = torch.linalg.svd(x, full_matrices=False)
    return [u @ vh]


def root(x):
    w, v = torch.linalg.eigh(definite(x))
    return [(v * w.sqrt()) @ v.T, (v / w.sqrt()) @ v.T]


def parts(z):
    return [z.real, z.imag]


CASES = {
    "cholesky": (lambda x: [torch.linalg.cholesky(definite(x))], [(5, 5)]),
    "choleskySolve": (
        lambda x, b: [torch.cholesky_solve(b, torch.linalg.cholesky(definite(x)))], [(5, 5), (5, 2)]),
    "solve": (lambda a, b: [torch.linalg.solve(a, b)], [(5, 5), (5, 2)]),
    "inverse": (lambda a: [torch.linalg.inv(a)], [(5, 5)]),
    "determinant": (lambda a: [torch.linalg.det(a)], [(5, 5)]),
    "logDeterminant": (lambda a: [torch.linalg.slogdet(a)[1]], [(5, 5)]),
    "triangular": (lambda a, b: [torch.linalg.solve_triangular(a.triu(), b, upper=True)], [(5, 5), (5, 2)]),
    "leastSquares": (lambda a, b: [torch.linalg.lstsq(a, b, driver="gels").solution], [(7, 4), (7, 2)]),
    "pseudoInverse": (lambda a: [torch.linalg.pinv(a)], [(6, 4)]),
    "qr": (lambda a: squares(torch.linalg.qr(a)), [(6, 4)]),
    "svd": (svd, [(6, 4)]),
    "singularValues": (lambda a: [torch.linalg.svdvals(a)], [(4, 6)]),
    "eigen": (eigen, [(5, 5)]),
    "eigenvalues": (lambda a: [torch.linalg.eigvalsh(symmetric(a))], [(5, 5)]),
    "polar": (polar, [(6, 4)]),
    "root": (root, [(5, 5)]),
    "exponential": (lambda a: [torch.linalg.matrix_exp(a)], [(5, 5)]),
    "nuclear": (lambda a: [torch.linalg.matrix_norm(a, "nuc")], [(4, 6)]),
    "fourier": (lambda a, b: parts(torch.fft.fftn(torch.complex(a, b), dim=(0, 2))), [(3, 2, 4), (3, 2, 4)]),
    "realFourier": (lambda a: parts(torch.fft.rfft(a, n=7, norm="ortho")), [(2, 6)]),
    "inverseRealFourier": (lambda a, b: [torch.fft.irfft(torch.complex(a, b), dim=0)], [(5, 2), (5, 2)]),
}


def case(function, shapes):
    inputs = [sequence(*shape, step=0.7 + 0.2 * k) for k, shape in enumerate(shapes)]
    directions = tuple(sequence(*shape, step=1.3 + 0.1 * k) for k, shape in enumerate(shapes))

    def loss(*x):
        return folded(function(*x))

    leaves = [x.clone().requires_grad_() for x in inputs]
    value = loss(*leaves)
    gradients = torch.autograd.grad(value, leaves)
    products = torch.autograd.functional.vhp(loss, tuple(inputs), directions)[1]
    return {
        "shapes": [list(s) for s in shapes],
        "inputs": [x.flatten().tolist() for x in inputs],
        "directions": [x.flatten().tolist() for x in directions],
        "value": value.item(),
        "gradients": [g.flatten().tolist() for g in gradients],
        "products": [p.flatten().tolist() for p in products],
    }


cases = {name: case(*arguments) for name, arguments in CASES.items()}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(cases))
