"""Trajectories of optimizers over 100 steps in f64: writes optimizers.json beside itself.

Run: python3 Tests/Reference/optimizers.py
Needs: torch >= 2.9, numpy. PyTorch's optimizers where it has them; Lion, Signum and AdEMAMix from the papers' formulas.

The problem has three tensors, a matrix W [3, 4], a vector b [3] and a number s, and the loss

    1/2 sum a_ij (W_ij - c_ij)^2 + sum cos(2 b_i + s) + 0.1 sum (W x - b)^4 / (1 + s^2),

a stretched bowl and hills, with a, c and x given by formulas that the Swift test repeats.
"""

import json
import math
import pathlib

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
STEPS = 100
NAMES = ["layer.weight", "layer.bias", "scale"]


def starting_point():
    i, j = np.indices((3, 4))
    weight = np.sin(1.3 * i + 0.7 * j)
    bias = np.cos(np.arange(3) + 0.5)
    return [torch.tensor(weight), torch.tensor(bias), torch.tensor([0.3])]


def loss(parameters):
    weight, bias, scale = parameters
    i, j = torch.meshgrid(torch.arange(3.0), torch.arange(4.0), indexing="ij")
    stretch = 0.2 + i + 0.5 * j
    centre = torch.cos(i * j + 1)
    x = torch.sin(torch.arange(4.0) + 1)
    bowl = 0.5 * (stretch * (weight - centre) ** 2).sum()
    hills = torch.cos(2 * bias + scale).sum()
    quartic = 0.1 * ((weight @ x - bias) ** 4).sum() / (1 + scale[0] ** 2)
    return bowl + hills + quartic


def recorded(parameters):
    return np.concatenate([p.detach().numpy().ravel() for p in parameters])


def trajectory(make, schedule=None, clip_norm=None, clip_value=None):
    """Parameters after 1, 2, 10 and 100 steps."""
    parameters = [p.clone().requires_grad_() for p in starting_point()]
    optimizers = make(parameters)
    optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
    schedulers = [schedule(o) for o in optimizers] if schedule else []
    rows = {}
    for step in range(1, STEPS + 1):
        for o in optimizers:
            o.zero_grad()
        loss(parameters).backward()
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        if clip_value is not None:
            torch.nn.utils.clip_grad_value_(parameters, clip_value)
        for o in optimizers:
            o.step()
        for s in schedulers:
            s.step()
        if step in (1, 2, 10, STEPS):
            rows[step] = recorded(parameters).tolist()
    return rows


class FromFormula(torch.optim.Optimizer):
    """An optimizer written as a function of NumPy arrays: rule(parameter, gradient, state, step) -> new parameter."""

    def __init__(self, parameters, rule):
        super().__init__(parameters, {})
        self.rule = rule
        self.count = 0

    @torch.no_grad()
    def step(self):
        self.count += 1
        for group in self.param_groups:
            for p in group["params"]:
                memory = self.state[p]
                p.copy_(torch.tensor(self.rule(p.numpy(), p.grad.numpy(), memory, self.count)))


def lion(rate, beta1, beta2, decay):
    """Chen et al., "Symbolic discovery of optimization algorithms", 2023, program 1 / algorithm 2."""

    def rule(p, g, memory, step):
        m = memory.get("m", np.zeros_like(g))
        update = np.sign(beta1 * m + (1 - beta1) * g)
        memory["m"] = beta2 * m + (1 - beta2) * g
        return p - rate * (update + decay * p)

    return rule


def signum(rate, beta, decay):
    """Bernstein et al., "signSGD", 2018, algorithm 2, with weight decay apart from the gradient."""

    def rule(p, g, memory, step):
        m = beta * memory.get("m", np.zeros_like(g)) + (1 - beta) * g
        memory["m"] = m
        return p - rate * (np.sign(m) + decay * p)

    return rule


def ademamix(rate, beta1, beta2, beta3, alpha, warm_up, decay, eps=1e-8):
    """Pagliardini et al., "The AdEMAMix optimizer", 2024: algorithm 1 and its two schedules."""

    def rule(p, g, memory, step):
        a, slow_beta = alpha, beta3
        if warm_up:
            part = step / warm_up
            a = min(part * alpha, alpha)
            low, high = math.log(beta1), math.log(beta3)
            if part < 1:
                slow_beta = min(math.exp(low * high / ((1 - part) * high + part * low)), beta3)
        m1 = beta1 * memory.get("m1", np.zeros_like(g)) + (1 - beta1) * g
        m2 = slow_beta * memory.get("m2", np.zeros_like(g)) + (1 - slow_beta) * g
        v = beta2 * memory.get("v", np.zeros_like(g)) + (1 - beta2) * g * g
        memory.update(m1=m1, m2=m2, v=v)
        direction = (m1 / (1 - beta1**step) + a * m2) / (np.sqrt(v / (1 - beta2**step)) + eps)
        return p - rate * (direction + decay * p)

    return rule


def orthogonalize_in_f64(matrix, coefficients, steps, eps):
    """PyTorch's Newton-Schulz iteration, which computes in bfloat16, in f64."""
    a, b, c = coefficients
    x = matrix.double()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


torch.optim._muon._zeropower_via_newtonschulz = orthogonalize_in_f64


def muon(adjust, nesterov=True):
    def make(p):
        return [
            torch.optim.Muon([p[0]], lr=0.02, weight_decay=0.1, momentum=0.95, nesterov=nesterov, adjust_lr_fn=adjust),
            torch.optim.AdamW(p[1:], lr=0.01, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.05),
        ]

    return make


