"""Fine-tuning on a pick: the Hugging Face Trainer, as many steps for every arm."""
import random
import shutil

import torch
from torch.utils.data import DataLoader
from transformers import (AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainingArguments,
                          set_seed)
from transformers.utils import logging

from weighted_sft import NOT_TRAINED, WeightedCollator, WeightedTrainer

logging.disable_progress_bar()    # the study says how far it is, a line a run


def num_trained(example):
    """Tokens that the loss counts: the response and its end token."""
    return sum(label != NOT_TRAINED for label in example["labels"])


def make_batches(sizes, num_batches, seed):
    """One epoch: indices in a shuffle by the seed, cut into batches of about equally many tokens.

    Every batch has an example when none is larger than an equal part.
    """
    order = list(range(len(sizes)))
    random.Random(seed).shuffle(order)
    batches = [[] for _ in range(num_batches)]
    total, before = sum(sizes), 0
    for index in order:
        middle = before + sizes[index] / 2
        batches[min(num_batches - 1, int(middle * num_batches / total))].append(index)
        before += sizes[index]
    return [batch for batch in batches if batch]


def make_schedule(sizes, config, seed):
    """All epochs' batches, in order: so many steps for every arm, whatever the traces' lengths."""
    return [batch for epoch in range(config.epochs)
            for batch in make_batches(sizes, config.steps_per_epoch, f"{seed} {epoch}")]


class ScheduledTrainer(WeightedTrainer):
    """Takes its batches as they are scheduled."""

    def __init__(self, *arguments, schedule, **options):
        super().__init__(*arguments, **options)
        self.schedule = schedule

    def get_train_dataloader(self):
        return DataLoader(self.train_dataset, batch_sampler=self.schedule,
                          collate_fn=self.data_collator)


def load_tokenizer(config):
    return AutoTokenizer.from_pretrained(config.model_folder)


def padding_id(tokenizer):
    return next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None)


def load_model(config):
    """The model before any training, in float32."""
    model = AutoModelForCausalLM.from_pretrained(config.model_folder, dtype=torch.float32)
    return model.to(config.device)


def with_lora(model, config):
    from peft import LoraConfig, get_peft_model
    return get_peft_model(model, LoraConfig(r=config.lora_rank, lora_alpha=2 * config.lora_rank,
                                            target_modules="all-linear", task_type="CAUSAL_LM"))


def _arguments(config, seed, num_steps, folder):
    saves = {"save_strategy": "no"}
    if config.checkpoint_steps:
        saves = {"save_strategy": "steps", "save_steps": config.checkpoint_steps,
                 "save_total_limit": 1}
    return TrainingArguments(
        output_dir=str(folder), max_steps=num_steps, learning_rate=config.learning_rate,
        lr_scheduler_type="linear", warmup_steps=round(config.warmup_share * num_steps),
        per_device_train_batch_size=1, remove_unused_columns=False, report_to=[], seed=seed,
        use_cpu=config.device == "cpu", bf16=config.dtype == "bfloat16", disable_tqdm=True,
        logging_strategy="no", **saves)


def train(config, examples, seed, folder):
    """The trained model. Checkpoints go to `folder`, which is removed at the end."""
    set_seed(seed)
    model = load_model(config)
    if config.method == "lora":
        model = with_lora(model, config)
    schedule = make_schedule([num_trained(example) for example in examples], config, seed)
    trainer = ScheduledTrainer(
        model=model, train_dataset=examples, schedule=schedule,
        data_collator=WeightedCollator(padding_id(load_tokenizer(config))),
        args=_arguments(config, seed, len(schedule), folder))
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=any(folder.glob("checkpoint-*")) or None)
    if trainer.state.global_step != len(schedule):
        raise RuntimeError(f"{trainer.state.global_step} steps were trained, not {len(schedule)}")
    shutil.rmtree(folder, ignore_errors=True)
    return trainer.model, len(schedule)
