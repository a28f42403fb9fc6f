// SPDX-License-Identifier: Apache-2.0
#include "reference/oracle.h"

#include "harness/core/error.h"
#include "reference/cache.h"
#include "reference/parallel.h"
#include "reference/tests/support.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

namespace fathom::reference {
namespace {

const char* const long_problem =
    "dir=fwd+bwd dtype=bf16 layout=thd hq=4 hkv=2 d=16 dv=24 seqs=300,0,129x700,64 "
    "mask=causal(bottom_right) lse=required dlse=true";

bool same_bits(const OracleAnswer& a, const OracleAnswer& b) {
  const auto same = [](const std::vector<double>& x, const std::vector<double>& y) {
    return x.size() == y.size() &&
           (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0);
  };
  for (const auto& [name, tensor] : a) {
    const OracleTensor& other = b.at(name);
    if (!same(tensor.value, other.value) || !same(tensor.sigma, other.sigma)) return false;
    if (!same(tensor.bound, other.bound) || !same(tensor.mean, other.mean)) return false;
  }
  return a.size() == b.size();
}

TEST(OracleTest, BitsDoNotDependOnTheNumberOfThreads) {
  const Problem p = parse_problem(long_problem);
  const TensorSet inputs = normal_inputs(p);
  const OracleAnswer alone = ask(p, inputs, flash_arithmetic(p.dtype), 1);
  for (const int threads : {2, 3, 8})
    EXPECT_TRUE(same_bits(alone, ask(p, inputs, flash_arithmetic(p.dtype), threads))) << threads;
  EXPECT_FALSE(same_bits(alone, ask(p, inputs, upcast_arithmetic(p.dtype), 1)));
}

TEST(OracleTest, EveryBuildOfTheKernelsGivesTheSameAnswer) {
  const Problem p = parse_problem(long_problem);
  const TensorSet inputs = normal_inputs(p);
  const OracleAnswer first = ask(p, inputs);
  for (const Kernels& kernels : runnable_kernels()) {
    SCOPED_TRACE(kernels.name);
    const OracleAnswer other = compute_answer(p, flash_arithmetic(p.dtype), inputs, kernels, 1);
    for (const auto& [name, tensor] : first) {
      for (std::size_t i = 0; i < tensor.value.size(); ++i) {
        if (std::isinf(tensor.value[i])) continue;
        EXPECT_NEAR(tensor.value[i], other.at(name).value[i], 1e-13);
        if (tensor.sigma.empty()) continue;
        EXPECT_NEAR(tensor.sigma[i], other.at(name).sigma[i], 1e-9 * tensor.sigma[i]);
      }
    }
  }
}

TEST(OracleTest, AnswersWhatIsAskedForAndTheLseAlways) {
  Problem p =
      parse_problem("dir=fwd dtype=bf16 layout=bshd hq=1 hkv=1 d=4 dv=4 seqs=3 mask=full lse=no");
  const auto oracle = make_oracle();
  const auto names = [&] {
    std::vector<TensorName> all;
    for (const auto& [name, tensor] :
         *oracle->answer(p, flash_arithmetic(p.dtype), normal_inputs(p)))
      all.push_back(name);
    return all;
  };
  EXPECT_EQ(names(), (std::vector{TensorName::o, TensorName::lse}));
  p.direction = Direction::fwd_bwd;
  EXPECT_EQ(names(), (std::vector{TensorName::o, TensorName::lse, TensorName::dq, TensorName::dk,
                                  TensorName::dv}));
}

TEST(OracleTest, TheSameQuestionIsComputedOnce) {
  const Problem p = parse_problem(long_problem);
  const auto oracle = make_oracle();
  TensorSet inputs = normal_inputs(p);
  const auto first = oracle->answer(p, flash_arithmetic(p.dtype), inputs);
  const auto plain_of = [&](PlainVariant variant) { return oracle->plain(p, inputs, variant); };
  const auto plain = plain_of(PlainVariant::scaled_k);
  const auto both = plain_of(PlainVariant::scaled_both);
  EXPECT_EQ(first, oracle->answer(p, flash_arithmetic(p.dtype), inputs));
  EXPECT_EQ(plain, plain_of(PlainVariant::scaled_k));
  EXPECT_EQ(both, plain_of(PlainVariant::scaled_both));
  EXPECT_NE(plain, both);
  EXPECT_NE(first, oracle->answer(p, upcast_arithmetic(p.dtype), inputs));
  inputs[TensorName::k].bytes[0] ^= std::byte{1};
  EXPECT_NE(first, oracle->answer(p, flash_arithmetic(p.dtype), inputs));
  EXPECT_NE(plain, plain_of(PlainVariant::scaled_k));
}

TEST(OracleTest, InputsOfTheWrongSizeAreRefusedByName) {
  const Problem p = parse_problem(long_problem);
  TensorSet inputs = normal_inputs(p);
  inputs[TensorName::dlse].bytes.pop_back();
  try {
    (void)ask(p, inputs);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("dlse"), std::string::npos) << error.what();
  }
  inputs.erase(TensorName::v);
  EXPECT_THROW((void)ask(p, inputs), Error);
}

TEST(CacheTest, TheLeastRecentlyAskedForGoesFirst) {
  Cache<int> cache(30);
  const auto put = [&](const char* key, std::size_t bytes) {
    cache.insert(key, std::make_shared<const int>(1), bytes);
  };
  put("a", 10);
  put("b", 10);
  put("c", 10);
  EXPECT_TRUE(cache.find("a"));
  put("d", 15);
  EXPECT_FALSE(cache.find("b"));
  EXPECT_FALSE(cache.find("c"));
  EXPECT_TRUE(cache.find("a"));
  EXPECT_TRUE(cache.find("d"));
  EXPECT_EQ(cache.bytes(), 25U);
  put("huge", 31);
  EXPECT_FALSE(cache.find("huge"));
  EXPECT_TRUE(cache.find("a"));
}

TEST(ParallelTest, EveryTaskRunsOnceAndAFailureIsRethrown) {
  std::vector<std::atomic<int>> runs(1000);
  run_tasks(1000, 4, [&](Index i) { ++runs[static_cast<std::size_t>(i)]; });
  for (const auto& count : runs) EXPECT_EQ(count, 1);
  EXPECT_THROW(run_tasks(50, 4,
                         [](Index i) {
                           if (i == 20) throw Error("planted");
                         }),
               Error);
}

}  // namespace
}  // namespace fathom::reference
