"""Linear solvers, clusters of graphs, unmixing and graph networks as users of PyAMG, SciPy, scikit-learn, PySptools and
PyTorch do them. Needs `pip install pyamg scikit-learn pysptools`; peers that are not there are left out."""

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spl

normal = None  # set by peers.py: reads the input that both sides share
folder = None  # set by peers.py: where the runner writes inputs


def laplacian(n):
    line = sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n))
    eye = sp.identity(n)
    return (sp.kron(line, eye) + sp.kron(eye, line)).tocsr()


def amg_solve(n):
    import pyamg

    a, b = laplacian(n), normal((n * n,), "f64")

    def run(build, **options):
        return lambda: build(a).solve(b, tol=1e-8, accel="cg", maxiter=200, **options)

    return {
        "pyamg smoothed_aggregation": run(pyamg.smoothed_aggregation_solver),
        "pyamg pairwise": run(pyamg.pairwise_solver) if hasattr(pyamg, "pairwise_solver") else run(
            pyamg.smoothed_aggregation_solver),
    }


def amg_setup(n):
    import pyamg

    a = laplacian(n)
    return {"pyamg smoothed_aggregation": lambda: pyamg.smoothed_aggregation_solver(a)}


def sor_sweeps(n):
    import pyamg

    a, b = laplacian(n), normal((n * n,), "f64")
    x = np.zeros_like(b)

    def run():
        for _ in range(10):
            pyamg.relaxation.relaxation.sor(a, x, b, 1.5)
            b - a @ x

    return {"pyamg sor": run}


def sor_sequence(count, n):
    """Over-relaxation by triangular solves, at a good fixed factor."""
    a, loads = laplacian(n), normal((count, n * n), "f64")
    eye = sp.identity(n * n, format="csr")

    def run():
        for t in range(count):
            m = (a + (-0.15 + 0.6 * (t % 17) / 17) * eye).tocsr()
            b, x = loads[t], np.zeros(n * n)
            lower = (sp.tril(m, -1) + sp.diags(m.diagonal() / 1.6)).tocsr()
            r = b
            limit = 1e-8 * np.linalg.norm(b)
            while np.linalg.norm(r) > limit:
                x = x + spl.spsolve_triangular(lower, r)
                r = b - m @ x

    return {"scipy spsolve_triangular": run}


def graph_clusters(count, classes):
    from sklearn.cluster import SpectralClustering
    from sklearn.metrics import normalized_mutual_info_score

    rows, columns = np.load(f"{folder}/graph-{count}-{classes}.npy").astype(int)
    graph = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, count))

    def run(solver):
        model = SpectralClustering(
            classes, affinity="precomputed", eigen_solver=solver, assign_labels="kmeans", random_state=1)

        def fit():
            return model.fit(graph)

        fit.error = lambda: 1 - normalized_mutual_info_score(np.arange(count) % classes, model.labels_)
        return fit

    result = {"scikit-learn lobpcg": run("lobpcg")}
    try:
        import pyamg  # noqa: F401

        result["scikit-learn amg"] = run("amg")
    except ImportError:
        pass
    return result


def unmixing(channels, pixels, count):
    from sklearn.decomposition import NMF

    y = np.abs(normal((channels, pixels), "f64"))
    m, a = np.abs(normal((channels, count), "f64")), np.abs(normal((count, pixels), "f64"))

    def run():
        model = NMF(count, solver="mu", init="custom", max_iter=100, tol=0)
        return model.fit_transform(y, W=m.copy(), H=a.copy())

    return {"scikit-learn NMF mu": run}


def fcls(channels, pixels, count):
    from scipy.optimize import nnls

    y = np.abs(normal((channels, pixels), "f64"))
    m = np.abs(normal((channels, count), "f64"))
    weight = 100 * np.sqrt((m * m).sum(0).mean())
    below = np.vstack([m, np.full((1, count), weight)])

    def loop():
        return [nnls(below, np.append(y[:, i], weight))[0] for i in range(pixels)]

    result = {"scipy nnls": loop}
    try:
        from pysptools.abundance_maps.amaps import FCLS

        result["pysptools FCLS"] = lambda: FCLS(y.T, m.T)
    except ImportError:
        pass
    return result


def stencil_cg(n):
    a, b = laplacian(n), normal((n * n,), "f64")
    return {"scipy cg": lambda: spl.cg(a, b, rtol=0, maxiter=50)}


def direction_network(torch, nn):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            def conv():
                return nn.Conv2d(16, 16, 3, padding=1)
            self.entry = nn.Conv2d(1, 16, 3, padding=1)
            self.before = nn.ModuleList(conv() for _ in range(4))
            self.trunk = nn.ModuleList(conv() for _ in range(6))
            self.after = nn.ModuleList(conv() for _ in range(4))
            self.exit = nn.Conv2d(16, 1, 1)

        def forward(self, x):
            f = torch.nn.functional
            fine = self.before[0](self.entry(x)).relu()
            side = self.before[1](fine).relu()
            fine = self.before[2](side).relu() + fine
            side = self.before[3](fine).relu()
            p = f.avg_pool2d(side, 2)
            for i in range(0, 6, 2):
                p = self.trunk[i + 1](self.trunk[i](p).relu()).relu() + p
            p = f.interpolate(p, scale_factor=2) + side
            for i in range(0, 4, 2):
                p = self.after[i + 1](self.after[i](p).relu()).relu() + p
            return self.exit(p)

    return Network()


