"""Small decoders of Hugging Face's transformers in float64: weights, tokens, loss and gradients.

The parts that compute in float32 whatever the model's type (rotary positions, normalisation) are replaced.
Writes llama.json beside this file. Needs torch and transformers.
"""

import json
import pathlib

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

torch.set_default_dtype(torch.float64)


class Rotary(torch.nn.Module):
    """The model's own, which works in float32, in float64."""

    def __init__(self, width, base):
        super().__init__()
        self.frequencies = base ** (-torch.arange(0, width, 2) / width)

    def forward(self, x, position_ids):
        angles = position_ids[..., None].to(torch.float64) * self.frequencies
        angles = torch.cat([angles, angles], -1)
        return angles.cos(), angles.sin()


def normalize(self, x):
    return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.variance_epsilon))


def case(kind, config, seed):
    torch.manual_seed(seed)
    model = kind(config)
    head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    model.model.rotary_emb = Rotary(head_width, 10000.0)
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            type(module).forward = normalize
    with torch.no_grad():
        for p in model.parameters():
            p.copy_((torch.randn_like(p) * 0.4 + (1 if p.dim() == 1 else 0)).float())
    tokens = torch.randint(0, config.vocab_size, (2, 8))
    logits = model(input_ids=tokens[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, config.vocab_size), tokens[:, 1:].reshape(-1))
    loss.backward()
    entries = {
        name: {"shape": list(p.shape), "value": p.detach().flatten().tolist(), "gradient": p.grad.flatten().tolist()}
        for name, p in model.named_parameters()
    }
    return {
        "configuration": json.dumps({
            "vocab_size": config.vocab_size, "hidden_size": config.hidden_size,
            "num_hidden_layers": config.num_hidden_layers, "num_attention_heads": config.num_attention_heads,
            "num_key_value_heads": config.num_key_value_heads, "head_dim": head_width,
            "intermediate_size": config.intermediate_size, "max_position_embeddings": 16, "rope_theta": 10000.0,
            "rms_norm_eps": config.rms_norm_eps, "tie_word_embeddings": config.tie_word_embeddings,
            "use_qk_norm": kind is Qwen3ForCausalLM}),
        "tokens": tokens.tolist(), "loss": loss.item(), "parameters": entries,
    }


common = dict(
    vocab_size=11, hidden_size=8, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    intermediate_size=12, rms_norm_eps=1e-5, attn_implementation="sdpa")
cases = [
    case(LlamaForCausalLM, LlamaConfig(tie_word_embeddings=False, **common), 1),
    case(Qwen3ForCausalLM, Qwen3Config(head_dim=6, tie_word_embeddings=True, **common), 2),
]
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(cases))
