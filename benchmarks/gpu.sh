#!/usr/bin/env bash
# Everything that is to be measured on a GPU, in parts of under 10 minutes: benchmarks/gpu.sh PART [FOLDER]
#   tests         the kernels' tests, compiled and run on the GPU
#   recurrent     benchmarks/gpu_recurrent.py (call it again until it says no more that time is up)
#   transformer   benchmarks/gpu_transformer.py (likewise)
#   ptb           the 15 settings of Penn Treebank at full length (call it again until it prints the page's place)
#   best          the recipe ptb-best, at most 10 minutes of training (likewise)
#   shakespeare   the recipe shakespeare-best, at most 3 minutes of training (likewise)
# Results go to FOLDER (benchmarks/results where none is named); PYTHON names another interpreter. See docs/gpu.md.
set -euo pipefail
cd "$(dirname "$0")/.."

part="${1:-}"
python="${PYTHON:-python3}"
GLASSLOOM_RESULTS="$(mkdir -p "${2:-benchmarks/results}" && cd "${2:-benchmarks/results}" && pwd)"
export GLASSLOOM_RESULTS PYTHONUNBUFFERED=1 PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}"

recipe() { # RECIPE RESULT: interrupted, a run is saved, and the next call goes on with it
  local started done=0
  started=$(date +%s)
  timeout --signal=INT 540 "$python" -m glassloom run "$1" --out "runs/$2" || done=$?
  echo "{\"seconds\": $(($(date +%s) - started)), \"exit\": $done}" >>"$GLASSLOOM_RESULTS/$2_calls.jsonl"
  if [ -f "runs/$2/results.json" ]; then cp "runs/$2/results.json" "$GLASSLOOM_RESULTS/$2.json"; fi
  exit "$done"
}

case "$part" in
  tests) exec timeout 570 "$python" -m pytest -q tests/test_cuda_kernels.py ;;
  recurrent) exec "$python" benchmarks/gpu_recurrent.py --minutes 8.5 ;;
  transformer) exec "$python" benchmarks/gpu_transformer.py --minutes 8.5 ;;
  ptb) recipe ptb-architectures gpu_ptb ;;
  best) recipe ptb-best gpu_ptb_best ;;
  shakespeare) recipe shakespeare-best gpu_shakespeare_best ;;
  *)
    echo "Name a part: tests, recurrent, transformer, ptb, best or shakespeare." >&2
    exit 2
    ;;
esac
