// SPDX-License-Identifier: Apache-2.0
#include "harness/core/error.h"
#include "harness/inputs/inputs.h"
#include "harness/run/captured_output.h"
#include "harness/run/execution.h"
#include "harness/run/expectations.h"
#include "harness/run/plan.h"
#include "harness/run/tests/run_support.h"
#include "harness/run/worker_pool.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(CapturedOutputTest, KeepsHeadAndTailAndCountsTheRest) {
  CapturedOutput output;
  output.append("first words\n");
  for (int i = 0; i < 100; ++i) output.append(std::string(10000, 'x'));
  output.append("last words\n");
  const std::string text = output.take();
  EXPECT_LT(text.size(), 140000U);
  EXPECT_TRUE(text.starts_with("first words\n"));
  EXPECT_TRUE(text.ends_with("last words\n"));
  EXPECT_NE(text.find("bytes left out"), std::string::npos);
  EXPECT_EQ(output.take(), "");
}

TEST(CapturedOutputTest, DefusesControlsBrokenUtf8AndReversals) {
  CapturedOutput output;
  output.append(
      "a\x1b[31mb\tc\xff\xc3\xa9\xe2\x80\xae"
      "d\xed\xa0\x80\n");
  EXPECT_EQ(output.take(), "a?[31mb\tc?\xc3\xa9?d???\n");
}

TEST(SplitCommandTest, GroupsByQuotes) {
  EXPECT_EQ(split_command("python3 'my worker.py' --x \"a b\" ''"),
            (std::vector<std::string>{"python3", "my worker.py", "--x", "a b", ""}));
  EXPECT_THROW(split_command("python3 'open"), UsageError);
}

std::vector<BackendStatus> some_backends() {
  return {{"eigen", "1", "cpu", "", {"native"}, {}, {}},
          {"sdpa:math", "1", "cpu", "", {"native", "loop", "loop+dense_mask"}, {}, {}},
          {"sdpa:cudnn", "1", "", "no GPU", {"native"}, {}, {}}};
}

TEST(ChooseTargetsTest, DefaultsToWhatIsPresent) {
  EXPECT_EQ(choose_targets(some_backends(), {}), (std::vector<std::string>{"eigen", "sdpa:math"}));
}

TEST(ChooseTargetsTest, NamesLoweringsOneByOne) {
  EXPECT_EQ(choose_targets(some_backends(), {"sdpa:math/loop*"}),
            (std::vector<std::string>{"sdpa:math/loop", "sdpa:math/loop+dense_mask"}));
}

TEST(ChooseTargetsTest, AnAbsentBackendCanBeAskedForByName) {
  EXPECT_EQ(choose_targets(some_backends(), {"sdpa:cudnn"}),
            (std::vector<std::string>{"sdpa:cudnn"}));
}

TEST(ChooseTargetsTest, AnUnknownNameGetsAHint) {
  try {
    choose_targets(some_backends(), {"eigne"});
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_NE(std::string(e.what()).find("did you mean 'eigen'?"), std::string::npos) << e.what();
  }
}

TEST(MakePlanTest, IsCaseMajorFilteredAndFreeOfRepeats) {
  const std::vector<Case> cases{test::tiny_case(16), test::tiny_case(13), test::tiny_case(16)};
  const auto plan = make_plan(cases, {"a", "b"}, Filter());
  ASSERT_EQ(plan.size(), 4U);
  EXPECT_EQ(plan[1].backend, "b");
  EXPECT_EQ(plan[1].c, plan[0].c);
  EXPECT_EQ(make_plan(cases, {"a"}, Filter::parse("d=13")).size(), 1U);
}

Expectation expect(const std::string& match, const std::string& verdict,
                   const std::string& expires) {
  return {{match, verdict, "measured", "known", "https://example.org/1", expires}, "file.json"};
}

Record record_with(Verdict verdict, FailClass fail_class = FailClass::none) {
  Record record;
  record.planned = test::planned_for("fake", test::tiny_case(13));
  record.answered_by = "fake";
  record.verdict = verdict;
  record.fail_class = fail_class;
  return record;
}

