"""ms-swift's own template on `air select --format ms-swift`: tokens and loss_scale must be those of `--format tokens`."""
from test_exports import export, lines, scored  # noqa: F401


def test_each_token_has_its_steps_weight(export, demo_model):  # noqa: F811
    from swift import get_processor, get_template
    template = get_template(get_processor(str(demo_model), model_type="llama"), template_type="chatml", is_binary_loss_scale=False)
    template.set_mode("train")
    for messages, tokens in zip(lines(export("ms-swift", "--tokenizer", demo_model)), lines(export("tokens", "--tokenizer", demo_model))):
        encoded = template.encode(messages)
        swift = [(id, round(weight, 5)) for id, label, weight in zip(encoded["input_ids"], encoded["labels"], encoded["loss_scale"]) if label != -100]
        air = [(id, round(weight, 5)) for id, label, weight in zip(tokens["input_ids"], tokens["labels"], tokens["loss_weights"]) if label != -100]
        assert swift[:len(air)] == air
        assert len(swift) <= len(air) + 1  # the newline that ChatML has after the end token