def direction_forward(n):
    import torch
    from torch import nn

    model = direction_network(torch, nn).eval()
    x = torch.from_numpy(normal((1, 1, n, n), "f32"))

    def run():
        with torch.inference_mode():
            return model(x)

    return {"torch": run}


def direction_step(n):
    import torch
    from torch import nn

    model = direction_network(torch, nn)
    x = torch.from_numpy(normal((10, 1, n, n), "f32"))
    kernel = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]).reshape(1, 1, 3, 3)

    def run():
        with torch.enable_grad():
            model.zero_grad()
            d = model(x)
            image = torch.nn.functional.conv2d(d, kernel, padding=1)
            alpha = (d * x).sum((1, 2, 3), keepdim=True) / (d * image).sum((1, 2, 3), keepdim=True)
            ((x - alpha * image) ** 2).sum().div(10).backward()

    return {"torch": run}


def graph(count):
    import torch

    nodes, degree = 35, 8
    places = np.arange(nodes * degree)
    sources = np.concatenate([(places * 7919 + g * 31 + 17) % nodes + g * nodes for g in range(count)])
    ends = np.concatenate([places // degree + g * nodes for g in range(count)])
    return torch.from_numpy(sources), torch.from_numpy(ends), nodes * count


def picard(torch, w, b, u, v, gamma, steps):
    z = torch.zeros_like(b)
    for _ in range(steps):
        z = gamma * torch.zeros_like(b).index_add(0, v, w * z[u]) + b
    return z


def graph_fixed_point(count):
    import torch

    u, v, n = graph(count)
    b = torch.from_numpy(normal((n, 64), "f32"))
    w = torch.full((len(u), 64), 0.125)

    def run():
        with torch.no_grad():
            return picard(torch, w, b, u, v, 0.9, 50)

    return {"torch": run}


def graph_solver_step(count):
    """The same network with index_add, and the implicit way back by a hook."""
    import torch
    from torch import nn

    u, v, n = graph(count)

    def mlp(i, h, o):
        return nn.Sequential(nn.Linear(i, h), nn.LeakyReLU(), nn.Linear(h, o))

    class Layer(nn.Module):
        def __init__(self, ni, ei, no, eo, last):
            super().__init__()
            self.edge, self.attention = mlp(ei + 2 * ni, 64, eo), mlp(ei + 2 * ni, 64, 1)
            self.node, self.last = mlp(eo + ni, 64, no), last

        def forward(self, x, e):
            joined = torch.cat([e, x[u], x[v]], 1)
            act = (lambda t: t) if self.last else nn.functional.leaky_relu
            message, score = act(self.edge(joined)), self.attention(joined)
            top = torch.full((n, 1), -torch.inf).scatter_reduce(0, v[:, None], score.detach(), "amax")
            power = (score - top[v]).exp()
            share = power / torch.zeros(n, 1).index_add(0, v, power)[v]
            received = torch.zeros(n, message.shape[1]).index_add(0, v, message * share)
            return act(self.node(torch.cat([received, x], 1))), message

    layers = nn.ModuleList([Layer(1, 1, 64, 64, False), Layer(64, 64, 64, 64, False), Layer(64, 64, 64, 64, False),
                            Layer(64, 64, 64, 64, True)])
    decoder = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(), nn.Linear(64, 32), nn.LeakyReLU(), nn.Linear(32, 1))
    edges = torch.from_numpy(normal((len(u), 1), "f32"))

    def run():
        with torch.enable_grad():
            layers.zero_grad(), decoder.zero_grad()
            x, e = torch.ones(n, 1), edges
            for layer in layers:
                x, e = layer(x, e)
            w = e.clamp(0, 1) / 8
            with torch.no_grad():
                fixed = picard(torch, w, x, u, v, 0.5, 25)
            z = 0.5 * torch.zeros_like(x).index_add(0, v, w * fixed[u]) + x
            z.register_hook(lambda g: picard(torch, w.detach(), g, v, u, 0.5, 25))
            decoder(z).square().mean().backward()

    return {"torch": run}


WORKS = {
    "amg-solve": amg_solve,
    "amg-setup": amg_setup,
    "sor-sweeps": sor_sweeps,
    "sor-sequence": sor_sequence,
    "graph-clusters": graph_clusters,
    "unmixing": unmixing,
    "fcls": fcls,
    "stencil-cg": stencil_cg,
    "direction-forward": direction_forward,
    "direction-step": direction_step,
    "graph-fixed-point": graph_fixed_point,
    "graph-solver-step": graph_solver_step,
}
