"""Training steps and network evaluations in eager PyTorch, as a user would write them, with fused optimizers; networks on
images in both orders of memory, of which the better counts. Batches and targets are those of the other side."""

import sys

import numpy as np

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError:
    torch = None


FOLDER = sys.argv[1]


def normal(*shape, seed=1):
    name = "x".join(map(str, shape))
    return torch.from_numpy(np.load(f"{FOLDER}/normal-f32-{name}-{seed}.npy"))


def integers(*shape, limit):
    name = "x".join(map(str, shape))
    return torch.from_numpy(np.load(f"{FOLDER}/integers-{limit}-{name}.npy"))


def step(model, optimizer, loss):
    """One training step, with gradients on."""

    def run():
        with torch.enable_grad():
            optimizer.zero_grad(set_to_none=True)
            value = loss(model)
            value.backward()
        optimizer.step()
        return value.detach()

    return run


def variants(make, images=None):
    """Peers by name: plain eager, and channels-last where the input is an image."""
    result = {"torch": make(torch.contiguous_format)}
    if images:
        result["torch, channels-last"] = make(torch.channels_last)
    return result


def mlp(widths, activation):
    layers = []
    for i in range(len(widths) - 1):
        layers.append(nn.Linear(widths[i], widths[i + 1]))
        if i < len(widths) - 2:
            layers.append(activation())
    return nn.Sequential(*layers)


def classify(model, images, labels, learning_rate=1e-3):
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    return step(model, optimizer, lambda m: F.cross_entropy(m(images), labels))


def train_mlp(batch):
    x, y = normal(batch, 784), integers(batch, limit=10)
    return variants(lambda _: classify(mlp([784, 256, 256, 10], nn.ReLU), x, y))


def train_small_mlp(batch):
    x, y = normal(batch, 32), normal(batch, 1)

    def make(_):
        model = mlp([32, 64, 64, 1], nn.Tanh)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        return step(model, optimizer, lambda m: F.mse_loss(m(x), y))

    return variants(make)


class Block(nn.Module):
    """LLaMA's: RMS norms, rotary attention, SwiGLU."""

    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.mlp_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x, cosine, sine):
        b, t, c = x.shape
        q, k, v = self.qkv(self.attention_norm(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)

        def rotate(z):
            first, second = z.chunk(2, -1)
            return z * cosine + torch.cat((-second, first), -1) * sine

        y = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, c))
        gate, up = self.gate_up(self.mlp_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class GPT(nn.Module):
    def __init__(self, vocabulary, layers, width, heads, hidden, context):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(Block(width, heads, hidden) for _ in range(layers))
        self.norm = nn.RMSNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        size = width // heads
        angles = torch.outer(torch.arange(context), 10_000 ** (-torch.arange(0, size, 2) / size))
        angles = torch.cat((angles, angles), -1)
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, self.cosine, self.sine)
        return self.head(self.norm(x))


def train_gpt(layers, width, context, batch):
    tokens = integers(batch, context + 1, limit=256)

    def make(_):
        model = GPT(256, layers, width, 4, 4 * width * 2 // 3 // 8 * 8, context)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        return step(model, optimizer, lambda m: F.cross_entropy(m(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()))

    return variants(make)


def images(batch, channels, size, layout, seed=1):
    return normal(batch, channels, size, size, seed=seed).contiguous(memory_format=layout)


def train_lenet(batch):
    def make(layout):
        model = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(6, 16, 5), nn.MaxPool2d(2), nn.ReLU(),
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
        ).to(memory_format=layout)
        return classify(model, images(batch, 1, 28, layout), integers(batch, limit=10))

    return variants(make, images=True)


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.norm2(self.second(F.relu(self.norm1(self.first(x)))))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


def train_resnet8(batch):
    def make(layout):
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), Residual(16, 16, 1),
            Residual(16, 32, 2), Residual(32, 64, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
        ).to(memory_format=layout)
        return classify(model, images(batch, 3, 32, layout), integers(batch, limit=10))

    return variants(make, images=True)


def train_unet(batch):
    """Noise prediction at random times by the reference network of the tests."""
    sys.path.insert(0, "Tests/Reference")
    from vision import UNet

    def make(layout):
        model = UNet(3, 3, 32).to(memory_format=layout)
        x, noise = images(batch, 3, 32, layout), images(batch, 3, 32, layout, seed=2)
        times = integers(batch, limit=1000).float()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
        return step(model, optimizer, lambda m: F.mse_loss(m(x, times), noise))

    return variants(make, images=True)


def hessian_vector_product(batch):
    """Of the MLP's loss, by the gradient of the gradient's product with the vector."""
    x, y = normal(batch, 784), integers(batch, limit=10)
    model = mlp([784, 256, 256, 10], nn.ReLU)
    parameters = list(model.parameters())
    vector = [torch.randn_like(p) for p in parameters]

    def run():
        with torch.enable_grad():
            loss = F.cross_entropy(model(x), y)
            gradient = torch.autograd.grad(loss, parameters, create_graph=True)
            product = sum((g * v).sum() for g, v in zip(gradient, vector))
            return torch.autograd.grad(product, parameters)

    return {"torch": run}


def per_example_gradients(batch):
    from torch.func import functional_call, grad, vmap

    x, y = normal(batch, 784), integers(batch, limit=10)
    model = mlp([784, 256, 256, 10], nn.ReLU)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters, x, y):
        return F.cross_entropy(functional_call(model, parameters, (x[None],)), y[None])

    function = vmap(grad(loss), in_dims=(None, 0, 0))
    return {"torch.func": lambda: function(parameters, x, y)}


def muon(n):
    """One step on one weight, the gradient being given."""
    parameter = nn.Parameter(normal(n, n))
    parameter.grad = normal(n, n, seed=2)
    optimizer = torch.optim.Muon([parameter], lr=1e-3)
    return {"torch.optim.Muon": optimizer.step}


def minilm(path, count):
    """Sentence vectors of tokens that are given: the model alone."""
    from transformers import BertConfig, BertModel

    folder = path.rsplit("/", 1)[0]
    model = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="sdpa").eval()
    tokens = integers(count, 32, limit=20_000)
    mask = torch.ones_like(tokens)

    def run():
        with torch.inference_mode():
            hidden = model(input_ids=tokens, attention_mask=mask).last_hidden_state
            return F.normalize(hidden.mean(1), dim=1)

    return {"transformers": run}


WORKS = {
    "train-mlp": train_mlp,
    "train-small-mlp": train_small_mlp,
    "train-gpt": train_gpt,
    "train-lenet": train_lenet,
    "train-resnet8": train_resnet8,
    "train-unet": train_unet,
    "hessian-vector-product": hessian_vector_product,
    "per-example-gradients": per_example_gradients,
    "muon": muon,
    "minilm": minilm,
}
