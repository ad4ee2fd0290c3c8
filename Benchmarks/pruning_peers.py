"""Pruning in PyTorch: the formulas of M-FAC as its authors wrote them down, a plain greedy selection of components, and
truncation by a singular value decomposition."""

try:
    import torch
except ImportError:
    torch = None


def m_fac_product(count, dimension):
    """x / damping - (V x / delta) V, with the vectors v of the unrolled Sherman-Morrison formula as rows of V."""
    v = torch.randn(count, dimension)
    delta = torch.rand(count) + count
    x = torch.randn(dimension)

    def product():
        return 1e3 * x - (v.mv(x) / delta) @ v

    return {"torch": product}


def m_fac_set_up(count, dimension):
    """The recurrence for v and delta, and the diagonal."""
    gradients = torch.randn(count, dimension)

    def set_up(damping=1e-3):
        v = torch.empty_like(gradients)
        delta = torch.empty(count)
        for i in range(count):
            g = gradients[i]
            v[i] = g / damping
            if i > 0:
                v[i] -= (v[:i].mv(g) / delta[:i]) @ v[:i]
            delta[i] = count + g.dot(v[i])
        diagonal = torch.full((dimension,), 1 / damping)
        for i in range(count):
            diagonal -= v[i] ** 2 / delta[i]
        return diagonal

    return {"torch": set_up}


def m_fac_step(count, dimension):
    """The dynamic algorithm: one row replaced, the factors rebuilt, and the product."""
    gradients = torch.randn(count, dimension)
    dots = gradients @ gradients.T
    g = torch.randn(dimension)
    eye = torch.eye(count)

    def step(damping=1e-3):
        gradients[0] = g
        new = gradients.mv(g)
        dots[0, :] = new
        dots[:, 0] = new
        # There is no LU without pivoting on the CPU; this is the same triangle.
        lower = torch.linalg.cholesky(dots / damping + count * eye)
        upper = lower.T * lower.diagonal()[:, None]
        triangle = torch.triu(upper - count * eye)
        delta = count + triangle.diagonal()
        share = -triangle.T / delta
        rows = eye / damping
        for i in range(1, count):
            rows[i, :i] = share[i, :i] @ rows[:i, :i]
        value = new / damping
        for i in range(1, count):
            value[i:] -= triangle[i - 1, i:] * (value[i - 1] / delta[i - 1])
        return g / damping - ((value / delta) @ rows) @ gradients

    return {"torch": step}


def modhifi_gram(channels, images):
    filters = torch.randn(channels, channels, 3, 3)
    x = torch.randn(images, channels, 14, 14)

    def gram():
        w = filters.reshape(channels, -1)
        columns = torch.nn.functional.unfold(x, 3, padding=1)
        moment = torch.einsum("bip,bjp->ij", columns, columns)
        products = (w.T @ w) * moment / images
        return products.reshape(channels, 9, channels, 9).sum((1, 3))

    return {"torch": gram}


def modhifi_greedy(components, count):
    """Each candidate by a solve of its own, all candidates of a step in one batch."""
    contributions = torch.randn(components, 2_000, dtype=torch.float64)
    gram = contributions @ contributions.T
    shares = gram.sum(1)

    def select():
        taken = []
        for k in range(count):
            left = [c for c in range(components) if c not in set(taken)]
            sets = torch.tensor([taken + [c] for c in left])
            fidelities = []
            for part in sets.split(max(1, 20_000_000 // (k + 1) ** 2)):
                own = gram[part[:, :, None], part[:, None, :]]
                b = shares[part]
                fidelities.append((b * torch.linalg.solve(own, b)).sum(1))
            taken.append(left[int(torch.cat(fidelities).argmax())])
        return taken

    return {"torch": select}


def trp_truncation(rows, columns):
    weight = torch.randn(rows, columns)

    def truncate(energy=0.9):
        u, s, v = torch.linalg.svd(weight, full_matrices=False)
        share = (s**2).cumsum(0) / (s**2).sum()
        rank = int((share < energy).sum()) + 1
        return (u[:, :rank] * s[:rank]) @ v[:rank], u[:, :rank] @ v[:rank]

    return {"torch": truncate}


WORKS = {
    "m-fac-product": m_fac_product,
    "m-fac-set-up": m_fac_set_up,
    "m-fac-step": m_fac_step,
    "modhifi-gram": modhifi_gram,
    "modhifi-greedy": modhifi_greedy,
    "trp-truncation": trp_truncation,
}
