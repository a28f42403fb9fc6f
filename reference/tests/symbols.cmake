# SPDX-License-Identifier: Apache-2.0
# cmake -DNM=<nm> -DISA=<name> "-DOBJECTS=<a;b>" -P symbols.cmake
# Every symbol that a build of the kernels defines for others must carry the name of the build:
# the linker keeps one of several equal templates, and an AVX2 one must not serve a baseline CPU.
set(leaks "")
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --defined-only --extern-only --format=posix ${object}
    OUTPUT_VARIABLE text RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${NM} cannot read ${object}")
  endif()
  string(REPLACE "\n" ";" lines "${text}")
  foreach(line IN LISTS lines)
    # DW.ref. holds the address of a function of the C++ runtime, no code.
    if(line AND NOT line MATCHES "${ISA}" AND NOT line MATCHES "^DW\\.ref\\.")
      list(APPEND leaks "${line}")
    endif()
  endforeach()
endforeach()
if(leaks)
  list(JOIN leaks "\n  " text)
  message(FATAL_ERROR "the ${ISA} build of the kernels defines symbols under a shared name:\n  ${text}")
endif()
