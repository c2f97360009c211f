"""Token ids and places of `air inspect` against the `tokenizers` package: on bundled data with every tokenizer at hand, and on
hostile strings. Folders of tokenizers are looked for beside the repository (../shared/tokenizers) and in AIR_TOKENIZERS."""
import base64
import gzip
import json
import os
import random
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from air_runner import GSM8K, REPOSITORY, demo_model_folder, fail, records, succeed, write_records

SHARED = REPOSITORY.parent / "shared"
HOSTILE_STRINGS = int(os.environ.get("AIR_HOSTILE_STRINGS", "400"))  # 20000 for the long run
# PCRE2 10.42 knows Unicode 14, ICU 72 Unicode 15; Oniguruma in `tokenizers` is newer. Where a string with a character that is
# not assigned in Python's own tables differs, it is counted, not compared.
MARKS = [*map(chr, range(0x300, 0x370)), *"\u05b0\u0591\u064b\u0651\u093c\u09bc\u1dc0\u20d0\u3099\u309a\ufe0f\u200d\u200c\u180e\ufeff\u00ad\u0345"]
PIECES = [*"aeinoAEOcszCSZ12390 \n\r\t'\"<>|[]{}▁Ġ\\_", "가", "ᄀ", "ᅡ", "ᆨ", "한", "が", "ハ", "漢", "Å", "ﬁ", "Ω", "ǭ", "ệ",
          "q\u0323\u0307", "e\u0301", "नि", "க்", "👩", "👩‍👩‍👧", "🏽", "🇩🇪", "𝔘", "\0", "\x1b", "\x85", "\u2028", "\u00a0", "\u3000",
          "١", "²", "Ⅷ", "½", "𐍈", "豈", "K", "ſ", "'S", "'ll", "’s", "...", "—", "$x^2$", "\\frac", "\r\n", "\n \n", "the",
          " of", "Hello", "WORLD", "straße", "İ", "\U000e0001", "\uffff", "\U0010ffff"]


def tokenizer_folders():
    places = [SHARED / "tokenizers", Path(os.environ.get("AIR_TOKENIZERS", "/nonexistent"))]
    folders = [f for place in places if place.is_dir() for f in sorted(place.iterdir()) if f.is_dir()]
    return [*folders, demo_model_folder(), demo_model_folder().parent / "gemma-3-270m"]


FOLDERS = tokenizer_folders()


@pytest.fixture(scope="module", params=FOLDERS, ids=[f.name for f in FOLDERS])
def folder(request, tmp_path_factory):
    """A folder with a tokenizer.json, unpacked when it is gzipped."""
    if (request.param / "tokenizer.json").exists():
        return request.param
    packed = request.param / "tokenizer.json.gz"
    if not packed.exists():
        pytest.skip(f"no tokenizer.json in {request.param.name}")
    out = tmp_path_factory.mktemp(request.param.name)
    (out / "tokenizer.json").write_bytes(gzip.decompress(packed.read_bytes()))
    return out


def reference(tokenizer, text):
    """Ids, and the first byte of each token: -1 for tokens that are not in the text."""
    encoding = tokenizer.encode(text)
    first_byte = [0]
    for character in text:
        first_byte.append(first_byte[-1] + len(character.encode()))
    added = count_added(tokenizer)
    if added and encoding.ids[:added] == encoding.ids[added:2 * added]:     # a text that begins with BOS gets no second one
        return encoding.ids[added:], [first_byte[begin] for begin, _ in encoding.offsets[added:]]
    return encoding.ids, [-1] * added + [first_byte[begin] for begin, _ in encoding.offsets[added:]]


def count_added(tokenizer):
    """Tokens that the post-processor puts in front; none of these folders' puts any after."""
    return len(tokenizer.encode("").ids)


def air_encodings(folder, items, tmp_path, *flags):
    path = write_records(tmp_path / "in.jsonl", items)
    return records(succeed("inspect", "--model", folder, "--chat-template", "none", *flags, path))


def hostile_string(rng, special):
    out = []
    for _ in range(rng.choice([1, 2, 3, 5, 10, 30, 80])):
        kind = rng.random()
        if kind < 0.25:
            out.append(rng.choice(MARKS) * rng.choice([1, 1, 2, 5]))
        elif kind < 0.75:
            out.append(rng.choice(PIECES))
        elif kind < 0.8:
            out.append(" " * rng.choice([1, 2, 3, 7, 17, 100] + [3000] * (rng.random() < 0.05)))
        elif kind < 0.85:
            out.append(rng.choice(["\n", "\t", "\r\n", "a", "ab", "0", "12", "漢", ".", "é", "가"]) * rng.choice([2, 5, 33, 70]))
        elif kind < 0.92 and special:
            token = rng.choice(special)
            out.append(token if rng.random() < 0.6 else token[:rng.randrange(1, len(token) + 1)])
        else:
            code = rng.choice([rng.randrange(0x80), rng.randrange(0x3000), rng.randrange(0x10000), rng.randrange(0x110000)])
            out.append(chr(code) if not 0xD800 <= code < 0xE000 else "x")
    return "".join(out)


