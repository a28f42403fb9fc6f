// SPDX-License-Identifier: Apache-2.0
#include "harness/run/run_case.h"
#include "harness/run/tests/run_support.h"
#include "reference/oracle.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

// Every way in which the fake worker can misbehave gets its own verdict, and the cases before and
// after it are untouched.

namespace fathom {
namespace {

struct Planted {
  std::string script;
  Verdict verdict;
  std::string code;     ///< Expected reason code; empty: not checked.
  std::string excerpt;  ///< Must stand in the reason or the worker's log.
  FailClass fail_class = FailClass::none;
};

void PrintTo(const Planted& planted, std::ostream* out) {
  *out << planted.script;
}

Deadlines short_deadlines() {
  Deadlines deadlines;
  deadlines.support = deadlines.prepare = deadlines.execute = deadlines.time =
      std::chrono::milliseconds(1500);
  return deadlines;
}

/// Processes whose command line holds the text.
int processes_with(const std::string& text) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(file)), {});
    if (line.find(text) != std::string::npos) ++count;
  }
  return count;
}

/// Whether all of them go away; the kernel takes a moment to bury a killed group.
bool all_gone(const std::string& text) {
  for (int i = 0; i < 200; ++i) {
    if (processes_with(text) == 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class FaultsTest : public testing::TestWithParam<Planted> {};

TEST_P(FaultsTest, GetsItsOwnVerdictAndSparesTheOtherCases) {
  const Planted& planted = GetParam();
  std::vector<Record> records;
  {
    WorkerPool pool({test::fake_worker(planted.script)}, short_deadlines());
    pool.hello();
    const auto oracle = reference::make_oracle({1});
    InputCache inputs;
    CaseTools tools{pool, *oracle, inputs, true, {}};
    for (const Index head_dim : {Index{16}, Index{13}, Index{16}, Index{13}, Index{8}}) {
      const Case c = test::tiny_case(head_dim, records.size() + 1);
      records.push_back(run_case(test::planned_for("fake", c), tools));
    }
  }
  for (const std::size_t honest : {0, 2, 4}) {
    EXPECT_EQ(records[honest].verdict, Verdict::pass) << honest << records[honest].reason;
    EXPECT_EQ(records[honest].measurement.latency.size(), 1U);
  }
  for (const Record& record : records) {
    EXPECT_TRUE(record.verdict == Verdict::fail || !record.explanation) << record.reason;
  }
  for (const std::size_t bad : {1, 3}) {
    const Record& record = records[bad];
    EXPECT_EQ(to_string(record.verdict), to_string(planted.verdict)) << record.reason;
    EXPECT_EQ(to_string(record.fail_class), to_string(planted.fail_class)) << record.reason;
    if (!planted.code.empty()) {
      EXPECT_EQ(record.reason_code, planted.code);
    }
    const std::string said = record.reason + record.worker_log;
    EXPECT_NE(said.find(planted.excerpt), std::string::npos) << record.reason;
  }
  EXPECT_TRUE(all_gone("fathom-worker-fake" + std::string(1, '\0') + planted.script));
}

INSTANTIATE_TEST_SUITE_P(
    Deaths, FaultsTest,
    testing::Values(Planted{"segv:support", Verdict::crash, "SIGSEGV", "during support"},
                    Planted{"abort:prepare", Verdict::crash, "SIGABRT", "during prepare"},
                    Planted{"fpe:execute", Verdict::crash, "SIGFPE", "during execute"},
                    Planted{"exit0:execute", Verdict::crash, "exit(0)", "during execute"},
                    Planted{"exit3:time", Verdict::crash, "exit(3)", "during time"},
                    Planted{"segv:memory", Verdict::crash, "SIGSEGV", "during memory"},
                    Planted{"close:execute", Verdict::protocol_error, "closed", "lives on"}));

INSTANTIATE_TEST_SUITE_P(
    Hangs, FaultsTest,
    testing::Values(Planted{"hang:support", Verdict::hang, "support", "deadline"},
                    Planted{"hang:prepare", Verdict::hang, "prepare", "deadline"},
                    Planted{"hang:execute", Verdict::hang, "execute", "deadline"},
                    Planted{"hang:time", Verdict::hang, "time", "deadline"},
                    Planted{"late:execute", Verdict::hang, "execute", "deadline"},
                    Planted{"cut_frame:execute", Verdict::hang, "execute", "deadline"}));

INSTANTIATE_TEST_SUITE_P(
    Nonsense, FaultsTest,
    testing::Values(Planted{"huge_frame:execute", Verdict::protocol_error, "answer",
                            "2147483647 bytes"},
                    Planted{"not_json:execute", Verdict::protocol_error, "answer", "nonsense"},
                    Planted{"not_object:support", Verdict::protocol_error, "answer", "nonsense"},
                    Planted{"deep:execute", Verdict::protocol_error, "answer", "nonsense"},
                    Planted{"wrong_seq:prepare", Verdict::protocol_error, "answer", "seq"},
                    Planted{"wrong_type:execute", Verdict::protocol_error, "answer", "sing"},
                    Planted{"twice:execute", Verdict::protocol_error, "answer", "seq"},
                    Planted{"wrong_bytes", Verdict::protocol_error, "answer", "12 bytes"},
                    Planted{"unknown_output", Verdict::protocol_error, "answer", "outputs"},
                    Planted{"nan_time", Verdict::protocol_error, "answer", "time"},
                    Planted{"negative_time", Verdict::protocol_error, "answer", "finite"},
                    Planted{"memory_text", Verdict::protocol_error, "answer", "peak_bytes"}));

INSTANTIATE_TEST_SUITE_P(
    Damages, FaultsTest,
    testing::Values(
        Planted{"zeros", Verdict::fail, "", "o:", FailClass::accuracy},
        Planted{"off_by_one_key", Verdict::fail, "", "", FailClass::accuracy},
        Planted{"nan", Verdict::fail, "", "o:", FailClass::nonfinite},
        Planted{"unwritten", Verdict::fail, "", "never written", FailClass::out_of_bounds},
        Planted{"guard_before", Verdict::fail, "", "guard before o", FailClass::out_of_bounds},
        Planted{"guard_behind", Verdict::fail, "", "guard behind o", FailClass::out_of_bounds},
        Planted{"mutate_input", Verdict::fail, "", "k", FailClass::contract},
        Planted{"raise", Verdict::fail, "exception", "planted", FailClass::contract},
        Planted{"out_of_memory", Verdict::out_of_memory, "backend", "planted"}));

INSTANTIATE_TEST_SUITE_P(Nuisances, FaultsTest,
                         testing::Values(Planted{"print:execute", Verdict::pass, "",
                                                 "bytes left out"},
                                         Planted{"child:execute", Verdict::pass, "", ""}));

TEST(HelloFaultsTest, AWorkerThatCannotIntroduceItselfIsAbsentWithItsReason) {
  for (const std::string script : {"segv:hello", "not_json:hello", "exit3:hello", "nonsense"}) {
    WorkerPool pool({test::fake_worker(script)}, short_deadlines());
    const std::vector<BackendStatus> statuses = pool.hello();
    ASSERT_EQ(statuses.size(), 1U);
    EXPECT_EQ(statuses[0].name, "fake");
    EXPECT_FALSE(statuses[0].absent.empty());
    const auto oracle = reference::make_oracle({1});
    InputCache inputs;
    CaseTools tools{pool, *oracle, inputs, true, {}};
    const Record record = run_case(test::planned_for("fake", test::tiny_case(16)), tools);
    EXPECT_EQ(record.verdict, Verdict::not_run);
    EXPECT_EQ(record.reason_code, "absent");
    EXPECT_EQ(record.reason, statuses[0].absent);
  }
}

TEST(HelloFaultsTest, AMissingProgramIsASentence) {
  WorkerPool pool({{"gone", {"/no/such/worker"}}}, short_deadlines());
  const std::vector<BackendStatus> statuses = pool.hello();
  ASSERT_EQ(statuses.size(), 1U);
  EXPECT_NE(statuses[0].absent.find("cannot be executed"), std::string::npos) << statuses[0].absent;
}

}  // namespace
}  // namespace fathom
