// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/kernel/defects.h"

#include "backends/hip/tests/judged.h"

#include <gtest/gtest.h>

namespace fathom::hip {
namespace {

/// Plants a defect for as long as it lives.
class Planted {
 public:
  explicit Planted(Defect defect) { planted_defect = defect; }
  Planted(const Planted&) = delete;
  Planted& operator=(const Planted&) = delete;
  ~Planted() { planted_defect = Defect::none; }
};

const std::vector<std::string> cases{
    "layout=thd hq=4 hkv=2 seqs=150p65,64p64,80,33p1 mask=prefix_lm fill=flat seed=1",
    "layout=bshd hq=2 hkv=2 seqs=2*100x170 mask=causal(bottom_right)&window(60,0) fill=flat seed=1",
    "layout=bshd hq=2 hkv=1 seqs=2*96x64 mask=causal(bottom_right) fill=normal seed=1",
    "layout=thd hq=2 hkv=2 lse=required dlse=true seqs=0x30,64,50x0,200 mask=full fill=normal "
    "seed=1",
    "layout=bshd hq=1 hkv=1 seqs=300 mask=full fill=flat seed=1",
};

/// What finds the planted defect: an alarm, the class of a failed Check, or nothing.
std::string found_by(const std::string& rest, Target target) {
  Answer answer;
  run("dir=fwd+bwd dtype=bf16 d=64 dv=64 " + rest, target, {}, Way::native, answer);
  if (answer.alarms.count() != 0) {
    return "executor: " + std::string(to_string(answer.alarms.first().front().kind));
  }
  const Judgement judgement = judged(answer);
  if (judgement.verdict == Verdict::fail) {
    return "fathom: " + std::string(to_string(judgement.fail_class));
  }
  return "";
}

std::string found_by_any(Target target) {
  for (const std::string& rest : cases) {
    if (std::string found = found_by(rest, target); !found.empty()) return found;
  }
  return "";
}

class DefectsTest : public testing::TestWithParam<Target> {};
INSTANTIATE_TEST_SUITE_P(Targets, DefectsTest, testing::Values(Target::amd, Target::nvidia));

TEST_P(DefectsTest, TheHonestKernelPassesTheirCases) {
  EXPECT_EQ(found_by_any(GetParam()), "");
}

TEST_P(DefectsTest, EveryPlantedDefectIsFound) {
  int found = 0;
  for (const DefectRow& row : all_defects) {
    if (row.amd_only && GetParam() == Target::nvidia) continue;
    const Planted planted(row.defect);
    const std::string by = found_by_any(GetParam());
    EXPECT_NE(by, "") << row.name << " went unseen";
    std::printf("  %-26s %s\n", row.name, by.c_str());
    found += by.empty() ? 0 : 1;
  }
  EXPECT_GE(found, 25);
}

}  // namespace
}  // namespace fathom::hip
