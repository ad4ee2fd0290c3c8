"""The peers' side of the benchmarks: reads requests as lines of JSON, answers with times.

["prepare", "gemm f32 1024"]  ->  {"peers": ["numpy", "torch"]}
["run", "torch", "0.005", "0.02"]  ->  {"seconds": 0.0112}
["versions"]                  ->  {"versions": {"numpy": "2.4.6", ...}}

With --memory-of "train-mlp 128" torch behind the folder and the threads it prints the memory of ten executions, and ends.
"""

import json
import os
import sys
import time

import numpy as np
import scipy
import scipy.fft
import scipy.linalg
import scipy.optimize
import scipy.special
import compression_peers
import recovery_peers
import sketching_peers
import solver_peers

try:
    import torch
except ImportError:
    torch = None

FOLDER, THREADS = sys.argv[1], int(sys.argv[2])
if torch is not None:
    torch.set_num_threads(THREADS)
    torch.set_grad_enabled(False)

TYPES = {"f32": np.float32, "f64": np.float64}


def normal(shape, kind, seed=1):
    name = "x".join(map(str, shape))
    return np.load(f"{FOLDER}/normal-{kind}-{name}-{seed}.npy")


def tensors(*arrays):
    return [torch.from_numpy(np.ascontiguousarray(a)) for a in arrays] if torch is not None else None


def peers(numpy=None, other=None, **more):
    """Functions by peer; those of packages that are not there are left out."""
    result = dict(more)
    if numpy is not None:
        result["numpy"] = numpy
    if other is not None and torch is not None:
        result["torch"] = other
    return result


# Core


def gemm(kind, n):
    a, b = normal((n, n), kind), normal((n, n), kind, 2)
    t = tensors(a, b)
    return peers(lambda: a @ b, lambda: t[0] @ t[1])


def batched_gemm(kind, batch, n):
    a, b = normal((batch, n, n), kind), normal((batch, n, n), kind, 2)
    t = tensors(a, b)
    return peers(lambda: a @ b, lambda: torch.bmm(t[0], t[1]))


def gram(kind, n):
    a = normal((n, n), kind)
    t = tensors(a)
    return peers(lambda: a @ a.T, lambda: t[0] @ t[0].T)


def unary(on_numpy, on_torch):
    def work(kind, n):
        x = np.abs(normal((n,), kind))
        t = tensors(x)
        return peers(lambda: on_numpy(x), lambda: on_torch(t[0]))

    return work


def binary(on_numpy, on_torch):
    def work(kind, n):
        x, y = np.abs(normal((n,), kind)), normal((n,), kind, 2)
        t = tensors(x, y)
        return peers(lambda: on_numpy(x, y), lambda: on_torch(t[0], t[1]))

    return work


def matrix(on_numpy, on_torch):
    def work(kind, n):
        x = normal((n, n), kind)
        t = tensors(x)
        return peers(on_numpy and (lambda: on_numpy(x)), on_torch and (lambda: on_torch(t[0])))

    return work


def sort(kind, n):
    x = normal((n,), kind)
    t = tensors(x)
    return peers(lambda: np.sort(x), lambda: torch.sort(t[0]))


def argsort(kind, n):
    x = normal((n,), kind)
    t = tensors(x)
    return peers(lambda: np.argsort(x), lambda: torch.argsort(t[0]))


def top_64(kind, n):
    x = normal((n,), kind)
    t = tensors(x)
    return peers(lambda: np.sort(x[np.argpartition(x, n - 64)[n - 64 :]]), lambda: torch.topk(t[0], 64))


def gather(kind, n):
    x, i = normal((n,), kind), np.load(f"{FOLDER}/indices-{n}.npy")
    t = tensors(x, i)
    return peers(lambda: x[i], lambda: t[0][t[1]])


def scatter_add(kind, n):
    x, i = normal((n,), kind), np.load(f"{FOLDER}/indices-{n}.npy")
    t = tensors(x, i)
    zeros = torch.zeros(n) if torch is not None else None

    def on_numpy():
        y = np.zeros(n, x.dtype)
        np.add.at(y, i, x)
        return y

    return peers(on_numpy, lambda: zeros.scatter_add(0, t[1], t[0]))


def transpose(kind, n):
    x = normal((n, n), kind)
    t = tensors(x)
    return peers(lambda: np.ascontiguousarray(x.T), lambda: t[0].T.contiguous())


