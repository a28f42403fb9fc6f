#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ci/gpu.sh [--without-torch] [suite...]
#
# On a machine that has CMake, ninja, a C++20 compiler and a torch of its own (and nvcc, if that torch
# is a CUDA one), in a checkout or in an unpacked ci/bundle.sh: builds, says what is there, and runs the
# suites (smoke and hrm_text by default) into build/gpu/<suite>. Installs nothing, needs no network, and
# works without a GPU too. Its exit status is that of the first suite that did not go as expected; 1 if the
# matrix units of the GPU are not laid out as backends/hip has it.
#
#   FATHOM_TORCH_PYTHON=...   the Python whose torch is judged (default: the first python3 of the PATH)
source "$(dirname "$0")/common.sh"
parse_arguments "$@"
suites=("${arguments[@]}")
((${#suites[@]})) || suites=(smoke hrm_text)

for tool in cmake ninja c++; do
  command -v "$tool" > /dev/null || die "needs $tool on the PATH"
done
if command -v nvidia-smi > /dev/null && gpus=$(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader); then
  say "GPU: $gpus"
else
  say "GPU: none that nvidia-smi knows; only what runs on the CPU is judged"
fi

settings=(-DFATHOM_TORCH_PYTHON="${FATHOM_TORCH_PYTHON:-$(command -v python3 || true)}")
if [[ -d third_party ]]; then
  settings+=(-DCMAKE_PREFIX_PATH="$PWD/third_party"
    -DCHART_JS="$PWD/third_party/share/javascript/chart.js/chart.min.js")
fi
build_release "${settings[@]}"
build/release/fathom doctor || warn "doctor found something missing, see above"

status=0
layouts=build/release/tests/hip_layout_gpu_test
if [[ -x $layouts ]]; then
  "$layouts" || (($? == 77)) || status=1
fi
for suite in "${suites[@]}"; do
  say "" "== $suite"
  rm -rf "build/gpu/$suite"
  code=0
  build/release/fathom run --suite "$suite" --out "build/gpu/$suite" || code=$?
  ((status)) || status=$code
done
for suite in "${suites[@]}"; do
  say "" "== $suite: build/gpu/$suite/report.html"
  [[ ! -f build/gpu/$suite/summary.md ]] || cat "build/gpu/$suite/summary.md"
done
exit "$status"
