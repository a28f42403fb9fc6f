# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts here share; sourced, never run. Leaves the shell in the root of the sources.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A worker's OpenMP threads that spin at a barrier starve the driver's on a machine with few cores.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

say() { printf '%s\n' "$@"; }  # One line per argument.
warn() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }
die() { warn "$*"; exit 1; }

# The comment at the head of the script that runs, as its help.
usage() { awk 'NR > 2 && !/^#/ {exit} NR > 2 {sub(/^# ?/, ""); print}' "$0"; }

# Reads the one option that setup, demo and test have; the rest is left in `arguments`.
parse_arguments() {
  arguments=()
  for argument in "$@"; do
    case "$argument" in
      --without-torch) export FATHOM_WITHOUT_TORCH=1 ;;
      -h | --help) usage; exit 0 ;;
      -*) warn "unknown option $argument"; usage >&2; exit 64 ;;
      *) arguments+=("$argument") ;;
    esac
  done
}

no_arguments() { ((${#arguments[@]} == 0)) || { warn "takes no argument '${arguments[0]}'"; exit 64; }; }

without_torch() { [[ ${FATHOM_WITHOUT_TORCH:-0} != 0 ]]; }

# AUTO lets CMake look for a torch; OFF also forgets what an earlier configure found.
torch_mode() { if without_torch; then say OFF; else say AUTO; fi; }

# build_release <cmake argument>...: the driver and its workers in build/release. Tests and benchmarks
# stay out of a first build, so that it is quicker; a later one keeps what it has.
build_release() {
  [[ -f build/release/CMakeCache.txt ]] || set -- -DFATHOM_TESTS=OFF -DFATHOM_BENCHMARKS=OFF "$@"
  cmake --preset release -DFATHOM_WITH_TORCH="$(torch_mode)" "$@"
  cmake --build --preset release
}