def broadcast_add(kind, n):
    x, y = normal((n, n), kind), normal((n,), kind)
    t = tensors(x, y)
    return peers(lambda: x + y, lambda: t[0] + t[1])


def small_add(kind, n):
    x = normal((n,), kind)
    t = tensors(x)
    return peers(None, lambda: t[0] + t[0])


def random_normal(kind, n):
    generator = np.random.default_rng(1)
    return peers(lambda: generator.standard_normal(n), lambda: torch.randn(n, dtype=torch.float64))


# Linear algebra


def symmetric(kind, n):
    a = normal((n, n), kind)
    return (a + a.T) / 2


def definite(kind, n):
    a = normal((n, n), kind)
    return a @ a.T / n + np.eye(n, dtype=a.dtype)


def svd(kind, n):
    a = normal((n, n), kind)
    t = tensors(a)
    return peers(
        lambda: np.linalg.svd(a, full_matrices=False), lambda: torch.linalg.svd(t[0], full_matrices=False)
    )


def eigh(kind, n):
    a = symmetric(kind, n)
    t = tensors(a)
    return peers(lambda: np.linalg.eigh(a), lambda: torch.linalg.eigh(t[0]))


def eig(kind, n):
    a = normal((n, n), kind)
    t = tensors(a)
    return peers(lambda: np.linalg.eig(a), lambda: torch.linalg.eig(t[0]))


def qr(kind, n):
    a = normal((n, n), kind)
    t = tensors(a)
    return peers(lambda: np.linalg.qr(a), lambda: torch.linalg.qr(t[0]))


def cholesky(kind, n):
    a = definite(kind, n)
    t = tensors(a)
    return peers(lambda: np.linalg.cholesky(a), lambda: torch.linalg.cholesky(t[0]))


def solve(kind, n):
    a, b = normal((n, n), kind), normal((n, n), kind, 2)
    t = tensors(a, b)
    return peers(lambda: np.linalg.solve(a, b), lambda: torch.linalg.solve(t[0], t[1]))


def randomized_svd(kind, n, rank):
    from sklearn.utils.extmath import randomized_svd as sklearn_svd

    a = np.load(f"{FOLDER}/decaying-{kind}-{n}.npy")
    return peers(sklearn=lambda: sklearn_svd(a, rank, random_state=0))


def expm(kind, n):
    a = normal((n, n), kind) / 16
    t = tensors(a)
    work = peers(None, lambda: torch.linalg.matrix_exp(t[0]))
    return work | {"scipy": lambda: scipy.linalg.expm(a)}


def sylvester(kind, n):
    a, b, c = (normal((n, n), kind, seed) for seed in (1, 2, 3))
    return {"scipy": lambda: scipy.linalg.solve_sylvester(a, b, c)}


def assignment(kind, n):
    costs = normal((n, n), kind)
    return {"scipy": lambda: scipy.optimize.linear_sum_assignment(costs)}


def nnls(kind, n):
    a, b = normal((2 * n, n), kind), normal((2 * n,), kind)
    return {"scipy": lambda: scipy.optimize.nnls(a, b)}


def complex_normal(shape, kind):
    return normal(shape, kind) + 1j * normal(shape, kind, 2)


def fft(kind, n, batch):
    x = complex_normal((batch, n), kind)
    t = tensors(x)
    work = peers(lambda: np.fft.fft(x), lambda: torch.fft.fft(t[0]))
    return work | {"scipy": lambda: scipy.fft.fft(x, workers=THREADS)}


def rfft(kind, n, batch):
    x = normal((batch, n), kind)
    t = tensors(x)
    work = peers(lambda: np.fft.rfft(x), lambda: torch.fft.rfft(t[0]))
    return work | {"scipy": lambda: scipy.fft.rfft(x, workers=THREADS)}


def dct(kind, n, batch):
    x = normal((batch, n), kind)
    return {"scipy": lambda: scipy.fft.dct(x, workers=THREADS)}


def rfft2(kind, n):
    x = normal((n, n), kind)
    t = tensors(x)
    work = peers(lambda: np.fft.rfft2(x), lambda: torch.fft.rfft2(t[0]))
    return work | {"scipy": lambda: scipy.fft.rfft2(x, workers=THREADS)}


