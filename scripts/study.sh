#!/usr/bin/env bash
# Does the score select better data? The study of docs/evidence.md; scripts/study.sh --help lists its commands.
# Needs the build, and a Python with requirements-study.txt: .venv, or the one that STUDY_PYTHON names.
cd "$(dirname "$0")/.." && source scripts/common.sh

export OMP_WAIT_POLICY=passive    # beside other work, threads that wait must not spin
python=${STUDY_PYTHON:-.venv/bin/python}
"$python" -c 'import matplotlib, peft, scipy, transformers' ||
  die "$python lacks what the study needs: .venv/bin/pip install -r requirements-study.txt"
export PYTHONPATH=scripts HF_HUB_OFFLINE=1
exec "$python" -m study "$@"
