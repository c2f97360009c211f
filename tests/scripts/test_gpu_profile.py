"""The kernels' times of scripts/gpu_check.py, from the spans that kernel_times.cpp writes."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
pytest.importorskip("torch")
profile = pytest.importorskip("gpu_checks.profile")

SPANS = "500000000\t900000000\t[copy to the GPU]\n1000000000\t2000000000\tvoid gemm<bf16, 128>(int)\n" \
        "2250000000\t3000000000\trope\n2500000000\t4000000000\tvoid gemm<bf16, 128>(int)\n"


def spans(tmp_path):
    (tmp_path / "spans.tsv").write_text(SPANS)
    return profile.read_spans(tmp_path / "spans.tsv")


def test_launches_of_a_kernel_are_summed_and_the_longest_is_first(tmp_path):
    _, table = profile.summary(spans(tmp_path), seconds=3.0)
    assert table == ["share %\tms\tlaunches\tname", "83.33\t2500.00\t2\tvoid gemm<bf16, 128>(int)", "25.00\t750.00\t1\trope"]


def test_what_is_idle_lies_between_spans_that_may_overlap(tmp_path):
    figures, _ = profile.summary(spans(tmp_path), seconds=3.5)
    assert figures["s idle"] == pytest.approx(0.35) and figures["gaps"] == 2
    assert figures["longest gaps"] == ["250.00 ms, void gemm<bf16, 128>(int) -> rope", "100.00 ms, [copy to the GPU] -> void gemm<bf16, 128>(int)"]
