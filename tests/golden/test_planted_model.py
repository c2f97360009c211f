"""The planted model: exactly the planted head is found, and masking it, not another, removes the copying."""
import json
import subprocess
import sys

import numpy as np
import pytest
from air_runner import REPOSITORY, records, succeed, write_records
from reference import ModelReference

PLANTED = "1-5"
NEEDLE = "purple lamp river stone"
TRACE = {"prompt": f"The hill was green. The secret message of Peter is: {NEEDLE}. The birds sang.\n"
                   "What is the secret message of Peter?",
         "response": f"The secret message of Peter is: {NEEDLE}."}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "make_planted_model.py", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def found(folder, tmp_path_factory):
    """heads.json and the dumped probes of one find-heads run."""
    out = tmp_path_factory.mktemp("heads")
    succeed("find-heads", "--model", folder, "--lengths", "512,1024", "--num-probes", "8",
            "--dump-probes", out / "probes.jsonl", "-o", out / "heads.json")
    return out


def test_the_planted_head_is_found_and_no_other(found):
    heads = json.loads((found / "heads.json").read_text())
    assert heads["heads"] == [PLANTED]
    scores = np.array(heads["scores"])
    assert scores[1, 5] > 0.9
    scores[1, 5] = 0
    assert scores.max() < 0.1


def test_the_score_matrix_is_that_of_the_second_implementation(folder, found):
    probes = records((found / "probes.jsonl").read_bytes())
    heads = json.loads((found / "heads.json").read_text())
    np.testing.assert_allclose(heads["scores"], ModelReference(folder).retrieval_scores(probes), atol=1e-6)


def test_masking_the_planted_head_removes_the_copying(folder, tmp_path):
    traces = write_records(tmp_path / "traces.jsonl", [TRACE])

    def needle_loss(heads, key):
        record, = records(succeed("score", "--model", folder, "--heads", heads, "--token-losses", traces))
        tokens = record["air"]["tokens"]
        begin = TRACE["response"].index(NEEDLE)
        return np.mean(tokens[key][begin:begin + len(NEEDLE)])

    assert needle_loss(PLANTED, "base_nll") < 0.01
    assert needle_loss(PLANTED, "ref_nll") > 1
    others = ",".join(f"1-{head}" for head in range(8) if head != 5)
    assert needle_loss(others, "ref_nll") < 0.01
