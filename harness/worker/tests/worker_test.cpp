// SPDX-License-Identifier: Apache-2.0
#include "harness/codec/json.h"
#include "harness/worker/measure.h"
#include "harness/worker/session.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

namespace fathom::worker {
namespace {

/// Says it knows masks it has never heard of, and throws what it is told to.
class ToyBackend : public Backend {
 public:
  [[nodiscard]] BackendInfo info() const override {
    return {"toy", "1", "cpu", "", {"native"}, {"dtype.f32", "layout.bshd"}, {}};
  }
  [[nodiscard]] std::optional<Refusal> why_unsupported(const Problem& problem,
                                                       const std::string& /*lowering*/) override {
    if (problem.head_dim > 8) return Refusal{"shape", "toy stops at head dim 8"};
    return std::nullopt;
  }
  [[nodiscard]] std::unique_ptr<Plan> prepare(const Problem& problem, const std::string&,
                                              const InputViews&, const OutputViews&) override {
    if (problem.head_dim == 7) throw OutOfMemory("toy is full");
    throw std::runtime_error("toy broke");
  }
};

Session make_session() {
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(std::make_unique<ToyBackend>());
  return Session("toys", std::move(backends));
}

Problem problem_of(const std::string& d, const std::string& mask) {
  return parse_problem("dir=fwd dtype=f32 layout=bshd hq=1 hkv=1 d=" + d + " dv=" + d +
                       " seqs=4 mask=" + mask);
}

SupportAnswer ask(const Problem& problem, const std::string& lowering = "native") {
  Session session = make_session();
  UniqueFd none;
  Json request = to_json(support_request("toy", lowering, problem));
  request["seq"] = 5;
  const Json answer = session.answer(request, none);
  EXPECT_EQ(answer.at("seq"), 5);
  return read_support_answer(answer);
}

TEST(SessionTest, AnUndeclaredFeatureIsRefusedUnasked) {
  const SupportAnswer answer = ask(problem_of("8", "prefix_lm"));
  EXPECT_FALSE(answer.supported);
  EXPECT_EQ(answer.code, "feature.mask.prefix_lm");
  EXPECT_NE(answer.sentence.find("toy does not declare"), std::string::npos);
}

TEST(SessionTest, ATokenThatIsNewerThanTheWorkerIsRefused) {
  Session session = make_session();
  UniqueFd none;
  SupportRequest asked = support_request("toy", "native", problem_of("8", "full"));
  asked.features.push_back("sink");
  Json request = to_json(asked);
  request["seq"] = 1;
  EXPECT_EQ(read_support_answer(session.answer(request, none)).code, "feature.sink");
}

TEST(SessionTest, ABackendsOwnRefusalAndAnUnknownLoweringHaveTheirWords) {
  EXPECT_EQ(ask(problem_of("16", "full")).sentence, "toy stops at head dim 8");
  EXPECT_EQ(ask(problem_of("8", "full"), "loop").code, "lowering");
  EXPECT_TRUE(ask(problem_of("8", "full")).supported);
}

TEST(SessionTest, WhatABackendThrowsBecomesAnErrorWithItsKind) {
  for (const auto& [d, kind] : {std::pair{"7", "out_of_memory"}, std::pair{"8", "exception"}}) {
    Session session = make_session();
    const Problem problem = problem_of(d, "full");
    PrepareRequest request{"toy", "native", problem, 1 << 16, {}, {}};
    Index at = 0;
    for (const TensorSpec& spec : input_specs(problem))
      request.inputs.push_back({spec, at += 1024});
    for (const TensorSpec& spec : output_specs(problem)) {
      request.outputs.push_back({spec, at += 1024});
    }
    SharedMemory memory(1 << 16);
    UniqueFd passed(::dup(memory.fd()));
    Json json = to_json(request);
    json["seq"] = 1;
    const Json answer = session.answer(json, passed);
    EXPECT_EQ(answer.at("type"), "error");
    EXPECT_EQ(answer.at("kind"), kind);
  }
}

TEST(SessionTest, AnUnknownRequestAndAnExecuteWithoutPrepareAreErrors) {
  Session session = make_session();
  UniqueFd none;
  for (const std::string type : {"dance", "execute", "time"}) {
    const Json answer = session.answer({{"type", type}, {"seq", 1}}, none);
    EXPECT_EQ(answer.at("type"), "error") << type;
  }
}

TEST(MeasureTest, TimesEachSampleApartAfterOneUntimedCall) {
  int calls = 0;
  const TimeAnswer answer = time_on_cpu({"forward", 3, false}, [&] {
    ++calls;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  });
  EXPECT_EQ(calls, 4);
  ASSERT_EQ(answer.samples_ns.size(), 3U);
  for (const double ns : answer.samples_ns) EXPECT_GE(ns, 2e6);
}

TEST(MeasureTest, SeesThePagesThatABodyTouches) {
  constexpr std::size_t bytes = std::size_t{64} << 20;
  const MemoryUse use = resident_growth(
      [] {
        std::vector<char> block(bytes);
        std::memset(block.data(), 1, block.size());
      },
      123);
  EXPECT_EQ(use.output_bytes, 123);
  if (!use.peak_bytes) {
    EXPECT_FALSE(use.reason.empty());
    GTEST_SKIP() << use.reason;
  }
  // The kernel counts resident pages in batches, so the last few may be missing.
  EXPECT_GE(*use.peak_bytes, static_cast<Index>(bytes * 15 / 16));
  EXPECT_LE(*use.peak_bytes, static_cast<Index>(bytes * 5 / 4));
}

}  // namespace
}  // namespace fathom::worker
