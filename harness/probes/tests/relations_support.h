// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/probes/tests/emulated_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace fathom::probes_test {

/// `dir=fwd+bwd dtype=... probe=...`, small enough for many executions.
inline std::string case_text(const std::string& probe, const std::string& dtype,
                             const std::string& rest) {
  return "dir=fwd+bwd dtype=" + dtype + " d=32 dv=32 fill=flat seed=5 " + rest + " probe=" + probe;
}

/// Masks, packings and head counts that an honest kernel is tried on.
inline const std::vector<std::string>& shapes() {
  static const std::vector<std::string> all{
      "layout=bshd hq=4 hkv=2 seqs=2*33x70 mask=causal(bottom_right)",
      "layout=bhsd hq=2 hkv=2 seqs=70x33 mask=causal(bottom_right)",
      "layout=bshd hq=2 hkv=1 seqs=2*40x66 mask=full",
      "layout=thd hq=2 hkv=2 seqs=37p5,20x66p30,65 mask=prefix_lm",
      "layout=thd hq=2 hkv=1 seqs=37,20x66 mask=causal(top_left)&window(9,-1)",
      "layout=bhsd hq=3 hkv=3 seqs=2*50 mask=document(7,20,5)",
      "layout=bshd hq=2 hkv=2 seqs=66 mask=window(5,3)",
  };
  return all;
}

inline std::string text_of(const Judgement& judgement) {
  std::string text = std::string(to_string(judgement.verdict)) + ": " + judgement.reason;
  for (const Finding& finding : judgement.findings) {
    text += "\n  " + finding.check + ": " + finding.message;
  }
  for (const auto& [question, answer] : judgement.answers) {
    text += "\n  " + question + " = " + answer;
  }
  return text;
}

inline void expect_honest_passes(const std::string& probe) {
  for (const std::string dtype : {"bf16", "f16", "f32"}) {
    for (const std::string& shape : shapes()) {
      const std::string text = case_text(probe, dtype, shape);
      const Judgement judgement = put(text);
      EXPECT_EQ(judgement.verdict, Verdict::pass) << text << '\n' << text_of(judgement);
    }
  }
}

inline void expect_fails(const std::string& text, Fault fault, FailClass fail_class,
                         const std::string& check) {
  const Judgement judgement = put(text, fault);
  EXPECT_EQ(judgement.verdict, Verdict::fail) << text << '\n' << text_of(judgement);
  EXPECT_EQ(judgement.fail_class, fail_class) << text_of(judgement);
  EXPECT_TRUE(std::any_of(judgement.findings.begin(), judgement.findings.end(),
                          [&](const Finding& f) { return f.check == check; }))
      << text_of(judgement);
}

inline void expect_zeros_never_pass(const std::string& probe) {
  for (const std::string& shape : shapes()) {
    const std::string text = case_text(probe, "bf16", shape);
    const Judgement judgement = put(text, Fault::zeros);
    EXPECT_NE(judgement.verdict, Verdict::pass) << text << '\n' << text_of(judgement);
  }
}

}  // namespace fathom::probes_test
