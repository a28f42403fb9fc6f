# SPDX-License-Identifier: Apache-2.0
# Finds whether this build has kernels for a GPU. Sets
#   FATHOM_HIP_GPU            nvidia, amd, or empty
#   FATHOM_HIP_GPU_OBJECTS    the kernels, compiled
#   FATHOM_HIP_GPU_INCLUDE, FATHOM_HIP_GPU_LIBRARIES   of the runtime
#   FATHOM_HIP_WHY_NO_NVIDIA, FATHOM_HIP_WHY_NO_AMD    where it is empty
set(FATHOM_HIP_DEVICE AUTO CACHE STRING "Build the hip kernel for GPUs: AUTO (where one is seen), ON or OFF")
set(FATHOM_HIP_NVIDIA_ARCHITECTURES "80;90a" CACHE STRING "NVIDIA GPUs to build the hip kernel for")
set(FATHOM_HIP_AMD_ARCHITECTURES "gfx90a;gfx942" CACHE STRING "AMD GPUs to build the hip kernel for")

find_program(FATHOM_NVCC nvcc HINTS /usr/local/cuda/bin)
find_program(FATHOM_HIPCC hipcc HINTS /opt/rocm/bin)
find_path(FATHOM_HIP_RUNTIME_INCLUDE hip/hip_runtime_api.h HINTS /opt/rocm/include)
find_library(FATHOM_HIP_RUNTIME_LIBRARY amdhip64 HINTS /opt/rocm/lib)

set(FATHOM_NVCC_is "nvcc of the CUDA toolkit")
set(FATHOM_HIPCC_is "hipcc of ROCm")
set(FATHOM_HIP_RUNTIME_INCLUDE_is "hip/hip_runtime_api.h of ROCm")
set(FATHOM_HIP_RUNTIME_LIBRARY_is "libamdhip64 of ROCm")

# Why kernels for a vendor are not built, of what its compiler needs and how one sees its GPU.
function(fathom_why_no_gpu result vendor needs seen)
  set(why "")
  foreach(tool IN LISTS needs)
    if(NOT why AND NOT ${tool})
      set(why "its kernels were not built: ${${tool}_is} was not found (${tool} names it)")
    endif()
  endforeach()
  if(FATHOM_HIP_DEVICE STREQUAL "OFF")
    set(why "its kernels were left out of this build (FATHOM_HIP_DEVICE=OFF)")
  elseif(NOT why AND NOT FATHOM_HIP_DEVICE STREQUAL "ON" AND NOT seen)
    set(why "its kernels were not built: no ${vendor} GPU was seen (FATHOM_HIP_DEVICE=ON builds them all the same)")
  endif()
  set(${result} "${why}" PARENT_SCOPE)
endfunction()

set(seen OFF)
execute_process(COMMAND nvidia-smi -L RESULT_VARIABLE status OUTPUT_VARIABLE gpus ERROR_QUIET)
if(status EQUAL 0 AND gpus MATCHES "GPU 0")
  set(seen ON)
endif()
fathom_why_no_gpu(FATHOM_HIP_WHY_NO_NVIDIA NVIDIA FATHOM_NVCC ${seen})
set(seen OFF)
if(EXISTS /dev/kfd)
  set(seen ON)
endif()
fathom_why_no_gpu(FATHOM_HIP_WHY_NO_AMD AMD "FATHOM_HIPCC;FATHOM_HIP_RUNTIME_INCLUDE;FATHOM_HIP_RUNTIME_LIBRARY" ${seen})

set(FATHOM_HIP_GPU "")
set(FATHOM_HIP_GPU_OBJECTS "")
set(pic -fPIC -fvisibility=hidden)
if(NOT FATHOM_HIP_WHY_NO_NVIDIA)
  set(FATHOM_HIP_GPU nvidia)
  cmake_path(GET FATHOM_NVCC PARENT_PATH root)
  execute_process(COMMAND ${FATHOM_NVCC} --dryrun -x cu -E /dev/null ERROR_VARIABLE dryrun OUTPUT_QUIET)
  if(dryrun MATCHES "TOP=([^\n]+)")  # Where the toolkit really lies, should nvcc be a script.
    set(root ${CMAKE_MATCH_1}/bin)
  endif()
  find_path(FATHOM_CUDA_INCLUDE cuda_runtime_api.h HINTS ${root}/../include ${root}/../targets/x86_64-linux/include REQUIRED)
  find_library(FATHOM_CUDA_RUNTIME cudart_static HINTS ${root}/../lib64 ${root}/../lib ${root}/../targets/x86_64-linux/lib REQUIRED)
  set(FATHOM_HIP_GPU_INCLUDE ${FATHOM_CUDA_INCLUDE})
  set(FATHOM_HIP_GPU_LIBRARIES ${FATHOM_CUDA_RUNTIME} ${CMAKE_DL_LIBS} rt)
  string(REPLACE ";" "," pic "${pic}")
  set(compile ${FATHOM_NVCC} -x cu -Xcompiler=${pic} -DFATHOM_HIP_NVIDIA)
  foreach(arch IN LISTS FATHOM_HIP_NVIDIA_ARCHITECTURES)
    list(APPEND compile -gencode=arch=compute_${arch},code=sm_${arch})
  endforeach()
elseif(NOT FATHOM_HIP_WHY_NO_AMD)
  set(FATHOM_HIP_GPU amd)
  set(FATHOM_HIP_GPU_INCLUDE ${FATHOM_HIP_RUNTIME_INCLUDE})
  set(FATHOM_HIP_GPU_LIBRARIES ${FATHOM_HIP_RUNTIME_LIBRARY})
  set(compile ${FATHOM_HIPCC} -x hip ${pic} -DFATHOM_HIP_AMD)
  foreach(arch IN LISTS FATHOM_HIP_AMD_ARCHITECTURES)
    list(APPEND compile --offload-arch=${arch})
  endforeach()
elseif(FATHOM_HIP_DEVICE STREQUAL "ON")
  message(FATAL_ERROR "FATHOM_HIP_DEVICE=ON, but NVIDIA: ${FATHOM_HIP_WHY_NO_NVIDIA}; AMD: ${FATHOM_HIP_WHY_NO_AMD}.")
endif()

# fathom_hip_object(<object> <source> <flag>...): compiles a .hip source for this build's GPU.
function(fathom_hip_object object source)
  add_custom_command(OUTPUT ${object} DEPFILE ${object}.d DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source}
    COMMAND ${compile} -std=c++20 -O3 -I ${CMAKE_SOURCE_DIR} ${ARGN} -MD -MF ${object}.d
      -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
    COMMENT "Building ${FATHOM_HIP_GPU} object ${object}" VERBATIM)
endfunction()

if(FATHOM_HIP_GPU)
  foreach(dim 64 96 128 256)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/gpu_kernels_${dim}.o)
    fathom_hip_object(${object} platform/gpu/kernels.hip -DFATHOM_HIP_DIM=${dim})
    list(APPEND FATHOM_HIP_GPU_OBJECTS ${object})
  endforeach()
endif()
