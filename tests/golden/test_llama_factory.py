"""LLaMA-Factory's own code on its exports: the classic engine's sharegpt converter, the v1 engine's renderer."""
import importlib.util
import sys
import types

from test_exports import export, lines, load, scored, tokenizer  # noqa: F401


def test_v1_trains_the_last_turn_alone(export, scored, tokenizer):  # noqa: F811
    from llamafactory.v1.core.utils.rendering import Renderer
    for record, sample in zip(lines(scored), load(export("llama-factory-v1")), strict=True):
        rendered, = Renderer("chatml", tokenizer).process_samples([sample])
        assert set(rendered["loss_weights"]) == {0.0, 1.0}
        trained = [id for id, label in zip(rendered["input_ids"], rendered["labels"]) if label != -100]
        assert [w > 0 for w in rendered["loss_weights"]] == [label != -100 for label in rendered["labels"]]
        assert tokenizer.decode(trained) == f"<|im_start|>assistant\n{record['response']}<|im_end|>\n"


def test_the_sharegpt_converter_reads_the_turns(export, scored, monkeypatch):  # noqa: F811
    if importlib.util.find_spec("torchaudio") is None:  # imported for sound, which no text needs
        monkeypatch.setitem(sys.modules, "torchaudio", types.ModuleType("torchaudio"))
    from llamafactory.data.converter import SharegptDatasetConverter
    from llamafactory.data.parser import DatasetAttr
    attributes = DatasetAttr("file", "air")
    attributes.join({"formatting": "sharegpt", "columns": {"messages": "messages"},  # docs/trainers/llama-factory.md
                     "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant",
                              "system_tag": "system"}})
    convert = SharegptDatasetConverter(attributes, types.SimpleNamespace(media_dir=None))  # of the arguments it reads no more for text
    for record, exported in zip(lines(scored), lines(export("llama-factory")), strict=True):
        converted = convert(exported)
        assert converted["_prompt"] == [{"role": "user", "content": record["prompt"]}]
        assert converted["_response"] == [{"role": "assistant", "content": record["response"]}]
