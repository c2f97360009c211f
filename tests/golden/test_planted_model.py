"""The planted model: exactly the planted heads are found, with score 1, and masking them, not others, removes the copying."""
import json
import subprocess
import sys

import numpy as np
import pytest
from air_runner import REPOSITORY, records, succeed, write_records
from reference import ModelReference, parse_heads

PLANTED = ["1-5", "1-12"]
NUM_HEADS = 16
NEEDLE = "purple lamp river stone"
TRACE = {"prompt": f"The hill was green. The secret message of Peter is: {NEEDLE}. The birds sang.\n"
                   "What is the secret message of Peter?",
         "response": f"The secret message of Peter is: {NEEDLE}."}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "make_planted_model.py", folder], check=True)
    return folder


@pytest.fixture(scope="module", params=["needle", "kv"])
def found(request, folder, tmp_path_factory):
    """heads.json and the dumped probes of one find-heads run."""
    out = tmp_path_factory.mktemp("heads")
    succeed("find-heads", "--model", folder, "--probes", request.param, "--lengths", "384,512", "--num-probes", "16",
            "--verify", "--verify-draws", "1", "--dump-probes", out / "probes.jsonl", "-o", out / "heads.json")
    return out


def test_exactly_the_planted_heads_are_found_with_score_1(found):
    heads = json.loads((found / "heads.json").read_text())
    assert heads["probes"]["num_answered"] == heads["probes"]["num_probes"] == 16
    assert heads["heads"] == PLANTED            # the default share, 5 % of 32 heads, is just so many
    scores = np.array(heads["scores"])
    for layer, head in parse_heads(PLANTED):
        assert scores[layer, head] >= 1 - 1e-12
        scores[layer, head] = 0
    assert scores.max() < 0.1


def test_the_verdict_is_positive(found):
    verify = json.loads((found / "heads.json").read_text())["verify"]
    assert verify["serves_retrieval"] is True
    assert verify["probes"]["base"]["top1"] > 0.99 and verify["probes"]["critical"]["top1"] < 0.1
    for draw in verify["probes"]["same_layers"]:        # the other heads of their layer do nothing
        assert draw["nll"] == pytest.approx(verify["probes"]["base"]["nll"], abs=1e-6)


def test_the_score_matrix_is_that_of_the_second_implementation(folder, found):
    probes = records((found / "probes.jsonl").read_bytes())
    heads = json.loads((found / "heads.json").read_text())
    np.testing.assert_allclose(heads["scores"], ModelReference(folder).retrieval_scores(probes), atol=1e-6)


def test_masking_the_planted_heads_removes_the_copying(folder, tmp_path):
    traces = write_records(tmp_path / "traces.jsonl", [TRACE])

    def needle_loss(heads, key):
        record, = records(succeed("score", "--model", folder, "--heads", heads, "--token-losses", traces))
        tokens = record["air"]["tokens"]
        begin = TRACE["response"].index(NEEDLE)
        losses = [loss for byte, loss in zip(tokens["begin"], tokens[key]) if begin <= byte < begin + len(NEEDLE)]
        assert losses
        return np.mean(losses)

    assert needle_loss(",".join(PLANTED), "base_nll") < 0.01
    assert needle_loss(",".join(PLANTED), "ref_nll") > 5
    for head in PLANTED:                        # each writes half of the output's bits
        assert needle_loss(head, "ref_nll") > 1
    others = [f"1-{head}" for head in range(NUM_HEADS)]
    assert needle_loss(",".join(head for head in others if head not in PLANTED), "ref_nll") < 0.01
