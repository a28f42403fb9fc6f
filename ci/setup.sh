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

apt_get() {
  local output
  output=$("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -y -q -o DPkg::Lock::Timeout=300 "$@" 2>&1) ||
    die "apt-get $1 failed:"$'\n'"$(tail -n 20 <<< "$output")"
}
# Why packages cannot be installed here; empty if they can.
why_no_install() {
  if ! command -v apt-get > /dev/null; then say "no apt-get here: this script knows Debian and Ubuntu only"
  elif [[ $(id -u) != 0 ]] && ! command -v sudo > /dev/null; then say "needs root or sudo"
  fi
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
offered() { [[ $(apt-cache policy "$1" 2> /dev/null) == *"Candidate: "[!\(]* ]]; }

install_packages() {
  local package wanted optional as_root=() reason
  mapfile -t wanted < <(missing required)
  mapfile -t optional < <(missing optional)
  reason=$(why_no_install)
  [[ $(id -u) == 0 ]] || as_root=(sudo)
  if ((${#wanted[@]})); then
    [[ -z $reason ]] || die "$reason. Install what these packages hold: ${wanted[*]}"
    say "packages: installing ${wanted[*]} ${optional[*]}"
    apt_get update
  fi
  for package in "${optional[@]}"; do
    if [[ -z $reason ]] && offered "$package"; then wanted+=("$package")
    else say "packages: $package is not here${reason:+ ($reason)}; left out: $(use_of "$package")"
    fi
  done
  if ((${#wanted[@]})); then apt_get install --no-install-recommends "${wanted[@]}"; fi
  say "packages: all there that is needed"
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
  local requirement use
  [[ -x .venv/bin/pip ]] || python3 -m venv .venv
  while IFS='#' read -r requirement use; do
    requirement=${requirement// /}
    [[ -n $requirement ]] || continue
    use=${use# }
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
