"""Axolotl's own chat_template strategy on `air select --format axolotl`: the tokens of `--format tokens`, of which those of the steps of
weight ≥ 1 train."""
from test_exports import export, lines, load, scored, tokenizer  # noqa: F401

CONFIG = {"type": "chat_template", "field_messages": "messages", "message_property_mappings": {"role": "role", "content": "content"},
          "message_field_training": "train", "message_field_training_detail": "train_detail", "roles_to_train": ["assistant"],
          "train_on_eos": "turn"}  # docs/trainers/axolotl.md


def test_the_steps_above_the_mean_train(export, demo_model, tokenizer):  # noqa: F811
    from axolotl.prompt_strategies.chat_template import load as load_strategy
    from axolotl.utils.dict import DictDefault
    config = DictDefault({"sequence_len": 4096, "train_on_inputs": False, "chat_template": "tokenizer_default"})
    strategy = load_strategy(tokenizer, config, DictDefault(CONFIG))
    trained_shares = []
    for record, tokens in zip(load(export("axolotl")), lines(export("tokens", "--tokenizer", demo_model, "--end-token", "none")), strict=True):
        encoded = strategy.tokenize_prompt(record)
        length = len(tokens["input_ids"])
        assert encoded["input_ids"][:length] == tokens["input_ids"]
        trains = [label != -100 for label in encoded["labels"]]
        expected = [weight >= 1 for weight in tokens["loss_weights"]]
        assert trains[:length] == expected
        assert encoded["input_ids"][length] == tokenizer.eos_token_id and trains[length]
        assert all(label in (-100, id) for label, id in zip(encoded["labels"], encoded["input_ids"]))
        trained_shares.append(sum(expected) / length)
    assert 0 < min(trained_shares) and max(trained_shares) < 0.9
