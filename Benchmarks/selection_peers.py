"""Choosing examples, weights and subspaces in PyTorch and NumPy, as a user would write them."""

import numpy as np

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    torch = None


def gradient_norms(model, x, y, chunks):
    """Norms of all examples' gradients by vmap of grad, some examples at a time."""
    from torch.func import functional_call, grad, vmap

    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters, x, y):
        return F.cross_entropy(functional_call(model, parameters, (x[None],)), y[None])

    function = vmap(grad(loss), in_dims=(None, 0, 0))

    def run(size):
        norms = []
        for start in range(0, len(x), size):
            gradients = function(parameters, x[start : start + size], y[start : start + size])
            norms.append(sum(g.flatten(1).square().sum(1) for g in gradients.values()).sqrt())
        return torch.cat(norms)

    return {f"torch.func, {size} at a time": (lambda size=size: run(size)) for size in chunks}


def gradient_norms_cnn(count):
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(6, 16, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    return gradient_norms(model, torch.randn(count, 1, 28, 28), torch.randint(10, (count,)), [64, 250])


def gradient_norms_mlp(count):
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    return gradient_norms(model, torch.randn(count, 784), torch.randint(10, (count,)), [64, 250])


def hadamard(x):
    """The Walsh-Hadamard transform by butterflies of whole arrays."""
    h = 1
    while h < len(x):
        x = x.reshape(-1, 2, h)
        x = np.stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]], axis=1).reshape(-1)
        h *= 2
    return x


def fastfood(logarithm, columns):
    rng = np.random.default_rng(1)
    length = 1 << logarithm
    signs = rng.choice(np.array([-1, 1], np.float32), length)
    normals = rng.standard_normal(length, dtype=np.float32)
    order = rng.permutation(length)
    inverse = np.argsort(order)
    divisor = np.linalg.norm(normals) * np.float32(length) ** 0.5
    z = rng.standard_normal(columns, dtype=np.float32)

    def run():
        v = np.zeros(length, np.float32)
        v[:columns] = z
        theta = hadamard(normals * hadamard(signs * v)[order]) / divisor
        back = signs * hadamard((normals * hadamard(theta))[inverse])
        return back[:columns] / divisor

    return {"numpy": run}


def random_mask(count):
    rng = np.random.default_rng(1)

    def choice():
        mask = np.zeros(count, bool)
        mask[rng.choice(count, count // 10, replace=False, shuffle=False)] = True
        return mask

    def permutation():
        mask = torch.zeros(count, dtype=torch.bool)
        mask[torch.randperm(count)[: count // 10]] = True
        return mask

    return {"numpy": choice, "torch": permutation}


def train_sparse_mlp(batch):
    widths = [784, 1024, 1024, 1024, 10]
    x, y = torch.randn(batch, 784), torch.randint(10, (batch,))
    layers = []
    for i in range(4):
        layers += [nn.Linear(widths[i], widths[i + 1]), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    weights = [layer.weight for layer in model if isinstance(layer, nn.Linear)]
    masks = [(torch.rand_like(w) < 0.05).float() for w in weights]
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def masked():
        with torch.enable_grad():
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(model(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            for weight, mask in zip(weights, masks):
                weight.mul_(mask)

    return {"torch, masked": masked}


def subnetwork_losses(count):
    x, y = torch.randn(1000, 784), torch.randint(10, (1000,))
    a, b, c = nn.Linear(784, 256), nn.Linear(256, 256), nn.Linear(256, 10)

    def mask():
        result = torch.zeros(256)
        result[torch.randperm(256)[:26]] = 1
        return result

    def run():
        best = float("inf")
        for _ in range(count):
            hidden = F.relu(b(F.relu(a(x)) * mask())) * mask()
            best = min(best, F.cross_entropy(c(hidden), y).item())
        return best

    return {"torch, masked": run}


WORKS = {
    "gradient-norms-cnn": gradient_norms_cnn,
    "gradient-norms-mlp": gradient_norms_mlp,
    "fastfood": fastfood,
    "random-mask": random_mask,
    "train-sparse-mlp": train_sparse_mlp,
    "subnetwork-losses": subnetwork_losses,
}
