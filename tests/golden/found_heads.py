"""`air find-heads` held against the second implementation, on the very probes that it dumped."""
import json

import numpy as np
import pytest
from air_runner import records, succeed
from reference import critical_heads


def find_heads(model_folder, out, *flags):
    """The heads file and the dumped probes of a run."""
    succeed("find-heads", "--model", model_folder, "--dump-probes", out / "probes.jsonl", "-o", out / "heads.json", *flags)
    return json.loads((out / "heads.json").read_text()), records((out / "probes.jsonl").read_bytes())


def check_against_reference(model, heads, probes):
    """Recall of each probe, the whole score matrix and the critical set. @return a line that says how near they are."""
    answered = []
    for probe in probes:
        recall, scores = model.probe_scores(probe)
        assert probe["recall"] == pytest.approx(recall)
        assert probe["answered"] == (recall >= 0.5)
        if probe["answered"]:
            answered.append(scores)
    assert len(answered) == heads["probes"]["num_answered"]
    expected, found = np.mean(answered, axis=0), np.array(heads["scores"])
    assert found.shape == expected.shape == (model.num_layers, model.num_heads)
    assert expected.max() > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)
    assert heads["heads"] == [f"{layer}-{head}" for layer, head in critical_heads(expected)]
    return f"{len(answered)} of {len(probes)} probes answered, largest difference {np.abs(found - expected).max():.1e}"
