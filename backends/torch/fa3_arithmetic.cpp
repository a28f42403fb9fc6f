// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/fa3_arithmetic.h"

namespace fathom::fa3 {

Arithmetic declared_arithmetic(Dtype dtype) {
  Arithmetic arithmetic = flash_arithmetic(dtype);
  arithmetic.block_m = 128;
  arithmetic.block_n = 176;
  arithmetic.link =
      "https://github.com/Dao-AILab/flash-attention/blob/main/hopper/softmax.h and "
      "https://github.com/Dao-AILab/flash-attention/blob/main/hopper/tile_size.h";
  return arithmetic;
}

}  // namespace fathom::fa3
