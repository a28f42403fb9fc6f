#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ci/setup.sh [--without-torch]
#
# Makes a Debian or Ubuntu machine ready to build fathom: the packages of ci/packages.txt (as root or
# through sudo) and the Python packages of ci/requirements.txt in .venv. Installs what is missing only,
# so a second run takes no time. What an optional package would have given is left out with a sentence.
#
#   FATHOM_WITHOUT_TORCH=1   same as --without-torch: no torch in .venv, fathom has its eigen backend alone
#   FATHOM_PIP_ARGS=...      more arguments for pip. Where the index offers torch with CUDA (several GB)
#                            and the CPU is enough, name an index of CPU wheels:
#                            FATHOM_PIP_ARGS="--index-url <pytorch.org's index for CPU>"
source "$(dirname "$0")/common.sh"
parse_arguments "$@"
no_arguments

as_root() {
  if [[ $(id -u) == 0 ]]; then env "$@"
  elif command -v sudo > /dev/null; then sudo env "$@"
  else die "needs root or sudo to install: ${wanted[*]}"
  fi
}
apt_get() {
  local output
  output=$(as_root DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 "$@" 2>&1) ||
    die "apt-get $1 failed:"$'\n'"$(tail -n 20 <<< "$output")"
}

# missing required|optional: the packages of that kind that are not installed.
missing() {
  local packages
  mapfile -t packages < <(awk -v kind="$1" '/^#/ || !NF {next}
    {optional = $1 == "?"; if ((kind == "optional") == optional) print $(optional ? 2 : 1)}' ci/packages.txt)
  # An unknown package makes dpkg-query fail, which is an answer here too.
  { dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2> /dev/null || true; } |
    awk -v all="${packages[*]}" '$1 == "installed" {have[$2]} END {n = split(all, p, " ")
      for (i = 1; i <= n; i++) if (!(p[i] in have)) print p[i]}'
}
use_of() { awk -v p="$1" '$1 == "?" && $2 == p {$1 = $2 = ""; sub(/^ +/, ""); print}' ci/packages.txt; }
offered() { apt-cache policy "$1" 2> /dev/null | grep -q 'Candidate: [^(]'; }

install_packages() {
  local package
  mapfile -t wanted < <(missing required)
  mapfile -t optional < <(missing optional)
  if ((${#wanted[@]})); then
    command -v apt-get > /dev/null ||
      die "no apt-get here: this script knows Debian and Ubuntu only. By hand, install what these packages hold: ${wanted[*]}"
    say "packages: installing ${wanted[*]} ${optional[*]}"
    apt_get update
  fi
  for package in "${optional[@]}"; do
    if offered "$package"; then wanted+=("$package")
    else say "packages: $package is not offered by this system's archive; left out: $(use_of "$package")"
    fi
  done
  if ((${#wanted[@]})); then apt_get install --no-install-recommends "${wanted[@]}"; fi
  say "packages: all there"
}

check_cmake() {
  local found
  found=$(cmake --version | awk 'NR == 1 {print $3}')
  [[ $(printf '3.25\n%s\n' "$found" | sort -V | head -n 1) == 3.25 ]] ||
    die "CMake 3.25 or later is needed, this system's archive has $found; put a newer one first on the PATH"
}

# A wheel that pip has installed whole leaves its dist-info: faster to ask than pip.
have_wheel() {
  local name=${1%%==*} version=
  [[ $1 == *==* ]] && version=${1##*==}
  compgen -G ".venv/lib/python3*/site-packages/$name-${version:-[0-9]}*.dist-info/RECORD" > /dev/null
}

install_wheels() {
  local requirement use wanted=()
  [[ -x .venv/bin/pip ]] || python3 -m venv .venv
  while IFS='#' read -r requirement use; do
    requirement=${requirement// /}
    [[ -n $requirement ]] || continue
    if [[ $requirement == torch* ]] && without_torch; then
      say ".venv: torch not asked for; left out: $use"
    elif ! have_wheel "$requirement"; then
      say ".venv: installing $requirement"
      # shellcheck disable=SC2086  # several arguments in one variable
      .venv/bin/pip install -q --disable-pip-version-check ${FATHOM_PIP_ARGS:-} "$requirement" ||
        say ".venv: pip could not install $requirement; left out: $use"
    fi
  done < ci/requirements.txt
  say ".venv: $(.venv/bin/python --version), torch $(if have_wheel torch; then say there; else say absent; fi)"
}

install_packages
check_cmake
install_wheels
