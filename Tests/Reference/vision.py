"""What PyTorch computes for the layers and models of images: values, gradients and running statistics in f64.

Writes vision_*.safetensors beside itself. Run with PyTorch 2.x and safetensors installed.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations

folder = Path(__file__).parent


def save(name, tensors):
    save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()},
              folder / f"vision_{name}.safetensors")


def randomize(module):
    """Moves every parameter and buffer away from where it starts."""
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            if tensor.dim() > 1:
                tensor.copy_(torch.randn_like(tensor) / tensor[0].numel() ** 0.5)
            else:
                tensor.copy_((1 if "weight" in name else 0) + 0.3 * torch.randn_like(tensor))
        for name, tensor in module.named_buffers():
            if name.endswith("running_mean"):
                tensor.copy_(0.3 * torch.randn_like(tensor))
            if name.endswith("running_var"):
                tensor.copy_(1 + torch.rand_like(tensor))
    return module


def states(module, prefix):
    return {f"{prefix}.{name}": tensor.clone() for name, tensor in module.state_dict().items()
            if not name.endswith("num_batches_tracked")}


def gradients(module, prefix):
    return {f"{prefix}.{name}": tensor.grad for name, tensor in module.named_parameters()}


# Residual networks for small images.

class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, projection):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs
        if projection and (stride != 1 or inputs != outputs):
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if hasattr(self, "downsample"):
            return F.relu(inner + self.downsample(x))
        return F.relu(inner + F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, 0, self.added)))


class ResNet(nn.Module):
    def __init__(self, blocks, widths, projection, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs = widths[0]
        for stage, width in enumerate(widths):
            layers = []
            for block in range(blocks):
                layers.append(Block(inputs, width, 2 if stage > 0 and block == 0 else 1, projection))
                inputs = width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def write_resnets():
    for name, blocks, widths, projection in [("padding", 1, (4, 8, 16), False), ("projection", 1, (3, 4, 6), True),
                                             ("depth20", 3, (2, 3, 4), False)]:
        model = randomize(ResNet(blocks, widths, projection))
        x, labels = torch.randn(6, 3, 12, 12), torch.randint(10, (6,))
        tensors = {"x": x, "labels": labels.double(), **states(model, "before")}
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        tensors |= {"loss": loss, **states(model, "after"), **gradients(model, "gradient")}
        tensors = {key: value for key, value in tensors.items() if not key.startswith("after") or "running" in key}
        model.eval()
        tensors["inference"] = model(x)
        save(f"resnet_{name}", tensors)


def write_normalization():
    tensors = {}
    cases = {
        "batch1": (nn.BatchNorm1d(3), (5, 3, 9)), "batch0": (nn.BatchNorm1d(3), (7, 3)),
        "batch2": (nn.BatchNorm2d(3, momentum=0.3, eps=1e-3), (4, 3, 5, 4)), "batch3": (nn.BatchNorm3d(2), (2, 2, 3, 4, 2)),
        "group2": (nn.GroupNorm(2, 6), (3, 6, 4, 5)), "group1": (nn.GroupNorm(3, 6), (4, 6, 11)),
        "group3": (nn.GroupNorm(1, 4, eps=1e-3), (2, 4, 3, 2, 3)),
        "instance2": (nn.InstanceNorm2d(4, affine=True), (3, 4, 5, 3)),
    }
    for name, (layer, shape) in cases.items():
        randomize(layer)
        x = (torch.randn(shape) * 2 + 1).requires_grad_()
        g = torch.randn(shape)
        tensors |= states(layer, f"{name}.before")
        y = layer(x)
        (y * g).sum().backward()
        tensors |= {f"{name}.x": x, f"{name}.g": g, f"{name}.y": y, f"{name}.dx": x.grad}
        tensors |= states(layer, f"{name}.after") | gradients(layer, f"{name}.gradient")
        layer.eval()
        tensors[f"{name}.inference"] = layer(x)
    save("normalization", tensors)


def write_recurrent():
    tensors = {}
    for name, kind in [("lstm", nn.LSTM), ("gru", nn.GRU)]:
        model = kind(3, 4, num_layers=2, bidirectional=True, batch_first=True)
        x = torch.randn(2, 5, 3, requires_grad=True)
        h, c = torch.randn(4, 2, 4, requires_grad=True), torch.randn(4, 2, 4, requires_grad=True)
        y, last = model(x, (h, c) if name == "lstm" else h)
        last, cells = last if name == "lstm" else (last, None)
        g, gh = torch.randn_like(y), torch.randn_like(last)
        loss = (y * g).sum() + (last * gh).sum() + ((cells * gh.flip(0)).sum() if cells is not None else 0)
        loss.backward()
        tensors |= {f"{name}.x": x, f"{name}.h": h, f"{name}.g": g, f"{name}.gh": gh, f"{name}.y": y, f"{name}.last": last,
                    f"{name}.dx": x.grad, f"{name}.dh": h.grad}
        if cells is not None:
            tensors |= {f"{name}.c": c, f"{name}.cells": cells, f"{name}.dc": c.grad}
        tensors |= states(model, f"{name}.before") | gradients(model, f"{name}.gradient")
    save("recurrent", tensors)


def write_weights():
    tensors = {}
    for name, layer, shape in [("weight.linear", nn.Linear(4, 3), (5, 4)), ("weight.conv", nn.Conv2d(2, 3, 3), (2, 2, 5, 5)),
                               ("spectral.linear", nn.Linear(4, 3), (5, 4)),
                               ("spectral.conv", nn.Conv1d(2, 3, 3), (2, 2, 6)),
                               ("spectral.transposed", nn.ConvTranspose1d(2, 3, 3), (2, 2, 6))]:
        wrap = parametrizations.weight_norm if name.startswith("weight") else parametrizations.spectral_norm
        layer = wrap(layer)
        x = torch.randn(shape)
        if name.startswith("weight"):
            with torch.no_grad():
                layer.parametrizations.weight.original0.mul_(1.5)
        tensors |= states(layer, f"{name}.before")
        y = layer(x)
        g = torch.randn_like(y)
        (y * g).sum().backward()
        tensors |= {f"{name}.x": x, f"{name}.g": g, f"{name}.y": y}
        tensors |= states(layer, f"{name}.after") | gradients(layer, f"{name}.gradient")
        layer.eval()
        tensors[f"{name}.inference"] = layer(x)
    save("weights", tensors)


# Spectral convolutions: the low modes of real transforms, one block of weights for each choice of signs.

def spectral(x, weights, modes):
    dims = list(range(2, x.dim()))
    spectrum = torch.fft.rfftn(x, dim=dims)
    result = torch.zeros((x.shape[0], weights[0].shape[1]) + spectrum.shape[2:], dtype=torch.complex128)
    for index, weight in enumerate(weights):
        block = [slice(None), slice(None)]
        for axis, count in enumerate(modes):
            isNegative = axis < len(modes) - 1 and index >> axis & 1
            block.append(slice(-count, None) if isNegative else slice(None, count))
        letters = "xyz"[:len(modes)]
        result[tuple(block)] = torch.einsum(f"bi{letters},io{letters}->bo{letters}", spectrum[tuple(block)], weight)
    return torch.fft.irfftn(result, s=x.shape[2:], dim=dims)


def write_spectral():
    tensors = {}
    for name, extents, modes in [("1", (10,), (6,)), ("2", (8, 6), (3, 4)), ("3", (6, 4, 5), (2, 2, 3))]:
        x = torch.randn(2, 3, *extents, requires_grad=True)
        weights = [torch.randn(3, 2, *modes, dtype=torch.complex128, requires_grad=True)
                   for _ in range(2 ** (len(modes) - 1))]
        y = spectral(x, weights, modes)
        g = torch.randn_like(y)
        (y * g).sum().backward()
        tensors |= {f"{name}.x": x, f"{name}.g": g, f"{name}.y": y, f"{name}.dx": x.grad}
        for index, weight in enumerate(weights):
            tensors[f"{name}.before.weights{index + 1}"] = torch.view_as_real(weight)
            tensors[f"{name}.gradient.weights{index + 1}"] = torch.view_as_real(weight.grad)
    save("spectral", tensors)


# The U-Net of DDPM.

class Attention(nn.Module):
    def __init__(self, channels, groups, conv):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.q, self.k, self.v, self.proj_out = (conv(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (f(h).flatten(2) for f in (self.q, self.k, self.v))
        weights = (torch.einsum("bci,bcj->bij", q, k) * x.shape[1] ** -0.5).softmax(2)
        return x + self.proj_out(torch.einsum("bij,bcj->bci", weights, v).reshape(x.shape))


class ResnetBlock(nn.Module):
    def __init__(self, inputs, outputs, time, groups, conv):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, eps=1e-6)
        self.conv1 = conv(inputs, outputs, 3, padding=1)
        self.temb_proj = nn.Linear(time, outputs)
        self.norm2 = nn.GroupNorm(groups, outputs, eps=1e-6)
        self.conv2 = conv(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.nin_shortcut = conv(inputs, outputs, 1)

    def forward(self, x, time):
        h = self.conv1(F.silu(self.norm1(x)))
        projected = self.temb_proj(F.silu(time))
        h = h + projected.reshape(projected.shape + (1,) * (x.dim() - 2))
        h = self.conv2(F.silu(self.norm2(h)))
        return (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x) + h


class Resize(nn.Module):
    def __init__(self, channels, conv, down):
        super().__init__()
        self.down = down
        self.conv = conv(channels, channels, 3, stride=2) if down else conv(channels, channels, 3, padding=1)

    def forward(self, x):
        if self.down:
            return self.conv(F.pad(x, (0, 1) * (x.dim() - 2)))
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class UNet(nn.Module):
    def __init__(self, inputs=3, outputs=3, width=32, multipliers=(1, 2, 2), blocks=1, groups=8, dimensions=2):
        super().__init__()
        conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]
        time = 4 * width
        self.width = width
        self.temb = nn.Module()
        self.temb.dense = nn.ModuleList([nn.Linear(width, time), nn.Linear(time, time)])
        self.conv_in = conv(inputs, width, 3, padding=1)
        skips, channels = [width], width
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        last = len(multipliers) - 1
        for level, multiplier in enumerate(multipliers):
            part = nn.Module()
            part.block, part.attn = nn.ModuleList(), nn.ModuleList()
            for _ in range(blocks):
                part.block.append(ResnetBlock(channels, multiplier * width, time, groups, conv))
                channels = multiplier * width
                if level == last:
                    part.attn.append(Attention(channels, groups, conv))
                skips.append(channels)
            if level != last:
                part.downsample = Resize(channels, conv, True)
                skips.append(channels)
            self.down.append(part)
        self.mid = nn.Module()
        self.mid.block_1 = ResnetBlock(channels, channels, time, groups, conv)
        self.mid.attn_1 = Attention(channels, groups, conv)
        self.mid.block_2 = ResnetBlock(channels, channels, time, groups, conv)
        for level in reversed(range(last + 1)):
            part = nn.Module()
            part.block, part.attn = nn.ModuleList(), nn.ModuleList()
            for _ in range(blocks + 1):
                part.block.append(ResnetBlock(channels + skips.pop(), multipliers[level] * width, time, groups, conv))
                channels = multipliers[level] * width
                if level == last:
                    part.attn.append(Attention(channels, groups, conv))
            if level > 0:
                part.upsample = Resize(channels, conv, False)
            self.up.insert(0, part)
        self.norm_out = nn.GroupNorm(groups, channels, eps=1e-6)
        self.conv_out = conv(channels, outputs, 3, padding=1)

    def forward(self, x, times):
        half = self.width // 2
        frequencies = torch.exp(torch.arange(half, dtype=x.dtype) * (-torch.log(torch.tensor(1e4, dtype=x.dtype)) / (half - 1)))
        angles = times[:, None] * frequencies
        time = torch.cat([angles.sin(), angles.cos()], 1)
        time = self.temb.dense[1](F.silu(self.temb.dense[0](time)))
        h = self.conv_in(x)
        skips = [h]
        for part in self.down:
            for index, block in enumerate(part.block):
                h = block(h, time)
                if len(part.attn):
                    h = part.attn[index](h)
                skips.append(h)
            if hasattr(part, "downsample"):
                h = part.downsample(h)
                skips.append(h)
        h = self.mid.block_2(self.mid.attn_1(self.mid.block_1(h, time)), time)
        for part in reversed(self.up):
            for index, block in enumerate(part.block):
                h = block(torch.cat([h, skips.pop()], 1), time)
                if len(part.attn):
                    h = part.attn[index](h)
            if hasattr(part, "upsample"):
                h = part.upsample(h)
        return self.conv_out(F.silu(self.norm_out(h)))


def write_unets():
    for dimensions, extents in [(2, (4, 8)), (3, (2, 4, 2))]:
        model = UNet(2, 1, 4, (1, 2) if dimensions == 2 else (1, 1), 1, 2, dimensions)
        randomize(model)
        x, times = torch.randn(2, 2, *extents), torch.tensor([3.0, 500.0])
        tensors = {"x": x, "times": times, **states(model, "before")}
        y = model(x, times)
        g = torch.randn_like(y)
        (y * g).sum().backward()
        tensors |= {"y": y, "g": g}
        # Gradients by their projections on the parameters: half the size.
        for name, parameter in model.named_parameters():
            tensors[f"gradient.{name}"] = torch.stack([(parameter.grad * parameter.detach()).sum(), parameter.grad.norm()])
        save(f"unet{dimensions}", tensors)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    for write in (write_resnets, write_normalization, write_recurrent, write_weights, write_spectral, write_unets):
        write()
