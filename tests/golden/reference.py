"""The second implementation: what air computes, on transformers and tokenizers, float32, CPU.

Written for plainness: one sequence at a time, explicit softmax, an attention function of its own registered with
transformers. It shares nothing with air but docs/method.md. Golden values come from here, never from air.
"""
import json
import math
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import (AttentionInterface, AttentionMaskInterface, AutoConfig, AutoModelForCausalLM,
                          AutoModelForImageTextToText)
from transformers.masking_utils import eager_mask


@dataclass
class Plan:
    """What the attention function does beside attention."""
    masked: frozenset = frozenset()             # of (layer, head)
    mode: str = "uniform"                       # or "zero"
    rows: range = range(0)                      # query positions to look at
    peaks: list = field(default_factory=list)   # per layer: argmax over the keys, [H, rows]
    attention: list = field(default_factory=list)   # per layer: the rows themselves, [H, rows, keys]


_plan = Plan()


def _uniform(visible, sinks):
    """Rows [H, T, T] of a head that looks nowhere in particular: every visible key has the same share.

    With a sink (one logit a head, without a key) the keys' logits are all 0 and the sink keeps its own."""
    count = visible.sum(-1, keepdim=True)
    taken = 0 if sinks is None else sinks.exp().view(-1, 1, 1)
    return visible / (count + taken)


def _attention(module, query, key, value, attention_mask, scaling, softcap=None, s_aux=None, **_):
    """Attention of one sequence, q [1, H, T, D], k and v [1, K, T, D], as _plan says; transformers' mask says which keys are
    visible."""
    group = query.shape[1] // key.shape[1]
    key = key.repeat_interleave(group, dim=1)
    value = value.repeat_interleave(group, dim=1)
    length = query.shape[2]
    visible = torch.ones(length, length, dtype=torch.bool).tril() if attention_mask is None else attention_mask[0, 0] == 0
    scores = (query @ key.transpose(2, 3)) * scaling
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    scores = scores.masked_fill(~visible, -math.inf)
    if s_aux is not None:
        scores = torch.cat([scores, s_aux.view(1, -1, 1, 1).expand(1, -1, length, 1)], -1)
    weights = scores.softmax(-1)[..., :length]
    if _plan.rows:
        rows = weights[0, :, _plan.rows.start:_plan.rows.stop]
        _plan.peaks.append(rows.numpy().argmax(-1))     # numpy: the lowest position of equal ones
        _plan.attention.append(rows)
    heads = [head for layer, head in _plan.masked if layer == module.layer_idx]
    if _plan.mode == "uniform" and heads:
        weights[0, heads] = _uniform(visible, s_aux if s_aux is None else s_aux[heads]).to(weights.dtype)
    output = weights @ value
    if _plan.mode == "zero":
        output[0, heads] = 0
    return output.transpose(1, 2).contiguous(), weights


AttentionInterface.register("air_reference", _attention)
AttentionMaskInterface.register("air_reference", eager_mask)


def parse_heads(names):
    """["12-7", …] or "12-7,18-0" -> [(12, 7), …]"""
    if isinstance(names, str):
        names = names.split(",")
    return [tuple(int(part) for part in name.split("-")) for name in names]


@dataclass
class EncodedTrace:
    ids: list
    begin: list             # first byte of each token in the encoded text; -1: not in it
    response_begin: int     # index of the first response token
    text: str


class TextReference:
    """Token ids as the `tokenizers` package makes them, prompts as the folder's own chat template renders them."""

    def __init__(self, folder):
        folder = Path(folder)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        file = folder / "chat_template.jinja"
        template = file.read_text(encoding="utf-8") if file.exists() else config.get("chat_template")
        environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
        self.template = environment.from_string(template) if template else None
        self.special = {key: config[key] for key in ("bos_token", "eos_token") if key in config}

    def prompt_text(self, prompt):
        if self.template is None:
            return prompt + "\n"
        messages = [{"role": "user", "content": prompt}]
        return self.template.render(messages=messages, add_generation_prompt=True, **self.special)

    def encode(self, prompt, response):
        before = self.prompt_text(prompt)
        text = before + response
        encoding = self.tokenizer.encode(text)
        num_bytes = [0]
        for character in text:
            num_bytes.append(num_bytes[-1] + len(character.encode()))
        # a special token that the post-processor adds has the empty span (0, 0)
        begin = [num_bytes[start] if end > start else -1 for start, end in encoding.offsets]
        response_byte = len(before.encode())
        # a token that holds bytes of both belongs to the prompt; the very first token has no loss
        response_begin = max(1, next(i for i, byte in enumerate(begin) if byte >= response_byte))
        return EncodedTrace(encoding.ids, begin, response_begin, text)


def _forget_lengths(model):
    """transformers keeps the frequencies of the longest sequence seen (`dynamic`); here every sequence stands alone."""
    for module in model.modules():
        if hasattr(module, "original_inv_freq") and hasattr(module, "original_max_seq_len"):
            module.inv_freq = module.original_inv_freq.clone()
            module.max_seq_len_cached = module.original_max_seq_len


def forward_logits(model, ids, plan, attention=None, dtype=torch.float32):
    """All logits [T, V]. attention: another implementation than the model's own, e.g. transformers' "eager"."""
    global _plan
    _plan = plan
    _forget_lengths(model)
    usual = model.config._attn_implementation
    if attention:
        model.set_attn_implementation(attention)
    with torch.inference_mode():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0].to(dtype).numpy()
    if attention:
        model.set_attn_implementation(usual)
    return logits


