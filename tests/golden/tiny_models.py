"""Makes tiny random models and a tiny tokenizer, as transformers and tokenizers save them."""
import json

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM

VOCAB_SIZE = 400
_TRAINING_TEXT = """Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.
How many clips did Natalia sell altogether? She sold 48/2 = 24 clips in May. The answer is 72.
Weng earns $12 an hour for babysitting. How much did she earn yesterday? The answer is 10."""

# What a model of the family may be: each entry is one combination.
TINY_LLAMAS = {
    "gqa-tied-bf16": dict(num_attention_heads=6, num_key_value_heads=2, tie_word_embeddings=True, dtype="bfloat16"),
    "mha-untied-fp16": dict(num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=False, dtype="float16"),
    "mqa-untied-sharded-fp32": dict(num_attention_heads=4, num_key_value_heads=1, tie_word_embeddings=False,
                                    dtype="float32", max_shard_size="60KB"),
    "wide-head-biases-fp32": dict(num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True, head_dim=32,
                                  attention_bias=True, mlp_bias=True, dtype="float32", rope_theta=500.0),
}


def make_tokenizer(folder, add_bos):
    """A byte-level BPE tokenizer; with add_bos its post-processor puts <s> before every text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB_SIZE, special_tokens=["<s>", "</s>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(_TRAINING_TEXT.splitlines(), trainer)
    if add_bos:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def make_tiny_llama(folder, dtype, max_shard_size="1GB", add_bos=False, seed=0, rope_theta=10000.0, **shape):
    """Weights are drawn wide, so that attention is far from uniform and losses far from log V."""
    folder.mkdir(parents=True)
    config = LlamaConfig(**{"vocab_size": VOCAB_SIZE, "hidden_size": 48, "intermediate_size": 80,
                            "num_hidden_layers": 4, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
                            "rope_parameters": {"rope_type": "default", "rope_theta": rope_theta},
                            "bos_token_id": 0, "eos_token_id": 1, **shape})
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("norm.weight"):
                weight.uniform_(0.5, 1.5, generator=generator)
            else:
                weight.normal_(0.0, 0.2, generator=generator)
    model.to(getattr(torch, dtype)).save_pretrained(folder, max_shard_size=max_shard_size)
    make_tokenizer(folder, add_bos)
    return folder
