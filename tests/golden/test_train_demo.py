"""The proof that step weights train, at its defaults, on the bundled traces: scripts/train_demo.py says and checks what must hold."""
import subprocess
import sys

from air_runner import GSM8K, REPOSITORY, clean_environment, succeed


def test_the_demo_model_trains_with_weights_and_without(demo_model, tmp_path):
    succeed("score", "-q", "--model", demo_model, "--heads", "18-6,18-7,17-3,20-6,23-7", GSM8K, "-o", tmp_path / "scored.jsonl")
    succeed("select", "-q", tmp_path / "scored.jsonl", "--top-percent", "100", "--format", "tokens", "--tokenizer", demo_model,
            "-o", tmp_path / "weighted.jsonl")
    result = subprocess.run([sys.executable, REPOSITORY / "scripts" / "train_demo.py", "--model", demo_model, tmp_path / "weighted.jsonl"],
                            capture_output=True, text=True, env=clean_environment(CUDA_VISIBLE_DEVICES=""))
    print(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "weights on" in result.stdout and "weights off" in result.stdout
