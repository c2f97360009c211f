"""Step-weighted fine-tuning with the Hugging Face Trainer: a collator and a loss for `air select --format tokens`.

Each line holds input_ids, labels (-100: not trained) and loss_weights (one a token, mean 1 over a response). The loss is
    sum over trained tokens of weight * cross entropy / number of trained tokens
so that weights of 1 give the Trainer's own loss. docs/trainers/tokens.md shows how to use it.
"""
import torch
from transformers import Trainer

NOT_TRAINED = -100


class WeightedCollator:
    """Pads a batch on the right."""

    def __init__(self, pad_token_id):
        self.padding = {"input_ids": pad_token_id, "labels": NOT_TRAINED, "loss_weights": 0.0}

    def __call__(self, examples):
        length = max(len(example["input_ids"]) for example in examples)
        batch = {key: torch.tensor([example[key] + [padding] * (length - len(example[key])) for example in examples])
                 for key, padding in self.padding.items()}
        batch["attention_mask"] = torch.tensor([[1] * len(e["input_ids"]) + [0] * (length - len(e["input_ids"])) for e in examples])
        return batch


def weighted_loss(logits, labels, loss_weights, num_items=None):
    """The logits at a position predict the label at the next one. num_items: trained tokens over all accumulated batches."""
    labels, weights = labels[:, 1:], loss_weights[:, 1:].float()
    # One row a position: along another dimension than the last, torch sums the vocabulary in an order that costs 2e-4 nats.
    nll = torch.nn.functional.cross_entropy(logits[:, :-1].float().flatten(0, 1), labels.flatten(), ignore_index=NOT_TRAINED, reduction="none")
    return (weights.flatten() * nll).sum() / (num_items if num_items is not None else (labels != NOT_TRAINED).sum())


class WeightedTrainer(Trainer):
    """Give it TrainingArguments(remove_unused_columns=False): the Trainer would drop loss_weights."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels, weights = inputs.pop("labels"), inputs.pop("loss_weights")
        outputs = model(**inputs)
        loss = weighted_loss(outputs.logits, labels, weights, num_items_in_batch)
        return (loss, outputs) if return_outputs else loss
