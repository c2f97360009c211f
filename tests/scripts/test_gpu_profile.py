"""The kernels' times of scripts/gpu_check.py, from ncu's table of launches."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
pytest.importorskip("torch")
profile = pytest.importorskip("gpu_checks.profile")

TABLE = '''==PROF== Connected to process 7 (/kit/bin/air)
"ID","Process ID","Process Name","Kernel Name","Metric Name","Metric Unit","Metric Value"
"0","7","air","void gemm<bf16, 128>(int)","gpu__time_duration.sum","ns","3,000,000"
"1","7","air","rope","gpu__time_duration.sum","ns","500000"
"2","7","air","void gemm<bf16, 128>(int)","gpu__time_duration.sum","ns","1,500,000"
'''


def test_launches_of_a_kernel_are_summed_and_the_longest_is_first():
    assert profile.sum_by_kernel(TABLE).splitlines() == [
        "share %,ms,launches,kernel", '90.0,4.50,2,"void gemm<bf16, 128>(int)"', '10.0,0.50,1,"rope"']


def test_what_ncu_said_instead_of_a_table_is_told():
    with pytest.raises(RuntimeError, match="ERR_NVGPUCTRPERM"):
        profile.sum_by_kernel("==ERROR== ERR_NVGPUCTRPERM: no permission to read counters\n")