def fft3(kind, n):
    x = complex_normal((n, n, n), kind)
    t = tensors(x)
    work = peers(lambda: np.fft.fftn(x), lambda: torch.fft.fftn(t[0]))
    return work | {"scipy": lambda: scipy.fft.fftn(x, workers=THREADS)}


def laplacian(n):
    """The five-point Laplacian on an n x n grid."""
    import scipy.sparse as sparse

    line = sparse.diags([-1, 2, -1], [-1, 0, 1], shape=(n, n))
    return (sparse.kron(sparse.eye(n), line) + sparse.kron(line, sparse.eye(n))).tocsr()


def csr(kind, n, columns):
    a = laplacian(n).astype(TYPES[kind])
    x = normal((n * n, columns), kind) if columns > 1 else normal((n * n,), kind)
    if torch is None:
        return peers(lambda: a @ x)
    b = torch.sparse_csr_tensor(
        torch.from_numpy(a.indptr), torch.from_numpy(a.indices), torch.from_numpy(a.data), size=a.shape
    )
    t = tensors(x)
    return {"scipy": lambda: a @ x, "torch": lambda: b @ t[0]}


# Files


def read_checkpoint(path):
    from safetensors import safe_open

    def on_safetensors(framework):
        def run():
            total = 0.0
            with safe_open(path, framework=framework) as file:
                for name in file.keys():
                    tensor = file.get_tensor(name)
                    total += float(tensor.sum()) if str(tensor.dtype).endswith("float32") else 0
            return total

        return run

    def on_mapped():
        """The format is a header in JSON behind its length, and the numbers: NumPy alone can map it."""
        data = np.memmap(path, np.uint8, "r")
        size = int(data[:8].view(np.uint64)[0])
        total = 0.0
        for name, entry in json.loads(bytes(data[8 : 8 + size])).items():
            if entry.get("dtype") == "F32":
                first, last = entry["data_offsets"]
                total += float(data[8 + size + first : 8 + size + last].view(np.float32).sum())
        return total

    result = {"safetensors": on_safetensors("np"), "numpy, mapped": on_mapped}
    if torch is not None:
        result["safetensors, torch"] = on_safetensors("pt")
    return result


def compress_checkpoint(path):
    """The same ranks, the same factors, the same file, in plain PyTorch."""
    from safetensors.torch import load_file, save_file

    def on_torch():
        result = {}
        for name, weight in load_file(path).items():
            if weight.ndim != 2 or "embeddings" in name:
                result[name] = weight
                continue
            m, n = weight.shape
            rank = int(0.5 * m * n / (m + n))
            u, s, vt = torch.linalg.svd(weight, full_matrices=False)
            root = s[:rank].sqrt()
            result[name + ".left"] = (u[:, :rank] * root).contiguous()
            result[name + ".right"] = (root[:, None] * vt[:rank]).contiguous()
        save_file(result, f"{FOLDER}/compressed-by-torch.safetensors")

    return peers(None, on_torch)


# Methods


def weibull(count, n):
    from npm_weibull import extract_to_histogram, weibull_fit

    matrices = list(normal((count, n, n), "f32"))

    def with_package():
        return [weibull_fit(extract_to_histogram(matrix)) for matrix in matrices]

    return {"npm-weibull-py": with_package}


def welore(count, n):
    """The published search: all spectra, then tau in steps of 0.005."""
    matrices = normal((count, n, n), "f32")
    t = tensors(matrices)

    def scan(spectra):
        tau = 0.0
        while True:
            ranks = [max(1, int((s >= tau).sum())) for s in spectra]
            if sum(min(n * n, r * 2 * n) for r in ranks) <= 0.5 * count * n * n:
                return ranks
            tau += 0.005

    def on_torch():
        spectra = []
        for matrix in t[0]:
            s = torch.linalg.svdvals(matrix)
            spectra.append((s / s[0]).numpy())
        return scan(spectra)

    return peers(None, on_torch)


