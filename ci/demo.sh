#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ci/demo.sh [--without-torch]
#
# From a fresh Debian or Ubuntu machine to a page to open: ci/setup.sh, a release build, and the smoke
# suite into build/demo/report.html. Its exit status is fathom's: 0 if all went as expected.
source "$(dirname "$0")/common.sh"
parse_arguments "$@"
no_arguments

ci/setup.sh
build_release

rm -rf build/demo
status=0
build/release/fathom run --suite smoke --out build/demo || status=$?
if [[ -f build/demo/report.html ]]; then
  say "" "Open $PWD/build/demo/report.html; the same for programs: report.json, junit.xml, summary.md beside it."
fi
exit "$status"
