"""On a GPU: every family's losses, the planted heads, the same bytes twice. Without one these tests skip themselves; scripts/gpu_check.py is
the longer check, with speeds."""
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from air_runner import GSM8K, REPOSITORY, records, sees_gpu, succeed
from family_models import FAMILIES, cases, make_model
from logits import Window
from test_families import FURTHER, TOLERANCE, compare, errors_in_bfloat16

LOSSES = ("base_nll", "ref_nll", "entropy")


@pytest.fixture(scope="module", autouse=True)
def gpu():
    if not sees_gpu():
        pytest.skip("no GPU")


@pytest.fixture(scope="module")
def window():
    window = Window()
    yield window
    window.close()


@pytest.mark.parametrize("family,name", cases())
def test_logits_and_losses(family, name, window, tmp_path):
    make_model(tmp_path / "model", family, name)
    assert max(compare(window, tmp_path / "model", device="cuda")) < TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16(family, window, tmp_path):
    model = make_model(tmp_path / "model", family, next(iter(FAMILIES[family])), dtype=torch.bfloat16)
    own_error, error = errors_in_bfloat16(window, tmp_path / "model", model, device="cuda")
    assert own_error < FURTHER * error


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "make_planted_model.py", folder], check=True)
    return folder


def score(model, device):
    return succeed("score", "--model", model, "--heads", "1-5,1-12", "--device", device, "--dtype", "float32", "--order", "input",
                   "--token-losses", GSM8K)


def test_the_command_line_in_float32(planted):
    for cpu, cuda in zip(records(score(planted, "cpu")), records(score(planted, "cuda")), strict=True):
        for key in LOSSES:
            np.testing.assert_allclose(cuda["air"]["tokens"][key], cpu["air"]["tokens"][key], atol=TOLERANCE)


def test_two_runs_write_the_same_bytes(planted):
    assert score(planted, "cuda") == score(planted, "cuda")


def test_the_planted_heads_are_found(planted, tmp_path):
    succeed("find-heads", "--model", planted, "--device", "cuda", "--dtype", "float32", "--lengths", "384,512", "--num-probes", "16",
            "-o", tmp_path / "heads.json")
    assert json.loads((tmp_path / "heads.json").read_text())["heads"] == ["1-5", "1-12"]
