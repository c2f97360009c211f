#!/usr/bin/env python3
"""Fine-tunes a small model for a few dozen steps on `air select --format tokens` exports, once with step weights and once
without, through the Hugging Face Trainer, and checks what must hold: the weighted loss equals a computation by hand, both
losses go down. A proof that the export trains, not that it trains better: that takes many seeds and a test of its own.

    air select scored.jsonl --top-percent 100 --format tokens --tokenizer MODEL -o weighted.jsonl
    scripts/train_demo.py --model MODEL weighted.jsonl

Needs requirements-trainers.txt beside requirements-test.txt. Under 15 minutes on 2 cores with the defaults.
"""
import argparse
import json
import sys
import tempfile
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainingArguments, set_seed

from weighted_sft import NOT_TRAINED, WeightedCollator, WeightedTrainer, weighted_loss


def read_examples(path, max_tokens, weighted):
    with open(path, encoding="utf-8") as lines:
        examples = [json.loads(line) for line in lines]
    examples = [{key: example[key] for key in ("input_ids", "labels", "loss_weights")} for example in examples
                if len(example["input_ids"]) <= max_tokens]
    if not weighted:
        for example in examples:
            example["loss_weights"] = [float(label != NOT_TRAINED) for label in example["labels"]]
    return examples


def loss_by_hand(model, examples):
    """One example at a time, one token at a time, in Python floats."""
    total, count = 0.0, 0
    for example in examples:
        logits = model(input_ids=torch.tensor([example["input_ids"]])).logits[0].float()
        for position, label in enumerate(example["labels"]):
            if label == NOT_TRAINED or position == 0:
                continue
            log_probabilities = torch.log_softmax(logits[position - 1], dim=0)
            total += example["loss_weights"][position] * -log_probabilities[label].item()
            count += 1
    return total / count


@torch.no_grad()
def mean_loss(model, collator, examples):
    """On examples that stay the same, so that before and after can be compared."""
    batch = collator(examples)
    logits = model.eval()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return weighted_loss(logits, batch["labels"], batch["loss_weights"]).item()


@torch.no_grad()
def check_loss(model, collator, examples):
    """The collated, padded batch's loss against the one by hand."""
    batch = collator(examples)
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    batched, by_hand = weighted_loss(logits, batch["labels"], batch["loss_weights"]).item(), loss_by_hand(model, examples)
    print(f"weighted loss of {len(examples)} examples: {batched:.6f} batched, {by_hand:.6f} by hand")
    if abs(batched - by_hand) > 1e-5:
        sys.exit("the weighted loss is not what it should be")


def train(arguments, weighted):
    set_seed(arguments.seed)
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    examples = read_examples(arguments.examples, arguments.max_tokens, weighted)
    collator = WeightedCollator(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)
    check_loss(model.eval(), collator, examples[:3])
    fixed = examples[:arguments.fixed_examples]
    first = mean_loss(model, collator, fixed)
    with tempfile.TemporaryDirectory() as folder:
        trainer = WeightedTrainer(
            model=model, train_dataset=examples, data_collator=collator,
            args=TrainingArguments(output_dir=folder, max_steps=arguments.steps, per_device_train_batch_size=arguments.batch_size,
                                   learning_rate=arguments.learning_rate, lr_scheduler_type="constant", logging_steps=1,
                                   remove_unused_columns=False, save_strategy="no", report_to=[], use_cpu=True, seed=arguments.seed,
                                   disable_tqdm=True))
        begin = time.monotonic()
        trainer.train()
    last = mean_loss(model, collator, fixed)
    print(f"{'weights on ' if weighted else 'weights off'}: loss of {len(fixed)} training examples {first:.4f} before, {last:.4f} after "
          f"{arguments.steps} steps; {time.monotonic() - begin:.0f} s")
    if not last < first:
        sys.exit("the loss does not go down")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", help="lines of air select --format tokens")
    parser.add_argument("--model", required=True, help="folder of the model, the one that scored")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--max-tokens", type=int, default=512, help="longer examples are left out")
    parser.add_argument("--fixed-examples", type=int, default=8, help="training examples whose loss is compared before and after")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for weighted in (True, False):
        train(arguments, weighted)
    print("both losses go down, and the weighted loss equals the one by hand")


if __name__ == "__main__":
    main()