def has_new_character(text):
    return any(unicodedata.category(c) == "Cn" for c in text)


def test_ids_and_places_on_the_bundled_records(folder, tmp_path):
    items = [json.loads(line) for line in GSM8K.read_text(encoding="utf-8").splitlines()]
    compare_records(folder, items, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["long_traces.jsonl", "gsm8k_train_2000.jsonl"])
def test_ids_and_places_on_the_shared_data(folder, name, tmp_path):
    path = SHARED / "data" / name
    if not path.exists():
        pytest.skip(f"no ../shared/data/{name}")
    compare_records(folder, [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()], tmp_path)


def compare_records(folder, items, tmp_path):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    got = air_encodings(folder, items, tmp_path)
    assert len(got) == len(items)
    for item, trace in zip(items, got):
        ids, places = reference(tokenizer, item["prompt"] + "\n" + item["response"])
        assert trace["ids"] == ids, item["id"]
        assert trace["begin"] == places, item["id"]


def test_ids_and_places_on_hostile_strings(folder, tmp_path, capsys):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rng = random.Random(0)
    special = [token.content for token in tokenizer.get_added_tokens_decoder().values()][:40]
    texts = [text for text in (hostile_string(rng, special) for _ in range(HOSTILE_STRINGS))
             if len(tokenizer.encode(text).ids) > count_added(tokenizer) + 1]
    got = air_encodings(folder, [{"text": text} for text in texts], tmp_path)
    assert len(got) == len(texts)
    newer = 0
    for text, trace in zip(texts, got):
        alike = (trace["ids"], trace["begin"]) == tuple(reference(tokenizer, text))
        if not alike and has_new_character(text):
            newer += 1
            continue
        assert (trace["ids"], trace["begin"]) == tuple(reference(tokenizer, text)), ascii(text)
    with capsys.disabled():
        print(f"\n{folder.name}: {len(texts)} hostile strings, {newer} differ by characters newer than PCRE2's tables")
    assert newer <= len(texts) // 100


def test_tokenizer_model_equals_tokenizer_json(folder, tmp_path):
    """A folder that has both: SentencePiece's library against our reading of tokenizer.json."""
    if not (folder / "tokenizer.model").exists():
        pytest.skip(f"{folder.name} has no tokenizer.model")
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("tokenizer.model", "tokenizer_config.json"):
        (alone / name).write_bytes((folder / name).read_bytes())
    rng = random.Random(1)
    items = [{"text": hostile_string(rng, ["<s>", "</s>", "<unk>"]) + "x"} for _ in range(HOSTILE_STRINGS)]
    items += [json.loads(line) for line in GSM8K.read_text(encoding="utf-8").splitlines()]
    assert air_encodings(folder, items, tmp_path) == air_encodings(alone, items, tmp_path)


TEKKEN_PATTERN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
                  r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|"
                  r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def tekken():
    """A tekken.json of every byte and the commonest pieces of words; the last two tokens of its list are beyond its size."""
    words = re.findall(r" ?\w+", GSM8K.read_text(encoding="utf-8")) + [" straße Ångström naïve 漢字 가나"] * 3
    pieces = Counter(word.encode()[i:i + n] for word in words for n in range(2, 7) for i in range(len(word.encode()) - n + 1))
    tokens = [bytes([byte]) for byte in range(256)] + [piece for piece, _ in pieces.most_common(1200)]
    special = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]"]
    return {"config": {"pattern": TEKKEN_PATTERN, "num_vocab_tokens": len(tokens), "default_vocab_size": len(tokens) + 10 - 2,
                       "default_num_special_tokens": 10, "version": "v7"},
            "vocab": [{"rank": i, "token_bytes": base64.b64encode(token).decode(), "token_str": None} for i, token in enumerate(tokens)],
            "special_tokens": [{"rank": i, "token_str": token, "is_control": True} for i, token in enumerate(special)][::-1],
            "audio": {"sampling_rate": 16000}}


def tekken_folder(folder, file):
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).symlink_to(demo_model_folder() / name)
    (folder / "tekken.json").write_text(json.dumps(file), encoding="utf-8")
    return folder


