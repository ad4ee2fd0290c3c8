"""A small byte-level BPE tokenizer of Hugging Face, and its tokens for some texts.

Writes byte_pairs.json beside this file. Needs tokenizers.
"""

import json
import pathlib

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

here = pathlib.Path(__file__).resolve()
corpus = [
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness,",
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of light, it wasn't 1859 yet.",
    "We had everything before us, we had nothing before us; we'll see, they've said: naïve café, 東京の東京.",
]
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=340, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
tokenizer.train_from_iterator(corpus, trainer)
texts = corpus + [
    "", " ", "  ", "\n", " \n a", "a\nb", "a \nb\t\tc   d", "it's we're I'm he'd you'll they've 'tis 'S o'clock",
    "1859 1,000.5 x2y3 ²½Ⅷ", "naïve café e\u0301 東京 🙂🙂 \u00a0\u2003x\u3000", "a<|endoftext|>b<|endoftext|>", "...!?--",
    "\u200bzero\ufeff", "was" * 50, "the the  the   the", "Привет мир", "\x00\x01\x7f", "שלום नमस्ते \u0301\u0308",
]
here.with_suffix(".json").write_text(json.dumps({
    "tokenizer": tokenizer.to_str(), "texts": texts, "tokens": [tokenizer.encode(t).ids for t in texts]}))
