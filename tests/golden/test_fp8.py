"""Weights in FP8 against the same weights in float32: both formats give the losses of the dequantised model."""
import json

import pytest
import torch
from family_models import FAMILIES, make_model
from logits import Window
from safetensors.torch import load_file, save_file
from test_families import SEQUENCES

BLOCK = 16  # smaller than the usual 128, so that tiny matrices have several, and cut ones
LARGEST = 448.0  # of float8_e4m3fn


@pytest.fixture(scope="module")
def window():
    window = Window()
    yield window
    window.close()


def in_blocks(scales, shape):
    """A factor for each element."""
    return scales.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)[:shape[0], :shape[1]]


def quantise(weight, by_block):
    """The matrix in FP8, its factors as they are stored, and a factor for each element."""
    if not by_block:
        scale = weight.abs().max() / LARGEST
        return (weight / scale).to(torch.float8_e4m3fn), scale, scale
    rows, columns = (-(-size // BLOCK) for size in weight.shape)
    padded = torch.zeros(rows * BLOCK, columns * BLOCK)
    padded[:weight.shape[0], :weight.shape[1]] = weight
    scales = padded.view(rows, BLOCK, columns, BLOCK).abs().amax(dim=(1, 3)) / LARGEST
    factors = in_blocks(scales, weight.shape)
    return (weight / factors).to(torch.float8_e4m3fn), scales, factors


@pytest.mark.parametrize("scheme", ["by block", "a factor a matrix"])
@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_the_losses_of_the_dequantised_weights(window, tmp_path, family, scheme):
    by_block = scheme == "by block"
    base, packed, wide = tmp_path / "base", tmp_path / "packed", tmp_path / "wide"
    make_model(base, family, next(iter(FAMILIES[family])))
    tensors, stored = load_file(base / "model.safetensors"), {}
    for name, tensor in list(tensors.items()):
        stored[name] = tensor
        if name.endswith("_proj.weight"):
            stored[name], scale, factors = quantise(tensor.float(), by_block)
            stored[name + "_scale_inv"] = scale
            tensors[name] = stored[name].float() * factors
    config = json.loads((base / "config.json").read_text())
    for folder, weights in [(packed, stored), (wide, tensors)]:
        folder.mkdir()
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "model.safetensors",
                  metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(config))
    (packed / "config.json").write_text(json.dumps(config | {"quantization_config": {
        "quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [BLOCK, BLOCK] if by_block else None}}))
    variants = [[], [[0, 0]]]
    found, expected = (window.run(folder, SEQUENCES, variants) for folder in (packed, wide))
    for key in expected:
        assert (found[key] == expected[key]).all(), key


def test_fp8_without_its_settings_is_refused(window, tmp_path):
    make_model(tmp_path, "llama", "gqa")
    tensors = load_file(tmp_path / "model.safetensors")
    name = next(name for name in tensors if name.endswith("q_proj.weight"))
    tensors[name] = tensors[name].to(torch.float8_e4m3fn)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert "FP8" in window.error(tmp_path) and name in window.error(tmp_path)
