"""Generalized Gaussian laws in SciPy; structured layers and trajectory matching in PyTorch as a user would write them."""

import numpy as np
import scipy.special
import scipy.stats

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    torch = None


def gennorm_fit(normal, count):
    x = normal((count,), "f64")
    return {"scipy": lambda: scipy.stats.gennorm.fit(x, floc=0)}


def gennorm_ppf(normal, count):
    levels = scipy.special.ndtr(normal((count,), "f64"))
    return {"scipy": lambda: scipy.stats.gennorm.ppf(levels, 0.8)}


def deep_shape(normal, count):
    w = normal((count,), "f32")

    def run():
        order = np.argsort(w, kind="stable")
        quantiles = scipy.stats.gennorm.ppf((np.arange(count) + 0.5) / count, 0.8)
        result = np.empty_like(w)
        result[order] = quantiles * (np.std(w) / np.std(quantiles))
        return result

    return {"numpy": run}


def structured(make):
    def work(normal, inputs, outputs, tokens):
        x = torch.from_numpy(normal((tokens, inputs), "f32")).requires_grad_()
        g = torch.from_numpy(normal((tokens, outputs), "f32"))
        parameters, forward = make(inputs, outputs)
        for p in parameters:
            p.requires_grad_()

        def run():
            with torch.enable_grad():
                return torch.autograd.grad(forward(x), [x] + parameters, g)

        return {"torch": run}

    return work


def lowrank(n, m):
    a, b, bias = torch.randn(256, n), torch.randn(m, 256), torch.zeros(m)
    return [a, b, bias], lambda x: F.linear(F.linear(x, a), b, bias)


def blockshuffle(n, m, b=4):
    q = min(n, m) // b
    first, second, bias = torch.randn(b, q, n // b), torch.randn(b, m // b, q), torch.zeros(m)

    def forward(x):
        t = x.shape[0]
        z = torch.bmm(x.view(t, b, n // b).transpose(0, 1), first.transpose(1, 2))
        z = z.transpose(0, 1).reshape(t, q, b).permute(2, 0, 1)
        y = torch.bmm(z, second.transpose(1, 2))
        return y.permute(1, 2, 0).reshape(t, m) + bias

    return [first, second, bias], forward


def blockdense(n, m, r=512, b=2):
    a, up, bias = torch.randn(b, r // b, n // b), torch.randn(m, r), torch.zeros(m)

    def forward(x):
        t = x.shape[0]
        z = torch.bmm(x.view(t, b, n // b).transpose(0, 1), a.transpose(1, 2)).transpose(0, 1).reshape(t, r)
        return F.linear(z, up, bias)

    return [a, up, bias], forward


def distillation(normal, iterations):
    images = torch.from_numpy(normal((100, 784), "f32")).requires_grad_()
    log_step = torch.tensor(-2.3, requires_grad=True)
    labels = torch.arange(100) // 10
    torch.manual_seed(1)
    shapes = [(128, 784), (128,), (10, 128), (10,)]
    start = [torch.randn(s) * 0.03 for s in shapes]
    target = [p + 0.01 * torch.randn(p.shape) for p in start]

    def once():
        with torch.enable_grad():
            parameters = [p.clone().requires_grad_() for p in start]
            for _ in range(20):
                scores = F.linear(F.relu(F.linear(images, parameters[0], parameters[1])), parameters[2], parameters[3])
                slopes = torch.autograd.grad(F.cross_entropy(scores, labels), parameters, create_graph=True)
                parameters = [p - log_step.exp() * s for p, s in zip(parameters, slopes)]
            loss = sum(((p - t) ** 2).sum() for p, t in zip(parameters, target))
            return torch.autograd.grad(loss, [images, log_step])

    return {"torch": lambda: [once() for _ in range(iterations)]}


def works(normal):
    """Functions by the first word of a row's name; `normal` loads the shared input arrays."""

    def bound(function):
        return lambda *arguments: function(normal, *arguments)

    result = {
        "gennorm-fit": bound(gennorm_fit),
        "gennorm-ppf": bound(gennorm_ppf),
        "deep-shape": bound(deep_shape),
    }
    if torch is not None:
        result |= {
            "structured-lowrank": bound(structured(lowrank)),
            "structured-blockshuffle": bound(structured(blockshuffle)),
            "structured-blockdense": bound(structured(blockdense)),
            "distillation": bound(distillation),
        }
    return result