class IncrementalSVD:
    """Q diag(lambda) Q^T close to M M^T, updated block by block."""

    def __init__(self, block, rank, oversampling=5):
        self.rank, self.kept = rank, rank + oversampling
        u, s, _ = np.linalg.svd(block, full_matrices=False)
        self.q, self.squares = u[:, : self.kept], s[: self.kept] ** 2
        self.total = float((block * block).sum())

    def error(self):
        missing = self.total - self.squares[: self.rank].sum()
        return np.sqrt(max(missing, 0) / self.total)

    def appended(self, block):
        y = self.q.T @ block
        r = block - self.q @ y
        correction = self.q.T @ r
        r, y = r - self.q @ correction, y + correction
        q, b = np.linalg.qr(r)
        small = np.block([[np.diag(self.squares) + y @ y.T, y @ b.T], [b @ y.T, b @ b.T]])
        values, vectors = np.linalg.eigh(small)
        top = np.arange(len(values))[::-1][: self.kept]
        result = object.__new__(IncrementalSVD)
        result.rank, result.kept = self.rank, self.kept
        result.q, result.squares = np.hstack([self.q, q]) @ vectors[:, top], np.maximum(values[top], 0)
        result.total = self.total + float((block * block).sum())
        return result


class RecomputedSVD:
    """The same by a new decomposition of everything for each block."""

    def __init__(self, block, rank):
        self.rank, self.blocks = rank, [block]
        u, self.values, _ = np.linalg.svd(block, full_matrices=False)
        self.q = u[:, :rank]

    def error(self):
        squares = self.values**2
        return np.sqrt(max(1 - squares[: self.rank].sum() / squares.sum(), 0))

    def appended(self, block):
        result = object.__new__(RecomputedSVD)
        result.rank, result.q, result.blocks = self.rank, self.q, self.blocks + [block]
        result.values = np.linalg.svd(np.hstack(result.blocks), compute_uv=False)
        return result


def cluster(blocks, rank, tolerance, state, patience=10):
    norms = np.array([np.linalg.norm(block) for block in blocks])
    waiting, clusters, lonely = list(np.argsort(-norms)), [], 0
    while waiting and lonely < patience:
        base = waiting.pop(0)
        current, members = state(blocks[base], rank), [base]
        residuals = [np.linalg.norm(blocks[i] - current.q @ (current.q.T @ blocks[i])) for i in waiting]
        for i in [waiting[j] for j in np.argsort(residuals)]:
            trial = current.appended(blocks[i])
            if trial.error() > tolerance:
                break
            current = trial
            members.append(i)
        waiting = [i for i in waiting if i not in members]
        lonely = lonely + 1 if len(members) == 1 else 0
        clusters.append(members)
    return clusters + [[i] for i in waiting]


def concat_svd(count, m, n):
    groups = count // 10
    bases, mixes = normal((groups, m, n), "f32"), normal((count, n, n), "f32")
    noise = normal((count, m, n), "f32", 2)
    blocks = [(bases[i % groups] @ mixes[i] / 16 + noise[i] * np.float32(0.03)).astype(np.float64) for i in range(count)]
    return {
        "numpy, incremental": lambda: cluster(blocks, n, 0.15, IncrementalSVD),
        "numpy, recomputed": lambda: cluster(blocks, n, 0.15, RecomputedSVD),
    }


def log_bessel(kind, n, _):
    """By the scaled functions, which still vanish or overflow for a quarter of the points."""
    v, x = np.exp(np.clip(normal((2, n), "f64"), -2, 2) * 4.6 + 2.3)

    def scaled():
        with np.errstate(divide="ignore"):
            return np.log(scipy.special.ive(v, x)) + x if kind == "i" else np.log(scipy.special.kve(v, x)) - x

    return {"scipy": scaled}