@pytest.mark.skipif(not demo_model_folder().is_dir(), reason="no demo model: scripts/setup.sh makes it")
def test_tekken_is_read_as_transformers_converts_it(tmp_path):
    """Where mistral-common is not installed, transformers makes merges of the ranks."""
    transformers = pytest.importorskip("transformers")
    folder = tekken_folder(tmp_path / "model", tekken())
    expected = transformers.AutoTokenizer.from_pretrained(folder).backend_tokenizer
    rng = random.Random(3)
    texts = [hostile_string(rng, ["<s>", "[INST]", "[TOOL_CALLS]", "<SPECIAL_9>"]) for _ in range(HOSTILE_STRINGS)]
    texts = [text for text in texts if len(expected.encode(text, add_special_tokens=False).ids) > 1]
    items = [json.loads(line) for line in GSM8K.read_text(encoding="utf-8").splitlines()]
    texts += [item["prompt"] + "\n" + item["response"] for item in items]
    got = air_encodings(folder, [{"text": text} for text in texts], tmp_path)
    assert len(got) == len(texts)
    for text, trace in zip(texts, got):
        alike = (trace["ids"], trace["begin"]) == tuple(reference(expected, text))
        assert alike or has_new_character(text), ascii(text)


@pytest.mark.skipif(not demo_model_folder().is_dir(), reason="no demo model: scripts/setup.sh makes it")
@pytest.mark.parametrize("change,message", [
    (lambda file: file.pop("special_tokens"), "mistral-common"),
    (lambda file: file["special_tokens"].pop(), 'the ranks must be 0, 1, …'),
    (lambda file: file["vocab"][300].update(token_bytes="a*=="), "token 300 is not base64"),
    (lambda file: file["vocab"][300].update(token_bytes="YWFh" * 400), "token 300 are more than 1024"),
    (lambda file: file["config"].pop("pattern"), 'has no "pattern"'),
    (lambda file: file["config"].update(default_vocab_size=3), "default_vocab_size"),
])
def test_a_tekken_that_is_not_one(change, message, tmp_path):
    file = tekken()
    change(file)
    error = fail(4, "inspect", "--model", tekken_folder(tmp_path / "model", file), "--chat-template", "none",
                 write_records(tmp_path / "in.jsonl", [{"text": "some text"}]))
    assert message in error and "tekken.json" in error


NOTE = {"content": "<|note|>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": False}
CONFIG_TOKENS = {
    "decoder": {"tokenizer_config.json": {"added_tokens_decoder": {"49152": NOTE}}},
    "decoder-other-flags": {"tokenizer_config.json": {"added_tokens_decoder": {
        "2": NOTE | {"content": "<|im_end|>", "lstrip": True, "rstrip": True, "special": True}}}},
    "decoder-other-ids": {"tokenizer_config.json": {"added_tokens_decoder": {
        "60000": NOTE | {"normalized": True}, "7": NOTE | {"content": "gap", "single_word": True}}}},
    "extra": {"tokenizer_config.json": {"added_tokens_decoder": {}, "extra_special_tokens": ["<|note|>", "<|im_end|>", "Café"]}},
    "extra-by-name": {"tokenizer_config.json": {"extra_special_tokens": {"note_token": "<|note|>"}}},
    "additional": {"tokenizer_config.json": {"additional_special_tokens": ["<|note|>"], "sep_token": "gap"}},
    "named": {"tokenizer_config.json": {"mask_token": "<|note|>", "think_token": "then", "add_bos_token": True}},
    "older-files": {"special_tokens_map.json": {"cls_token": NOTE | {"rstrip": True}, "extra_special_tokens": ["end"]},
                    "added_tokens.json": {"<|x|>": 49153, "gap": 49152, "end": 49154}},
}


@pytest.mark.parametrize("name", CONFIG_TOKENS)
def test_added_tokens_of_the_config_are_those_of_auto_tokenizer(name, tmp_path):
    """Case T05: tokens that only the files beside tokenizer.json have."""
    transformers = pytest.importorskip("transformers")
    if not demo_model_folder().is_dir():
        pytest.skip("no demo model: scripts/setup.sh makes it")
    folder = tmp_path / "model"
    folder.mkdir()
    for file in ("tokenizer.json", "config.json"):
        (folder / file).write_bytes((demo_model_folder() / file).read_bytes())
    files = {"tokenizer_config.json": {}} | CONFIG_TOKENS[name]
    files["tokenizer_config.json"] |= {"tokenizer_class": "PreTrainedTokenizerFast"}
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content), encoding="utf-8")
    texts = ["First <|im_end|> then <|im_start|>user\nx <|note|> y <|endoftext|> end  <|im_start|> gap.",
             "<|note|>then<|note|> thenend gap gaps <|x|>Café Cafés <|im_end|>  <|im_end|>\n\nend"]
    expected = transformers.AutoTokenizer.from_pretrained(folder)
    got = air_encodings(folder, [{"text": text} for text in texts], tmp_path)
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert any(expected(text)["input_ids"] != plain.encode(text).ids for text in texts), "the case adds nothing"
    for text, trace in zip(texts, got):
        assert trace["ids"] == expected(text)["input_ids"], text
