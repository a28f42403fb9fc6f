#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ci/test.sh [--without-torch] [stage...]
#
# Sets up and passes all tests, from a fresh Debian or Ubuntu machine. Stages, all by default:
#
#   setup     ci/setup.sh
#   release   builds the release preset: everything that can be built here but the unit tests
#   headers   every header of ours compiles on its own
#   test      every test of the release build: numerics, conformance, torch, browser
#   smoke     the smoke suite, as a user would run it, into build/smoke
#   selftest  planted defects are seen and clean cases pass; the short form, into build/selftest.json
#   asan      builds with AddressSanitizer and UBSan, without torch, and runs the unit tests
#   format    clang-format 14 changes no source
#   tidy      clang-tidy 14 finds nothing
#
# A stage that fails does not stop the ones after it. The last line counts tests, and each stage that
# is not a run of tests as one; exit status 1 if anything failed.
source "$(dirname "$0")/common.sh"
all=(setup release headers test smoke selftest asan format tidy)
parse_arguments "$@"
stages=("${arguments[@]}")
((${#stages[@]})) || stages=("${all[@]}")

for stage in "${stages[@]}"; do
  [[ " ${all[*]} " == *" $stage "* ]] || { warn "unknown stage $stage; there are: ${all[*]}"; exit 64; }
done

passed=0 failed=0 skipped=0 times=
jobs=$(nproc)
absent=77  # The status of a stage whose tool is not installed.
sources() { find harness backends reference cases reports -name '*.h' -o -name '*.c' -o -name '*.cpp' -o -name '*.hip'; }

# run_ctest <preset> <ctest argument>...: prints what did not pass, counts all from ctest's JUnit file.
# One test more than cores at a time, because some of them wait; the longest first (their COST).
run_ctest() {
  local preset=$1 junit=$PWD/build/$1/ctest.xml status=0
  shift
  rm -f "$junit"
  ctest --preset "$preset" -j $((jobs + 1)) --output-junit "$junit" "$@" | sed '/ Passed \| Start /d' || status=1
  if [[ -f $junit ]]; then
    count() { grep -m 1 -P "^\t$1=\"[0-9]+\"" "$junit" | tr -dc 0-9; }
    local left_out=$(($(count skipped) + $(count disabled)))
    failed=$((failed + $(count failures)))
    skipped=$((skipped + left_out))
    passed=$((passed + $(count tests) - $(count failures) - left_out))
  fi
  return "$status"
}

stage_setup() { ci/setup.sh; }
stage_release() {
  cmake --preset release -DFATHOM_TESTS=ON -DFATHOM_UNIT_TESTS=OFF -DFATHOM_BENCHMARKS=ON -DFATHOM_WITH_TORCH="$(torch_mode)" &&
    cmake --build --preset release
}
stage_headers() { cmake --build --preset release --target all_verify_interface_header_sets; }
stage_test() { run_ctest release; }
stage_smoke() {
  rm -rf build/smoke
  build/release/fathom run --suite smoke --out build/smoke
}
stage_selftest() {
  build/release/fathom selftest --filter 'sk<=1100' --clean 1500 --json build/selftest.json
}
stage_asan() {
  cmake --preset asan -DFATHOM_WITH_TORCH=OFF -DFATHOM_BENCHMARKS=OFF && cmake --build --preset asan &&
    run_ctest asan -L unit
}
stage_format() {
  command -v clang-format-14 > /dev/null || { say "clang-format-14 is not installed"; return "$absent"; }
  sources | xargs clang-format-14 --dry-run --Werror
}
stage_tidy() {
  command -v clang-tidy-14 > /dev/null || { say "clang-tidy-14 is not installed"; return "$absent"; }
  ci/tidy.py build/release
}

# run_stage <name>: runs it and enters it into the count, unless the tests it ran are there already.
run_stage() {
  local name=$1 began=$SECONDS counted=$((passed + failed)) failed_before=$failed status=0 word=passed
  say "" "== $name"
  "stage_$name" || status=$?
  if ((status == absent)); then
    word=skipped skipped=$((skipped + 1))
  elif ((status)); then
    word=FAILED
    ((failed > failed_before)) || failed=$((failed + 1))
  elif ((passed + failed == counted)); then
    passed=$((passed + 1))
  fi
  local line
  printf -v line '%-8s %-8s %4d s' "$name" "$word" $((SECONDS - began))
  say "-- $line"
  times+="  $line"$'\n'
}

for stage in "${stages[@]}"; do run_stage "$stage"; done
say "" "$times" "$passed passed, $failed failed$(if ((skipped)); then say ", $skipped skipped"; fi)"
((failed == 0))
