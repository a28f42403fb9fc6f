// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/kernel/tile.h"
#include "backends/hip/platform/gpu/runtime.h"

#include <cstdio>
#include <vector>

// What platform/layout.h says of lanes and registers, against the matrix instructions of the GPU at
// hand: a 1 in one place of L and of R comes out as a 1 in one place of D. Exit status 77: no GPU.
namespace fathom::hip {
namespace {

/// A 1 where `is_here` says so, in one operand of a lane.
template <typename Element, int N, typename IsHere>
FATHOM_DEVICE Words<N> one_hot(IsHere is_here) {
  Words<N> words;
  FATHOM_UNROLL
  for (int i = 0; i < N; ++i) {
    words[i] = round2<Element>(is_here(2 * i) ? 1.0F : 0.0F, is_here(2 * i + 1) ? 1.0F : 0.0F);
  }
  return words;
}

/// Block (y * X + x, k): the product of L with a 1 at (x, k) and R with a 1 at (y, k). Each lane
/// counts its numbers that are wrong.
template <typename Shape, typename Element>
__global__ void one_hot_products(int* wrong) {
  const int lane = lane_id();
  const int x = block_x() % Shape::x;
  const int y = block_x() / Shape::x;
  const int k = block_y();
  const auto l = one_hot<Element, Shape::l_size / 2>([&](int e) {
    const PlaceL place = Shape::l_at(lane, e);
    return place.x == x && place.k == k;
  });
  const auto r = one_hot<Element, Shape::r_size / 2>([&](int e) {
    const PlaceR place = Shape::r_at(lane, e);
    return place.y == y && place.k == k;
  });
  Floats<Shape::d_size> d;
  FATHOM_UNROLL
  for (int e = 0; e < Shape::d_size; ++e) d[e] = 0;
  multiply_add<Shape, Element, 1, 1>(&d, &l, &r);
  int count = 0;
  FATHOM_UNROLL
  for (int e = 0; e < Shape::d_size; ++e) {
    const PlaceD place = Shape::d_at(lane, e);
    count += d[e] != (place.x == x && place.y == y ? 1.0F : 0.0F);
  }
  wrong[(block_y() * Shape::x * Shape::y + block_x()) * Shape::wave + lane] = count;
}

#if defined(FATHOM_HIP_NVIDIA)
/// A tile whose elements say where they lie, read by ldmatrix as operands are: the numbers that a
/// lane does not find where the layout has them.
template <int Columns>
__global__ void matrix_loads(int* wrong) {
  constexpr int rows = 16;
  constexpr int steps = Columns / MmaSync::k;
  __shared__ __align__(16) char memory[Tile<rows, Columns>::bytes];
  const Tile<rows, Columns> tile{shared_field({memory}, 0, sizeof memory, "tile")};
  const int lane = lane_id();
  for (int chunk = lane; chunk < rows * Columns / 8; chunk += MmaSync::wave) {
    Words<4> words;
    for (int i = 0; i < 4; ++i) words[i] = 8 * chunk + 2 * i + ((8 * chunk + 2 * i + 1) << 16);
    store_shared(tile.field, tile.offset(chunk / (Columns / 8), chunk % (Columns / 8)), words);
  }
  barrier();
  int count = 0;
  const auto half = [](const auto& words, int e) {
    return static_cast<int>(words[e / 2] >> (e % 2 * 16) & 0xffff);
  };
  for (int step = 0; step < steps; ++step) {
    Words<2> r[1];
    Words<4> l[1];
    load_right<MmaSync, 1>(tile, MmaSync::y, step, r);
    load_left<MmaSync, 1>(tile, 0, step, l);
    for (int e = 0; e < MmaSync::r_size; ++e) {
      const PlaceR place = MmaSync::r_at(lane, e);
      count += half(r[0], e) != (MmaSync::y + place.y) * Columns + step * MmaSync::k + place.k;
    }
    for (int e = 0; e < MmaSync::l_size; ++e) {
      const PlaceL place = MmaSync::l_at(lane, e);
      count += half(l[0], e) != place.x * Columns + step * MmaSync::k + place.k;
    }
  }
  wrong[lane] = count;
}
#endif

int failures = 0;

void check(hipError_t status, const char* what) {
  if (status == hipSuccess) return;
  std::printf("%s: %s\n", what, hipGetErrorString(status));
  ++failures;
}

/// Runs a kernel of one wave a block and sums what its lanes count.
template <typename Kernel>
void expect_none_wrong(const char* what, Kernel kernel, dim3 grid, int wave) {
  std::vector<int> counts(static_cast<std::size_t>(grid.x) * grid.y * wave, -1);
  const std::size_t bytes = counts.size() * sizeof(int);
  int* wrong = nullptr;
  check(hipMalloc(reinterpret_cast<void**>(&wrong), bytes), "memory for the counts");
  check(hipMemcpy(wrong, counts.data(), bytes, hipMemcpyHostToDevice), "the counts to the GPU");
  kernel<<<grid, dim3(wave)>>>(wrong);
  check(hipGetLastError(), what);
  check(hipDeviceSynchronize(), what);
  check(hipMemcpy(counts.data(), wrong, bytes, hipMemcpyDeviceToHost), "the counts from the GPU");
  check(hipFree(wrong), "memory for the counts");
  long long sum = 0;
  for (const int count : counts) sum += count < 0 ? 1 : count;
  std::printf("%s: %d products, %lld numbers are not where the layout has them\n", what,
              static_cast<int>(grid.x * grid.y), sum);
  failures += sum != 0;
}

template <typename Shape>
void check_shape(const char* bf16, const char* f16) {
  const dim3 grid(Shape::x * Shape::y, Shape::k);
  expect_none_wrong(bf16, &one_hot_products<Shape, Bf16>, grid, Shape::wave);
  expect_none_wrong(f16, &one_hot_products<Shape, Half>, grid, Shape::wave);
}

}  // namespace
}  // namespace fathom::hip

int main() {
  using namespace fathom::hip;
  int count = 0;
  if (const hipError_t status = hipGetDeviceCount(&count); status != hipSuccess || count == 0) {
    std::printf("no GPU is here, so no layout was tested: %s\n", hipGetErrorString(status));
    return 77;
  }
#if defined(FATHOM_HIP_AMD)
  check_shape<Mfma<32>>("v_mfma 32x32x8 bf16", "v_mfma 32x32x8 f16");
  check_shape<Mfma<16>>("v_mfma 16x16x16 bf16", "v_mfma 16x16x16 f16");
#else
  check_shape<MmaSync>("mma.sync m16n8k16 bf16", "mma.sync m16n8k16 f16");
  expect_none_wrong("ldmatrix, rows of 64", &matrix_loads<64>, dim3(1), MmaSync::wave);
  expect_none_wrong("ldmatrix, rows of 96", &matrix_loads<96>, dim3(1), MmaSync::wave);
#endif
  return failures != 0;
}
