"""Tokens and embeddings of 200 sentences by transformers and PyTorch.

Usage: minilm.py [MODEL FOLDER], .cache/minilm of the repository unless given (Scripts/fetch-minilm makes it).
Writes minilm.json beside this file: for each sentence its text, its tokens, and its embedding as the sums over sixteen
parts of each of two signed mixtures (so that every number counts) and its first eight numbers.
"""

import json
import pathlib
import random
import sys

import torch
from transformers import AutoTokenizer, BertModel

here = pathlib.Path(__file__).resolve()
folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parents[2] / ".cache" / "minilm"
LENGTH = 256

fixed = [
    "", " ", "\n\t\r", "Hello, world!", "hello world", "HELLO WORLD", "The quick brown fox jumps over the lazy dog.",
    "Don't stop; can't won't shouldn't've!", "Café déjà vu, naïve façade — coöperate.", "Ångström, Čapek, Dvořák, Łódź",
    "ÀÉÎÕÜ àéîõü ñ ç ß ẞ ﬁ ﬂ", "İstanbul ıspanak", "Ελληνικά: ΟΔΥΣΣΕΥΣ καί Πηνελόπη", "Привет, мир! Ёжик в тумане.",
    "שלום עולם", "مرحبا بالعالم، كيف حالك؟", "नमस्ते दुनिया", "สวัสดีชาวโลก", "안녕하세요 세계", "こんにちは世界", "你好，世界！",
    "我爱机器学习。", "中文 and English 混合 text", "日本語とEnglishのmix、テスト。", "漢字かな交じり文 123", "Ⅷ ½ ² ③ １２３ ＡＢＣ",
    "🙂", "I love pizza 🍕🍕 and 👩‍👩‍👧‍👦 families 🏳️‍🌈!", "🇩🇪🇫🇷 flags", "👍🏽 skin tones", "🥰🦄🧠 newer emoji 🫠🪿",
    "e\u0301 combining \u0308 marks a\u0300\u0301\u0302", "zero\u200bwidth\u200djoiner\ufeffbom", "soft\u00adhyphen",
    "non\u00a0breaking\u2003em\u3000ideographic spaces", "line\u2028separator\u2029paragraph", "nul\u0000byte and \ufffd",
    "bell\u0007 and escape\u001b[31mred\u001b[0m", "tabs\tand\nnewlines\r\nmixed", "price: $3.50 (50% off!) #deal @shop",
    "a_b-c/d\\e|f~g`h^i", "<html><b>bold</b></html>", "{\"key\": [1, 2.5, null]}", "x = y**2 + z/3 - 4*w % 5",
    "http://example.com/path?query=1&other=two#frag", "user.name+tag@example.co.uk", "C:\\Users\\name\\file.txt",
    "1234567890", "3.14159265358979", "1,000,000.00", "2024-02-29T12:34:56Z", "+1 (555) 123-4567", "ISBN 978-3-16-148410-0",
    "…ellipsis… “quotes” ‘single’ «guillemets» ‹x›", "— – ‐ ‑ ‒ ―", "© ® ™ § ¶ † ‡ • ‰", "← ↑ → ↓ ⇒ ∀x∈ℝ: x²≥0", "∑∏∫√∞≠≤≥±",
    "[CLS] is special and so is [SEP]", "[MASK] me [PAD] [UNK]", "[cls] is not", "##ing pieces ##s", "a" * 99, "b" * 100,
    "c" * 101, "word" + "é" * 100, "x " * 300, "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "Pneumonoultramicroscopicsilicovolcanoconiosis", "The " * 5 + "end", "Ａｆｕｌｌｗｉｄｔｈ", "\U00020000\U0002a6d6 rare ideographs",
    "\uf900\uf901 compatibility", "\u3400\u4dbf extension", "ﷺ ligature", "ｶﾞｷﾞ half width", "\u1100\u1161 jamo",
    "\ue000 private", "\U0001f600\U0001f64f", "ⓐⓑⓒ", "ǅ title case Ǆ ǆ", "ΐ ΰ ῼ", "K (kelvin) Å (angstrom)", "Straße STRASSE",
    "don’t — it’s", "l'été d'aujourd'hui", "Zürich Österreich Ärger", "São Paulo, Perú, México", "Tiếng Việt rất đẹp",
    "Türkçe öğreniyorum", "Magyarország gyönyörű", "Íslenska þorn ð æ", "ქართული ენა", "հայերեն", "አማርኛ",
    "   leading and trailing   ", "double  spaces   triple", ".", "?!?!", "'", "\"", "-", "A", "é", "中", "0",
]
subjects = "The old captain|My neighbour's cat|A young physicist|The committee|Nobody|An honest lawyer|The river|Our train".split("|")
verbs = "quietly observed|never understood|finally repaired|sold|wrote about|dreamt of|photographed|measured".split("|")
objects = "the broken telescope|a field of sunflowers|three hundred letters|the theory of relativity|an empty house|the moon".split("|")
endings = "before dawn.|in 1987!|without asking why?|— as always.|; it rained.|, they say…|for €20.|(twice).".split("|")
generator = random.Random(1)
words = "and while nevertheless seventeen unbelievably Österreich the of 3.5% (sic) co-operative déjà".split()
sentences = list(fixed)
for count in (130, 254, 255, 400, 600, 600):
    sentences.append(" ".join(generator.choice(subjects + verbs + objects + words) for _ in range(count))[: 9 * count])
while len(sentences) < 200:
    parts = [generator.choice(p) for p in (subjects, verbs, objects, endings)]
    sentences.append(" ".join(parts))
sentences = sentences[:200]

tokenizer = AutoTokenizer.from_pretrained(folder)
model = BertModel.from_pretrained(folder, attn_implementation="eager").eval()
results = []
with torch.no_grad():
    for text in sentences:
        batch = tokenizer(text, truncation=True, max_length=LENGTH, padding=False, return_tensors="pt")
        vectors = model(**{k: batch[k] for k in ("input_ids", "attention_mask")}).last_hidden_state
        mean = torch.nn.functional.normalize(vectors.mean(1), dim=1)[0].double()
        index = torch.arange(mean.numel())
        signs = [1.0 - 2 * (index % 2), 1.0 - 2 * ((index // 3) % 2)]
        sums = [(mean * s).reshape(16, -1).sum(1).tolist() for s in signs]
        results.append({
            "text": text, "tokens": batch["input_ids"][0].tolist(),
            "sums": [[round(v, 7) for v in s] for s in sums], "first": [round(v, 7) for v in mean[:8].tolist()]})
here.with_suffix(".json").write_text(json.dumps({"length": LENGTH, "sentences": results}, separators=(",", ":")))
print(len(results), "sentences,", here.with_suffix(".json").stat().st_size, "bytes")
