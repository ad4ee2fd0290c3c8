"""Convolutions, pooling and interpolation by PyTorch in f64: writes convolutions.json beside this file."""

import json
import pathlib

import torch
import torch.nn.functional as F


def pattern(shape):
    """Numbers that the tests make again: sin(1), sin(2), ..., in row-major order."""
    count = torch.Size(shape).numel()
    return torch.sin(torch.arange(1, count + 1, dtype=torch.float64)).reshape(shape)


def case(name, shape, function, **options):
    x = pattern(shape).requires_grad_()
    y = function(x)
    (gradient,) = torch.autograd.grad((y * pattern(y.shape)).sum(), x)
    return dict(
        name=name, shape=list(shape), result=list(y.shape), value=y.flatten().tolist(),
        gradient=gradient.flatten().tolist(), **options)


cases = []
for size, arguments in (([2, 3, 9], 1), ([1, 2, 7, 6], 2), ([1, 2, 4, 3, 5], 3)):
    axes = arguments
    x = size
    convolve = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
    transpose = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]
    channels = x[1]
    w = pattern([4, channels] + [3, 2, 2][:axes])
    b = pattern([4])
    cases.append(case("convolution", x, lambda x: convolve(x, w, b, stride=2, padding=1, dilation=2)))
    v = pattern([channels, 4] + [3, 2, 2][:axes])
    cases.append(case("transpose", x, lambda x: transpose(x, v, b, stride=2, padding=1, output_padding=1)))
    maximum = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[axes - 1]
    average = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[axes - 1]
    cases.append(case("maximum", x, lambda x: maximum(x, 3, 2, 1)))
    cases.append(case("maximum of ties", x, lambda x: maximum((x * 2).round(), 3, 1, 1) + 0 * x.sum()))
    cases.append(case("average", x, lambda x: average(x, 3, 2, 1)))
    cases.append(case("average without padding", x, lambda x: average(x, 3, 2, 1, count_include_pad=False)))
    adaptive = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[axes - 1]
    adaptive_maximum = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)[axes - 1]
    cases.append(case("adaptive average", x, lambda x: adaptive(x, [3] * axes)))
    cases.append(case("adaptive maximum", x, lambda x: adaptive_maximum(x, [3] * axes)))
    linear = ("linear", "bilinear", "trilinear")[axes - 1]
    for extent in (3, 6):
        cases.append(case(f"nearest to {extent}", x, lambda x: F.interpolate(x, [extent] * axes)))
        for aligned in (False, True):
            cases.append(case(
                f"linear to {extent}{' aligned' if aligned else ''}", x,
                lambda x: F.interpolate(x, [extent] * axes, mode=linear, align_corners=aligned)))
            if axes == 2:
                cases.append(case(
                    f"cubic to {extent}{' aligned' if aligned else ''}", x,
                    lambda x: F.interpolate(x, [extent] * axes, mode="bicubic", align_corners=aligned)))
    cases.append(case(
        "linear by 1.7", x, lambda x: F.interpolate(x, scale_factor=1.7, mode=linear, align_corners=False)))
    for name, mode in (("reflecting", "reflect"), ("replicating", "replicate"), ("wrapping", "circular")):
        cases.append(case(name, x, lambda x: F.pad(x, [1, 2] * axes, mode=mode)))
    if axes == 2:
        cases.append(case("unfolded", x, lambda x: F.unfold(x, (3, 2), dilation=1, padding=1, stride=2)))


def rounded(numbers):
    return [float(f"{number:.12g}") for number in numbers]


for entry in cases:
    entry["value"] = rounded(entry["value"])
    entry["gradient"] = rounded(entry["gradient"])
path = pathlib.Path(__file__).with_name("convolutions.json")
path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
print(path.stat().st_size, len(cases))
