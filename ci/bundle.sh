#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ci/bundle.sh
#
# Packs the tracked sources and cases, and every third-party header that a build without tests needs,
# into build/fathom-bundle.tar.gz (at most 40 MB): the way onto a machine without network that has CMake,
# ninja, a C++20 compiler and a torch of its own (and nvcc, if that torch is a CUDA one). There:
#
#   tar -xzf fathom-bundle.tar.gz && fathom/ci/gpu.sh
source "$(dirname "$0")/common.sh"
parse_arguments "$@"
no_arguments

# Debian package, its CMake package, target, folder below include, definition; `-` for none.
parts=(
  "libeigen3-dev       Eigen3         Eigen3::Eigen                 eigen3  -"
  "nlohmann-json3-dev  nlohmann_json  nlohmann_json::nlohmann_json  -       -"
  "libcli11-dev        CLI11          CLI11::CLI11                  -       -"
  "libfmt-dev          fmt            fmt::fmt                      -       FMT_HEADER_ONLY=1"
  "librandom123-dev    -              -                             -       -"
  "libxxhash-dev       -              -                             -       -"
  "libjs-chart.js      -              -                             -       -"
)
# Not there: libpugixml-dev, which has no header-only form in Debian; reports then leave junit.xml out.
limit=$((40 * 1000 * 1000))

# A CMake package of one header-only target, relative to its own place.
config() {
  local package=$1 name=$2 target=$3 folder=$4 definition=$5 version
  version=$(dpkg-query -W -f '${source:Upstream-Version}' "$package")
  cat << CMAKE
set(${name}_VERSION "${version%%[+~]*}")
if(NOT TARGET $target)
  add_library($target INTERFACE IMPORTED)
  target_include_directories($target INTERFACE "\${CMAKE_CURRENT_LIST_DIR}/../../../include/${folder#-}")
  target_compile_definitions($target INTERFACE ${definition#-})
endif()
CMAKE
}

add_part() {
  local package=$1 name=$2 into=$tree/third_party
  dpkg -L "$package" | grep -E '^/usr/(include|share/javascript)/' |
    while read -r file; do [[ -d $file ]] || say "${file#/usr/}"; done |
    tar -C /usr --dereference -cf - -T - | tar -C "$into" -xf -
  cp "/usr/share/doc/$package/copyright" "$into/licenses/$package"
  if [[ $name != - ]]; then
    mkdir -p "$into/share/cmake/$name"
    config "$@" > "$into/share/cmake/$name/${name}Config.cmake"
  fi
}

for part in "${parts[@]}"; do
  [[ -f /usr/share/doc/${part%% *}/copyright ]] || die "${part%% *} is not installed; ci/setup.sh installs it"
done
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
tree=$staging/fathom
mkdir -p "$tree/third_party/licenses" build
git -c safe.directory='*' ls-files -z | tar --null -cf - -T - | tar -C "$tree" -xf -
for part in "${parts[@]}"; do
  read -r -a fields <<< "$part"
  add_part "${fields[@]}"
done

archive=build/fathom-bundle.tar.gz
tar -C "$staging" --sort=name --owner=0 --group=0 --numeric-owner -czf "$archive" fathom
size=$(stat -c %s "$archive")
((size <= limit)) || die "$archive has $size bytes, more than the $limit it may have"
say "$PWD/$archive: $((size / 1000)) kB, $(find "$tree" -type f | wc -l) files." \
  "There: tar -xzf fathom-bundle.tar.gz && fathom/ci/gpu.sh"
