"""Traces of lengths that are given in tokens."""
import json
import random

WORDS = "clips friends April sold half many May altogether earns hour babysitting yesterday answer how did she".split()


def write_traces(path, tokenizer_folder, lengths):
    """Each of as many tokens, prompt included, to within a few."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    rng, lines = random.Random(1), []
    for i, length in enumerate(lengths):
        prompt = f"Question {i}: how many?"
        text = " ".join(rng.choice(WORDS) for _ in range(length))
        encoded = tokenizer.encode(text)
        end = encoded.offsets[max(1, length - len(tokenizer.encode(prompt + "\n").ids)) - 1][1]
        lines.append(json.dumps({"id": str(i), "prompt": prompt, "response": text[:end]}))
    path.write_text("\n".join(lines) + "\n")
    return path


def random_heads(shape, first_layer, count=40, last_layer=None):
    """A list for --heads: `count` heads of layers from the first one on, and one of that."""
    rng, heads = random.Random(2), shape["num_attention_heads"]
    layers = range(first_layer, (last_layer or shape["num_hidden_layers"] - 1) + 1)
    drawn = {(first_layer, 0)} | {(rng.choice(layers), rng.randrange(heads)) for _ in range(count)}
    return ",".join(f"{layer}-{head}" for layer, head in sorted(drawn))
