#!/usr/bin/env bash
# Scores traces on a Slurm cluster: finds the heads, scores the shards in an array job, joins them,
# and makes the report. Run it again at any time: it submits only what is missing.
#   AIR_MODEL=DIR AIR_TRACES=FILE AIR_OUT=FOLDER examples/slurm/submit.sh [sbatch flags of the heads and score jobs]
#   AIR_MODEL=… AIR_TRACES=… AIR_OUT=… AIR_SHARDS=32 examples/slurm/submit.sh --gres=gpu:1 --time=4:00:00
# Settings: AIR_SHARDS=N       shards, each a task of the array; default 8. Keep it when you run it again.
#           AIR_FLAGS="…"      further flags of air score, split at blanks
#           AIR_HEADS_FLAGS    the same of air find-heads
#           AIR_PROGRAM=FILE   the command air; default: the one on the PATH
# Account and partition of all three jobs: SBATCH_ACCOUNT, SBATCH_PARTITION in the environment.
# FOLDER must be one that all nodes share. The variables reach the jobs, as sbatch passes the environment on.
set -euo pipefail
case "${1:-}" in -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
for name in AIR_MODEL AIR_TRACES AIR_OUT; do
  [ -n "${!name:-}" ] || { echo "submit: $name is not set; $0 --help" >&2; exit 2; }
done
export AIR_MODEL AIR_TRACES AIR_OUT AIR_SHARDS=${AIR_SHARDS:-8} AIR_FLAGS=${AIR_FLAGS:-} AIR_HEADS_FLAGS=${AIR_HEADS_FLAGS:-}
export AIR_PROGRAM=${AIR_PROGRAM:-air}
mkdir -p "$AIR_OUT/logs"
submit() { sbatch --parsable --requeue --open-mode=append --output="$AIR_OUT/logs/%x.%A_%a.log" "$@"; }

if [ -e "$AIR_OUT/shards" ] && [ "$(cat "$AIR_OUT/shards")" != "$AIR_SHARDS" ]; then
  echo "submit: $AIR_OUT holds a run of $(cat "$AIR_OUT/shards") shards, and AIR_SHARDS is $AIR_SHARDS" >&2
  exit 2
fi
echo "$AIR_SHARDS" > "$AIR_OUT/shards"

after=()
if [ ! -e "$AIR_OUT/heads.json" ]; then
  heads=$(submit --job-name=air-heads "$@" "$here/heads.sbatch")
  echo "heads: job $heads"
  after=(--dependency="afterok:$heads" --kill-on-invalid-dep=yes)
fi

missing=()
for ((i = 0; i < AIR_SHARDS; i++)); do
  # The unfinished scores go last: until then the task has something left to do.
  if [ ! -e "$AIR_OUT/scored.$i.jsonl" ] || [ -e "$AIR_OUT/scored.$i.jsonl.partial" ]; then missing+=("$i"); fi
done
if [ ${#missing[@]} -gt 0 ]; then
  tasks=$(IFS=,; echo "${missing[*]}")
  score=$(submit --job-name=air-score --array="$tasks" --signal=B:TERM@120 "${after[@]}" "$@" "$here/score.sbatch")
  echo "score: job $score, tasks $tasks of $AIR_SHARDS"
  after=(--dependency="afterok:$score" --kill-on-invalid-dep=yes)
elif [ -e "$AIR_OUT/report.html" ]; then
  echo "nothing is missing: $AIR_OUT/all.jsonl, $AIR_OUT/report.html"
  exit 0
fi
join=$(submit --job-name=air-join "${after[@]}" "$here/join.sbatch")
echo "join and report: job $join"