def losses_as_it_comes(model, trace):
    """Losses of an encoded trace's response by transformers' own attention, whatever the dtype of the model: ours would round where
    theirs does not. Softmax in double."""
    logits = torch.from_numpy(forward_logits(model, trace.ids, Plan(), "sdpa"))[trace.response_begin - 1:-1].double()
    return -logits.log_softmax(-1).gather(1, torch.tensor(trace.ids[trace.response_begin:]).unsqueeze(1))[:, 0].numpy()


_FLOAT32, _FLOAT = torch.float32, torch.Tensor.float


@contextmanager
def _casts(dtype, cast):
    """What a model's code casts to float32 is cast to dtype."""
    before = torch.float32, torch.Tensor.float
    torch.float32, torch.Tensor.float = dtype, cast
    try:
        yield
    finally:
        torch.float32, torch.Tensor.float = before


def _double_for_float():
    return _casts(torch.float64, torch.Tensor.double)


def _keep_float32_angles(rotary):
    """Makes a rotary embedding compute its angles in float32, in a model that is float64."""
    in_float32 = rotary.float().forward

    def forward(x, *args, **kwargs):
        with _casts(_FLOAT32, _FLOAT):
            found = in_float32(x.float(), *args, **kwargs)
        widened = [part.to(torch.complex128 if part.is_complex() else torch.float64)
                   for part in (found if isinstance(found, tuple) else (found,))]
        return tuple(widened) if isinstance(found, tuple) else widened[0]

    rotary.forward = forward


def exact_logits(model, ids, plan):
    """All logits [T, V] of the model of a ModelReference that is exact, in float64."""
    with _double_for_float():
        logits = forward_logits(model, ids, plan, dtype=torch.float64)
    assert logits.dtype == np.float64
    return logits


class ModelReference:
    """Losses and attention of a Hugging Face folder, in float32; `exact`: in float64 but for the angles of RoPE, whose
    rounding belongs to the model as all implementations run it."""

    def __init__(self, folder, exact=False):
        multimodal = hasattr(AutoConfig.from_pretrained(folder), "vision_config")
        kind = AutoModelForImageTextToText if multimodal else AutoModelForCausalLM
        self.model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="air_reference").eval()
        self.exact = exact
        if exact:
            self.model.double()
            self.model.set_experts_implementation("eager")   # torch's grouped product takes no float64
            for module in self.model.modules():
                if type(module).__name__.endswith("RotaryEmbedding"):
                    _keep_float32_angles(module)
        config = self.model.config.get_text_config()
        self.num_layers = config.num_hidden_layers
        types = getattr(config, "layer_types", None) or ["full_attention"] * self.num_layers
        self.attention_layers = [i for i, kind in enumerate(types)
                                 if kind == "hybrid" or kind.endswith("attention") and kind != "linear_attention"]
        self.num_heads = config.num_attention_heads

    def _log_probs(self, ids, first_row, plan):
        """[T - 1 - first_row, V]: what the rows from first_row on say of the token after them. In double: in a half dtype, and in
        float32 over a large vocabulary, softmax would be off by more than the logits are."""
        global _plan
        _plan = plan
        with torch.inference_mode(), _double_for_float() if self.exact else nullcontext():
            logits = self.model(torch.tensor([ids[:-1]]), use_cache=False,
                                logits_to_keep=len(ids) - 1 - first_row).logits[0]
        return logits.double().log_softmax(-1)

    def token_losses(self, ids, response_begin, masked=(), mode="uniform"):
        """Loss of each response token and entropy of the distribution that predicts it, in nats."""
        log_probs = self._log_probs(ids, response_begin - 1, Plan(frozenset(masked), mode))
        targets = torch.tensor(ids[response_begin:]).unsqueeze(1)
        nll = -log_probs.gather(1, targets)[:, 0]
        entropy = -(log_probs.exp() * log_probs).sum(-1)
        return nll.numpy(), entropy.numpy()

    def probe_scores(self, probe):
        """(recall, [L, H] retrieval scores) of a probe as `air find-heads --dump-probes` writes it."""
        ids = probe["ids"][:probe["answer_end"]]
        answer = ids[probe["answer_begin"]:]
        plan = Plan(rows=range(probe["answer_begin"] - 1, probe["answer_end"] - 1))
        log_probs = self._log_probs(ids, plan.rows.start, plan)
        recall = float((log_probs.argmax(-1) == torch.tensor(answer)).double().mean())
        needle = set(ids[probe["needle_begin"]:probe["needle_end"]])
        scores = np.zeros((self.num_layers, self.num_heads))
        for layer, peaks in zip(self.attention_layers, plan.peaks, strict=True):
            for head in range(self.num_heads):
                copied = {token for token, peak in zip(answer, peaks[head])
                          if token in needle and ids[peak] == token
                          and probe["needle_begin"] <= peak < probe["needle_end"]}
                scores[layer, head] = len(copied) / len(needle)
        return recall, scores

    def retrieval_scores(self, probes):
        """Mean scores [L, H] over the probes that the model answers."""
        answered = [scores for recall, scores in map(self.probe_scores, probes) if recall >= 0.5]
        return np.mean(answered, axis=0)


def critical_heads(scores, fraction=0.05):
    """The top share of all heads, rounded up; best first, ties by (layer, head)."""
    ranked = sorted(np.ndindex(scores.shape), key=lambda head: (-scores[head], head))
    # 0.05 is not exact in binary: 0.05 * 20 must stay 1
    return ranked[:math.ceil(round(fraction * scores.size, 9))]
