# SPDX-License-Identifier: Apache-2.0
# cmake -DHTML=<folder> -DCHART=<chart.min.js or empty> -DOUT=<file.cpp> -P embed.cmake
# Writes the page's assets as C++ string literals, with the hashes that its policy names.

# The scripts in the order in which they are read; each uses only what stands before it.
set(scripts data.js dom.js format.js query.js cases.js tensors.js heat.js drawer.js charts.js main.js)

# sha256-<base64> of a text, as a Content-Security-Policy wants it.
function(policy_hash text result)
  string(SHA256 hex "${text}")
  set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(base64 "")
  # 32 bytes: ten groups of three, and one of two that is padded with a zero byte.
  foreach(at RANGE 0 60 6)
    string(SUBSTRING "${hex}00" ${at} 6 group)
    foreach(shift 18 12 6 0)
      math(EXPR index "(0x${group} >> ${shift}) & 63")
      string(SUBSTRING ${alphabet} ${index} 1 letter)
      string(APPEND base64 ${letter})
    endforeach()
  endforeach()
  string(SUBSTRING ${base64} 0 43 base64)
  set(${result} "sha256-${base64}=" PARENT_SCOPE)
endfunction()

# A raw string literal per 8 KiB: compilers promise no more than 64 KiB for one.
function(literal text result)
  set(out "")
  string(LENGTH "${text}" length)
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${text}" ${at} 8192 piece)
    string(APPEND out "R\"~fathom~(${piece})~fathom~\"\n")
    math(EXPR at "${at} + 8192")
  endwhile()
  if(out STREQUAL "")
    set(out "\"\"")
  endif()
  set(${result} "${out}" PARENT_SCOPE)
endfunction()

file(READ ${HTML}/page.html page)
file(READ ${HTML}/glyphs.svg glyphs)
file(READ ${HTML}/page.css style)
set(script "")
foreach(name IN LISTS scripts)
  file(READ ${HTML}/${name} text)
  string(APPEND script "${text}")
endforeach()
set(chart "")
if(CHART)
  file(READ ${CHART} chart)
endif()

set(fields "")
foreach(name page glyphs style script chart)
  literal("${${name}}" value)
  string(APPEND fields "    .${name} = ${value},\n")
  if(name MATCHES "style|script|chart")
    policy_hash("${${name}}" hash)
    string(APPEND fields "    .${name}_hash = \"${hash}\",\n")
  endif()
endforeach()
file(WRITE ${OUT} "// Generated from reports/html by embed.cmake.
#include \"reports/html_assets.h\"

namespace fathom {

const PageAssets& page_assets() {
  static const PageAssets assets{
${fields}  };
  return assets;
}

}  // namespace fathom
")
