"""What is measured on the held-out set: loss per response token, and answers by generation."""
import re
from dataclasses import dataclass
from decimal import Decimal

import torch

from . import StudyError
from .air import run_air
from .files import read_records, sha256, write_whole

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True)
class TestItem:
    """A held-out record in the tokens that air reads it as."""

    ids: list[int]
    response_begin: int    # index of the first token of the response
    answer: Decimal | None  # the last number of the response


def last_number(text):
    """The last number of a text, without thousands separators; None where there is none."""
    found = NUMBER.findall(text)
    return Decimal(found[-1].replace(",", "")).normalize() if found else None


def response_of(record):
    for name in ("response", "completion", "output", "solution", "answer"):
        if isinstance(record.get(name), str):
            return record[name]
    return ""


def read_test_set(config, path):
    """The held-out records that fit into max_tokens; the number of the others."""
    tokens = config.work_folder / f"test_tokens.{sha256(path)[:12]}.jsonl"
    if not tokens.exists():
        write_whole(tokens, run_air("inspect", "-q", "--model", config.model_folder,
                                    *config.record_flags, path))
    inspected = read_records(tokens)
    records = read_records(path)
    if len(inspected) != len(records):
        raise StudyError(f"{path}: {len(records)} records hold {len(inspected)} traces; the test "
                         "set takes records of one trace")
    items = [TestItem(found["ids"], found["response_begin"], last_number(response_of(record)))
             for found, record in zip(inspected, records)
             if len(found["ids"]) <= config.max_tokens]
    if not items:
        raise StudyError(f"{path}: no record has at most max_tokens = {config.max_tokens} tokens")
    return items, len(records) - len(items)


def by_length(sizes, limit):
    """Indices in batches of similar sizes; a batch, padded, has at most `limit` tokens, or one row."""
    batches, batch = [], []
    for index in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        if batch and (len(batch) + 1) * sizes[batch[0]] > limit:
            batches.append(batch)
            batch = []
        batch.append(index)
    return batches + [batch] if batch else batches


def autocast(config):
    return torch.autocast(config.device, torch.bfloat16, enabled=config.dtype == "bfloat16")


@torch.inference_mode()
def held_out_losses(config, model, items, padding):
    """For each item the sum of its response tokens' losses, in nats, and their number."""
    model.eval()
    sums, counts = [0.0] * len(items), [len(i.ids) - i.response_begin for i in items]
    for batch in by_length([len(item.ids) for item in items], config.eval_batch_tokens):
        width = len(items[batch[0]].ids)
        rows = [items[i].ids + [padding] * (width - len(items[i].ids)) for i in batch]
        mask = [[1] * len(items[i].ids) + [0] * (width - len(items[i].ids)) for i in batch]
        ids = torch.tensor(rows, device=config.device)
        with autocast(config):
            mask = torch.tensor(mask, device=config.device)
            logits = model(input_ids=ids, attention_mask=mask).logits
        for row, index in enumerate(batch):
            begin, end = items[index].response_begin, len(items[index].ids)
            losses = torch.nn.functional.cross_entropy(logits[row, begin - 1:end - 1].float(),
                                                       ids[row, begin:end], reduction="sum")
            sums[index] = losses.item()
    return sums, counts


@torch.inference_mode()
def answers_right(config, model, tokenizer, items):
    """Greedy answers to the prompts of items: whether the last number is the record's last one."""
    model.eval()
    padding = next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id) if i is not None)
    right = [False] * len(items)
    prompts = [item.ids[:item.response_begin] for item in items]
    limit = config.eval_batch_tokens
    for batch in by_length([len(p) + config.max_new_tokens for p in prompts], limit):
        width = max(len(prompts[i]) for i in batch)
        rows = [[padding] * (width - len(prompts[i])) + prompts[i] for i in batch]
        mask = [[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in batch]
        with autocast(config):
            out = model.generate(input_ids=torch.tensor(rows, device=config.device),
                                 attention_mask=torch.tensor(mask, device=config.device),
                                 max_new_tokens=config.max_new_tokens, do_sample=False,
                                 pad_token_id=padding, eos_token_id=tokenizer.eos_token_id)
        for row, index in zip(out, batch):
            text = tokenizer.decode(row[width:], skip_special_tokens=True)
            right[index] = last_number(text) is not None and last_number(text) == items[index].answer
    return right
