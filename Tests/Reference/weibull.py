"""Weibull fits and magnitude metrics by the reference implementation: writes weibull.json beside itself.

Needs: numpy, scipy, npm-weibull-py==0.4.0.
"""
import json
import pathlib

import numpy as np
from npm_weibull.core.distfree import per_block_metrics
from npm_weibull.core.weibull import weibull_fit

edges = np.linspace(-12, 2, 1025)


def histogram(values):
    magnitudes = np.clip(np.abs(values.astype(np.float64)), 1e-13, None)
    return np.histogram(np.log10(magnitudes), bins=edges)[0]


def case(values):
    counts = histogram(values)
    occupied = np.flatnonzero(counts)
    first, last = int(occupied[0]), int(occupied[-1])
    fits = {}
    for name, trim in [("middle80", "mid_80"), ("middle90", "mid_90"), ("full", "full_range")]:
        fit = weibull_fit((edges, counts), trim=trim)
        fits[name] = {"shape": fit["k"], "scale": fit["lambda"], "rSquared": fit["R2"], "pointsUsed": fit["n_used"]}
    metrics = per_block_metrics((edges, counts))
    return {
        "firstBin": first, "counts": counts[first:last + 1].tolist(), "fits": fits, "gini": metrics["gini"],
        "median": metrics["median_abs_w"], "interdecileRatio": metrics["q90_q10"], "tailRatio": metrics["q99_q50"],
    }


rng = np.random.default_rng(26)
# Numbers that a test can rebuild exactly: multiples of a constant modulo 2^32, cubed.
index = np.arange(200_000, dtype=np.uint64)
sequence = ((index * 2654435761) % 2**32).astype(np.float64) / 2.0**31 - 1
result = {
    "gaussian": case(rng.normal(0, 0.02, 300_000)),
    "studentT3": case(rng.standard_t(3, 100_000) * 0.01),
    "laplace": case(rng.laplace(0, 0.05, 20_000)),
    "uniform": case(rng.uniform(-1, 1, 50_000)),
    "small": case(rng.normal(0, 1, 500)),
    "mixture": case(np.concatenate([rng.normal(0, 0.1, 30_000), rng.normal(0, 0.001, 70_000)])),
    "sparse": case(np.where(rng.random(100_000) < 0.3, 0.0, rng.normal(0, 0.1, 100_000))),
    "sequence": case(sequence**3 * 0.05),
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(result, separators=(",", ":")) + "\n")
for name, values in result.items():
    print(name, {trim: (fit["shape"], fit["scale"]) for trim, fit in values["fits"].items()})