TEST(ExpectationsTest, ExcuseExactlyWhatTheyForetell) {
  const Expectations known({expect("backend:fake d=13", "fail(accuracy)", "2030-01-01")},
                           "2026-06-01");
  Record foretold = record_with(Verdict::fail, FailClass::accuracy);
  known.apply(foretold, "fake");
  EXPECT_EQ(foretold.expected, Expected::expected_fail);
  ASSERT_TRUE(foretold.expectation);
  EXPECT_EQ(foretold.expectation->reason, "known");
  Record passing = record_with(Verdict::pass);
  known.apply(passing, "fake");
  EXPECT_EQ(passing.expected, Expected::unexpected_pass);
  for (Record other : {record_with(Verdict::crash), record_with(Verdict::fail, FailClass::contract),
                       record_with(Verdict::unsupported), record_with(Verdict::vacuous)}) {
    known.apply(other, "fake");
    EXPECT_EQ(other.expected, Expected::no);
  }
  Record elsewhere = record_with(Verdict::fail, FailClass::accuracy);
  elsewhere.answered_by = elsewhere.planned.backend = "another";
  known.apply(elsewhere, "another");
  EXPECT_EQ(elsewhere.expected, Expected::no);
}

TEST(ExpectationsTest, HoldForAnImplementationThatTheRunCallsAfterItsWorker) {
  const Expectations known({expect("backend:fake:v lowering:loop", "crash", "2030-01-01")},
                           "2026-06-01");
  for (const char* declared : {"fake:v", "fake:w", "fake"}) {
    Record record = record_with(Verdict::crash);
    record.planned.backend = "other:v";
    record.answered_by = "other:v/loop";
    known.apply(record, declared);
    EXPECT_EQ(record.expected == Expected::expected_fail, declared == std::string("fake:v"));
    EXPECT_EQ(record.answered_by, "other:v/loop");
  }
}

TEST(ExpectationsTest, AnExpiredEntryExcusesNothingAndIsReported) {
  const Expectations known({expect("backend:fake", "fail(accuracy)", "2026-05-31")}, "2026-06-01");
  Record record = record_with(Verdict::fail, FailClass::accuracy);
  known.apply(record, "fake");
  EXPECT_EQ(record.expected, Expected::no);
  ASSERT_EQ(known.stale().size(), 1U);
  EXPECT_EQ(known.stale()[0].problem, "expired");
  const Expectations today({expect("backend:fake", "crash", "2026-06-01")}, "2026-06-01");
  EXPECT_TRUE(today.stale().empty());
}

TEST(ExecutionTest, PaintsGuardsAndPoisonAndSeesWhatChanged) {
  const Case c = test::tiny_case(16);
  const TensorSet inputs = make_inputs(c);
  Execution execution(c.problem, inputs);
  const PrepareRequest request = execution.request("fake", "native");
  const std::map<TensorName, Transport> in_place{{TensorName::o, Transport::in_place},
                                                 {TensorName::lse, Transport::copied}};
  const auto untouched = execution.observe(in_place);
  EXPECT_TRUE(untouched.mutated_inputs.empty());
  const ObservedTensor& o = untouched.outputs.at(TensorName::o);
  EXPECT_EQ(o.unwritten, element_count(o.tensor.spec));
  EXPECT_EQ(untouched.outputs.at(TensorName::lse).unwritten, 0);  // Unknowable for a copy.

  const Mapping worker(execution.fd(), request.memory_bytes);
  for (const TensorSlot& slot : request.outputs) {
    auto bytes = worker.bytes().subspan(static_cast<std::size_t>(slot.offset),
                                        static_cast<std::size_t>(byte_count(slot.spec)));
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
  }
  const TensorSlot& last = request.outputs.back();
  worker.bytes()[static_cast<std::size_t>(last.offset + byte_count(last.spec))] ^= std::byte{1};
  worker.bytes()[static_cast<std::size_t>(request.inputs[1].offset)] ^= std::byte{1};
  const auto touched = execution.observe(in_place);
  EXPECT_EQ(touched.mutated_inputs, std::vector<std::string>{"k"});
  EXPECT_EQ(touched.outputs.at(TensorName::o).unwritten, 0);
  EXPECT_EQ(touched.outputs.at(TensorName::o).guard_damage, "");
  EXPECT_EQ(touched.outputs.at(TensorName::lse).guard_damage,
            "the guard behind lse was written, 0 elements past its end");
}

TEST(SharedMemoryTest, CannotBeShrunkOrGrownByAWorker) {
  const SharedMemory memory(4096);
  EXPECT_NE(::ftruncate(memory.fd(), 1), 0);
  EXPECT_NE(::ftruncate(memory.fd(), 8192), 0);
}

}  // namespace
}  // namespace fathom