def lbfgs(calls, **options):
    """Parameters and loss after each of a few calls of `step`, and the evaluations used."""
    parameters = [p.clone().requires_grad_() for p in starting_point()]
    optimizer = torch.optim.LBFGS(parameters, **options)
    rows = []

    def closure():
        optimizer.zero_grad()
        value = loss(parameters)
        value.backward()
        return value

    for _ in range(calls):
        optimizer.step(closure)
        state = optimizer.state[parameters[0]]
        rows.append({"parameters": recorded(parameters).tolist(), "evaluations": state["func_evals"]})
    return rows


torch_optim = torch.optim
schedules = torch.optim.lr_scheduler
trajectories = {
    "sgd": trajectory(lambda p: torch_optim.SGD(p, lr=0.05)),
    "sgd momentum": trajectory(lambda p: torch_optim.SGD(p, lr=0.02, momentum=0.9, dampening=0.1, weight_decay=0.03)),
    "sgd nesterov": trajectory(lambda p: torch_optim.SGD(p, lr=0.02, momentum=0.8, nesterov=True)),
    "sgd clipped by norm": trajectory(lambda p: torch_optim.SGD(p, lr=0.05, momentum=0.5), clip_norm=0.7),
    "sgd clipped by value": trajectory(lambda p: torch_optim.SGD(p, lr=0.05), clip_value=0.2),
    "adam": trajectory(lambda p: torch_optim.Adam(p, lr=0.03)),
    "adam decay": trajectory(lambda p: torch_optim.Adam(p, lr=0.03, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1)),
    "adam amsgrad": trajectory(lambda p: torch_optim.Adam(p, lr=0.1, betas=(0.9, 0.9), amsgrad=True)),
    "adamw": trajectory(lambda p: torch_optim.AdamW(p, lr=0.05, weight_decay=0.2)),
    "adamw amsgrad": trajectory(lambda p: torch_optim.AdamW(p, lr=0.05, betas=(0.9, 0.8), amsgrad=True)),
    "adamw groups": trajectory(
        lambda p: torch_optim.AdamW(
            [
                {"params": [p[0]]},
                {"params": [p[1]], "weight_decay": 0.0},
                {"params": [p[2]], "lr": 0.002, "weight_decay": 0.5},
            ],
            lr=0.05,
            weight_decay=0.2,
        )
    ),
    "adamw cosine": trajectory(
        lambda p: torch_optim.AdamW(p, lr=0.05, weight_decay=0.2),
        lambda o: schedules.CosineAnnealingLR(o, T_max=100, eta_min=0.005),
    ),
    "rmsprop": trajectory(lambda p: torch_optim.RMSprop(p, lr=0.01, weight_decay=0.05)),
    "rmsprop centered": trajectory(lambda p: torch_optim.RMSprop(p, lr=0.01, alpha=0.9, centered=True, eps=1e-2)),
    "rmsprop momentum": trajectory(lambda p: torch_optim.RMSprop(p, lr=0.005, momentum=0.7)),
    "rmsprop both": trajectory(
        lambda p: torch_optim.RMSprop(p, lr=0.002, alpha=0.9, momentum=0.7, centered=True, eps=1e-4)
    ),
    "adagrad": trajectory(
        lambda p: torch_optim.Adagrad(p, lr=0.2, lr_decay=0.01, weight_decay=0.02, initial_accumulator_value=0.1)
    ),
    "lion": trajectory(lambda p: FromFormula(p, lion(0.01, 0.9, 0.99, 0.1))),
    "signum": trajectory(lambda p: FromFormula(p, signum(0.01, 0.9, 0.05))),
    "ademamix": trajectory(lambda p: FromFormula(p, ademamix(0.01, 0.9, 0.999, 0.9999, 8, None, 0.1))),
    "ademamix warm-up": trajectory(lambda p: FromFormula(p, ademamix(0.01, 0.9, 0.99, 0.999, 5, 60, 0.1))),
    "muon": trajectory(muon("original")),
    "muon moonlight": trajectory(muon("match_rms_adamw", nesterov=False)),
}


def rates(make, steps=40):
    optimizer = torch_optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = make(optimizer)
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return values


def warmed_up(optimizer):
    first = schedules.LinearLR(optimizer, start_factor=1 / 9, total_iters=8)
    rest = schedules.CosineAnnealingLR(optimizer, T_max=32)
    return schedules.SequentialLR(optimizer, [first, rest], milestones=[8])


factors = {
    "cosine": rates(lambda o: schedules.CosineAnnealingLR(o, T_max=39, eta_min=0.1)),
    "warm-up cosine": rates(warmed_up),
    "step": rates(lambda o: schedules.StepLR(o, step_size=7, gamma=0.3)),
    "exponential": rates(lambda o: schedules.ExponentialLR(o, gamma=0.9)),
    "one-cycle": rates(
        lambda o: schedules.OneCycleLR(o, max_lr=1.0, total_steps=41, pct_start=0.3, cycle_momentum=False)
    ),
}

searches = {
    "strong Wolfe": lbfgs(8, lr=1, max_iter=4, history_size=5, line_search_fn="strong_wolfe"),
    "long steps": lbfgs(3, lr=6, max_iter=6, history_size=3, line_search_fn="strong_wolfe"),
    "fixed steps": lbfgs(20, lr=0.3, max_iter=1, history_size=4),
}

path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"trajectories": trajectories, "schedules": factors, "lbfgs": searches}, indent=0))
print(path.stat().st_size, "bytes")
