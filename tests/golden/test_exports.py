"""Exports of `air select --format …`, read by the trainers' own loaders (TRL 1.16, datasets 5.2, transformers' Trainer), and
what does not need them. ms-swift, Axolotl and LLaMA-Factory: test_ms_swift.py, test_axolotl.py, test_llama_factory.py."""
import json
import sys

import pytest
from air_runner import GSM8K, REPOSITORY, succeed

sys.path.insert(0, str(REPOSITORY / "scripts"))

NUM_RECORDS = 6


@pytest.fixture(scope="module")
def scored(demo_model, tmp_path_factory):
    """A few GSM8K records, scored with one head of the last layer weakened: quick, and the steps' weights differ."""
    folder = tmp_path_factory.mktemp("exports")
    traces = folder / "traces.jsonl"
    traces.write_text("".join(GSM8K.read_text(encoding="utf-8").splitlines(keepends=True)[:NUM_RECORDS]), encoding="utf-8")
    succeed("score", "--model", demo_model, "--heads", "29-0,29-1,29-2", traces, "-o", folder / "scored.jsonl", "-q")
    return folder / "scored.jsonl"


@pytest.fixture(scope="module")
def export(scored, demo_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")

    def run(name, *flags):
        path = folder / f"{name}{len(list(folder.iterdir()))}.jsonl"
        succeed("select", scored, "--top-percent", "100", "--format", name, "-o", path, "-q", *flags)
        return path

    return run


@pytest.fixture(scope="module")
def tokenizer(demo_model):
    from transformers import AutoTokenizer
    return AutoTokenizer.from_pretrained(demo_model)


@pytest.fixture(scope="module")
def tiny_model(tokenizer):
    """Random, with the demo model's vocabulary."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                                        num_attention_heads=4, num_key_value_heads=2))


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def load(path):
    from datasets import load_dataset
    return load_dataset("json", data_files=str(path), split="train", cache_dir=str(path.parent / "cache"))


def training_arguments(folder, **more):
    from transformers import TrainingArguments
    return TrainingArguments(output_dir=str(folder), max_steps=1, per_device_train_batch_size=3, report_to=[], use_cpu=True,
                             save_strategy="no", disable_tqdm=True, **more)


def test_scores_give_steps_of_different_weight(scored):
    weights = {step["weight"] for record in lines(scored) for step in record["air"]["steps"]}
    assert len(weights) > NUM_RECORDS


@pytest.mark.parametrize("name", ["ms-swift", "axolotl", "trl", "trl-stepwise", "llama-factory", "llama-factory-v1", "openai", "openweights"])
def test_datasets_reads_every_format(export, name):
    assert len(load(export(name))) == NUM_RECORDS


def test_tokens_equal_the_tokenizers_own(export, scored, demo_model, tokenizer):
    for record, tokens in zip(lines(scored), load(export("tokens", "--tokenizer", demo_model))):
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": record["prompt"]}], tokenize=False, add_generation_prompt=True)
        encoding = tokenizer(prompt + record["response"], add_special_tokens=False, return_offsets_mapping=True)
        assert tokens["input_ids"] == encoding["input_ids"] + [tokenizer.eos_token_id]
        begins = [begin - len(prompt) for begin, _ in encoding["offset_mapping"]] + [len(record["response"])]
        assert tokens["labels"] == [id if begin >= 0 else -100 for id, begin in zip(tokens["input_ids"], begins)]
        assert record["response"].isascii()  # so that the steps' bytes are characters
        steps = record["air"]["steps"]
        expected = [next((step["weight"] for step in steps if step["begin"] <= begin < step["end"]), 1.0 if begin >= 0 else 0.0) for begin in begins]
        assert tokens["loss_weights"] == pytest.approx(expected, abs=1e-6)
        response = [weight for weight, label in zip(tokens["loss_weights"], tokens["labels"]) if label != -100][:-1]
        assert sum(response) / len(response) == pytest.approx(1, abs=1e-5)


def test_trainer_minimises_the_weighted_loss(export, demo_model, tokenizer, tiny_model, tmp_path):
    import torch
    from weighted_sft import WeightedCollator, WeightedTrainer
    data = load(export("tokens", "--tokenizer", demo_model))
    batch = [data[i] for i in range(3)]
    total, count = 0.0, 0
    with torch.no_grad():
        for example in batch:
            logits = torch.log_softmax(tiny_model(torch.tensor([example["input_ids"]])).logits[0], dim=-1)
            for position, label in enumerate(example["labels"]):
                if label != -100:
                    total -= example["loss_weights"][position] * logits[position - 1, label].item()
                    count += 1
    trainer = WeightedTrainer(model=tiny_model, train_dataset=batch, data_collator=WeightedCollator(tokenizer.pad_token_id or 0),
                              args=training_arguments(tmp_path, remove_unused_columns=False, logging_steps=1, learning_rate=0.0))
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(total / count, abs=1e-4)  # the Trainer rounds what it logs to 4 digits


def test_weights_of_one_give_the_trainers_own_loss(export, demo_model, tokenizer, tiny_model):
    import torch
    from weighted_sft import WeightedCollator, weighted_loss
    data = load(export("tokens", "--tokenizer", demo_model, "--no-step-weights"))
    batch = WeightedCollator(tokenizer.pad_token_id or 0)([data[i] for i in range(NUM_RECORDS)])
    weights = batch.pop("loss_weights")
    with torch.no_grad():
        outputs = tiny_model(**batch)
    assert weighted_loss(outputs.logits, batch["labels"], weights).item() == pytest.approx(outputs.loss.item(), abs=1e-5)


def test_trl_trains_on_the_completion_alone(export, scored, tokenizer, tiny_model, tmp_path):
    from trl import SFTConfig, SFTTrainer
    trainer = SFTTrainer(model=tiny_model, train_dataset=load(export("trl")), processing_class=tokenizer,
                         args=SFTConfig(output_dir=str(tmp_path), max_steps=1, per_device_train_batch_size=2, report_to=[], use_cpu=True,
                                        save_strategy="no", disable_tqdm=True))
    for record, example in zip(lines(scored), trainer.train_dataset):
        batch = trainer.data_collator([example])
        trained = batch["labels"][batch["labels"] != -100]
        assert tokenizer.decode(trained).startswith(record["response"])
    assert trainer.train().training_loss > 0


def test_ms_swift_messages_tile_the_response(export, scored, demo_model):
    for record, exported, cut_between_tokens in zip(lines(scored), lines(export("ms-swift")), lines(export("ms-swift", "--tokenizer", demo_model))):
        for messages in (exported["messages"], cut_between_tokens["messages"]):
            assert [message["role"] for message in messages] == ["user"] + ["assistant"] * (len(messages) - 1)
            assert "".join(message["content"] for message in messages[1:]) == record["response"]
        assert [m["loss_scale"] for m in exported["messages"][1:]] == pytest.approx([s["weight"] for s in record["air"]["steps"]], abs=1e-6)


def test_axolotl_offsets_tile_the_response(export, scored):
    for record, exported in zip(lines(scored), lines(export("axolotl"))):
        message = exported["messages"][-1]
        parts = [message["content"][part["begin_offset"]:part["end_offset"] + 1] for part in message["train_detail"]]
        assert "".join(parts) == record["response"]
        assert [part["train"] for part in message["train_detail"]] == [step["weight"] >= 1 - 1e-9 for step in record["air"]["steps"]] or len(parts) == 1
        assert any(part["train"] for part in message["train_detail"])


def test_openai_messages_end_with_the_response(export, scored):
    for record, exported in zip(lines(scored), lines(export("openai"))):
        assert exported == {"messages": [{"role": "user", "content": record["prompt"]}, {"role": "assistant", "content": record["response"]}]}