WORKS = {
    "gemm": gemm,
    "batched-gemm": batched_gemm,
    "gram": gram,
    "add": binary(np.add, lambda a, b: a + b),
    "multiply-add": binary(lambda a, b: a * b + a, lambda a, b: torch.addcmul(a, a, b)),
    "exp": unary(np.exp, lambda a: torch.exp(a)),
    "log": unary(np.log, lambda a: torch.log(a)),
    "tanh": unary(np.tanh, lambda a: torch.tanh(a)),
    "erf": unary(scipy.special.erf, lambda a: torch.erf(a)),
    "sigmoid": unary(scipy.special.expit, lambda a: torch.sigmoid(a)),
    "pow": binary(np.power, lambda a, b: torch.pow(a, b)),
    "sum": matrix(np.sum, lambda a: a.sum()),
    "sum-rows": matrix(lambda a: a.sum(1), lambda a: a.sum(1)),
    "sum-columns": matrix(lambda a: a.sum(0), lambda a: a.sum(0)),
    "max": matrix(np.max, lambda a: a.max()),
    "max-rows": matrix(lambda a: a.max(1), lambda a: a.amax(1)),
    "max-columns": matrix(lambda a: a.max(0), lambda a: a.amax(0)),
    "logsumexp": matrix(lambda a: scipy.special.logsumexp(a, 1), lambda a: torch.logsumexp(a, 1)),
    "softmax": matrix(lambda a: scipy.special.softmax(a, 1), lambda a: torch.softmax(a, 1)),
    "variance": matrix(lambda a: a.var(1), lambda a: torch.var(a, 1, correction=0)),
    "cumsum": matrix(lambda a: np.cumsum(a, 1), lambda a: torch.cumsum(a, 1)),
    "sort": sort,
    "argsort": argsort,
    "top-64": top_64,
    "gather": gather,
    "scatter-add": scatter_add,
    "transpose": transpose,
    "broadcast-add": broadcast_add,
    "small-add": small_add,
    "random-normal": random_normal,
    "svd": svd,
    "eigh": eigh,
    "eig": eig,
    "qr": qr,
    "cholesky": cholesky,
    "solve": solve,
    "randomized-svd": randomized_svd,
    "expm": expm,
    "sylvester": sylvester,
    "assignment": assignment,
    "nnls": nnls,
    "fft": fft,
    "rfft": rfft,
    "dct": dct,
    "rfft2": rfft2,
    "fft3": fft3,
    "csr": csr,
    "read-checkpoint": read_checkpoint,
    "compress-checkpoint": compress_checkpoint,
    "weibull": weibull,
    "welore": welore,
    "concat-svd": concat_svd,
    "log-bessel": log_bessel,
}
sketching_peers.normal = normal
solver_peers.normal = normal
solver_peers.folder = FOLDER
WORKS |= sketching_peers.WORKS | compression_peers.WORKS | recovery_peers.WORKS | solver_peers.WORKS
if torch is not None:
    import learning_peers
    import prior_peers
    import pruning_peers
    import quantization_peers
    import selection_peers

    for module in [learning_peers, pruning_peers, quantization_peers, selection_peers]:
        WORKS |= module.WORKS
    WORKS |= prior_peers.works(normal)


def memory(field):
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0


def memory_use(function):
    """Megabytes that were resident at most, above what was before: within one execution, and within ten."""
    before = memory("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    function()
    after_one = memory("VmHWM") - before
    for _ in range(9):
        function()
    return {"afterOne": after_one / 2**20, "afterTen": (memory("VmHWM") - before) / 2**20}


def run(function, round_time, settling_time):
    """Seconds for one execution, after untimed ones for a while: as the runner times its own side."""
    start = time.perf_counter()
    once = None
    while once is None or time.perf_counter() - start < settling_time:
        begin = time.perf_counter()
        function()
        once = time.perf_counter() - begin
    if once > 1:  # long enough to count as it is
        return {"seconds": once}
    repeats = max(1, min(100_000, int(round_time / max(once, 1e-9))))
    begin = time.perf_counter()
    for _ in range(repeats):
        function()
    return {"seconds": (time.perf_counter() - begin) / repeats}


def versions():
    import importlib.metadata as metadata

    names = ["numpy", "scipy", "torch", "scikit-learn", "safetensors", "transformers", "npm-weibull-py", "pyamg", "dppy"]
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
    return {"versions": found | {"python": sys.version.split()[0]}}


def prepare(work):
    """Peers by name, ready to run."""
    name, *rest = work.split()
    return WORKS[name](*[int(word) if word.isdigit() else word for word in rest])


def main():
    if sys.argv[3:4] == ["--memory-of"]:
        print(json.dumps(memory_use(prepare(sys.argv[4])[sys.argv[5]])))
        return
    functions = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request[0] == "prepare":
                functions = prepare(request[1])
                answer = {"peers": list(functions)}
            elif request[0] == "run":
                answer = run(functions[request[1]], float(request[2]), float(request[3]))
            elif request[0] == "error":  # of the function's last result
                answer = {"value": float(functions[request[1]].error())}
            else:
                answer = versions()
        except Exception as error:  # the runner prints it beside the row
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
