"""The planted hybrid: a recurrent layer does the first half of the copying, and exactly the planted head of an attention layer is
found, with score 1."""
import json
import subprocess
import sys

import numpy as np
import pytest
from air_runner import REPOSITORY, records, succeed
from reference import ModelReference

PLANTED = "1-3"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hybrid")
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "make_planted_hybrid.py", folder], check=True)
    return folder


@pytest.mark.parametrize("probes", ["needle", "kv"])
def test_exactly_the_planted_head_is_found_with_score_1(probes, folder, tmp_path):
    succeed("find-heads", "--model", folder, "--probes", probes, "--lengths", "384,512", "--num-probes", "8",
            "--verify", "--verify-draws", "1", "--dump-probes", tmp_path / "probes.jsonl", "-o", tmp_path / "heads.json")
    heads = json.loads((tmp_path / "heads.json").read_text())
    assert heads["probes"]["num_answered"] == heads["probes"]["num_probes"] == 8
    assert heads["heads"] == [PLANTED]          # the default share, 5 % of the 16 heads that exist, is just so many
    assert [len(layer) for layer in heads["scores"]] == [0, 8, 0, 8]
    scores = {f"{layer}-{head}": score for layer, row in enumerate(heads["scores"]) for head, score in enumerate(row)}
    assert scores.pop(PLANTED) >= 1 - 1e-12
    assert max(scores.values()) < 0.1

    verify = heads["verify"]["probes"]
    assert heads["verify"]["serves_retrieval"] is True
    assert verify["base"]["top1"] > 0.99 and verify["critical"]["top1"] < 0.1
    for draw in verify["random"] + verify["same_layers"]:       # the other heads do nothing
        assert draw["nll"] == pytest.approx(verify["base"]["nll"], abs=1e-6)

    found = np.array([row or [0.0] * 8 for row in heads["scores"]])
    dumped = records((tmp_path / "probes.jsonl").read_bytes())
    np.testing.assert_allclose(found, ModelReference(folder).retrieval_scores(dumped), atol=1e-6)
