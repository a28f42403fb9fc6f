// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/mutants.h"

#include "backends/mutant/backend.h"
#include "harness/worker/tests/bench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace fathom::mutant {
namespace {

using worker::Bench;

/// Small Problems that together have every feature.
const std::vector<std::string> problems{
    "dtype=bf16 layout=bshd hq=4 hkv=2 d=40 dv=24 seqs=2*193 mask=causal(bottom_right) scale=0.3",
    "dtype=f16 layout=bhsd hq=2 hkv=2 d=40 dv=40 seqs=70x193 mask=full dlse=true",
    "dtype=f32 layout=thd hq=4 hkv=2 d=16 dv=16 seqs=130x140,5x0,66x40 mask=causal(top_left)",
    "dtype=f32 layout=bshd hq=1 hkv=1 d=16 dv=16 seqs=400x300 mask=causal(bottom_right)",
    "dtype=bf16 layout=bshd hq=1 hkv=1 d=16 dv=16 seqs=70x1030 mask=full",
    "dtype=f16 layout=bhsd hq=2 hkv=1 d=16 dv=16 seqs=100x200 mask=window(17,3)",
    "dtype=bf16 layout=thd hq=2 hkv=2 d=16 dv=16 seqs=100x120p30,90p7 mask=prefix_lm",
    "dtype=f16 layout=bshd hq=2 hkv=2 d=16 dv=16 seqs=150 mask=document(30,64,9)",
};

/// All bytes a backend touches: inputs, outputs and what lies round them, after two executions.
struct Trace {
  std::vector<std::byte> first;
  std::vector<std::byte> second;
  bool operator==(const Trace&) const = default;
};

std::vector<std::byte> all_bytes(const Bench& bench) {
  std::vector<std::byte> bytes;
  for (const auto& tensors : {bench.inputs, bench.outputs}) {
    for (const auto& [name, tensor] : tensors) {
      bytes.insert(bytes.end(), tensor.memory.begin(), tensor.memory.end());
    }
  }
  return bytes;
}

Trace trace(worker::Backend& backend, const std::string& problem) {
  Bench bench("dir=fwd+bwd " + problem, 2);
  const auto plan = bench.plan(backend);
  plan->execute();
  Trace trace;
  trace.first = all_bytes(bench);
  plan->execute();
  trace.second = all_bytes(bench);
  return trace;
}

/// The Trace of the honest twin for each Problem.
const std::vector<Trace>& honest_traces() {
  static const std::vector<Trace> traces = [] {
    std::vector<Trace> all;
    for (const std::string& problem : problems) {
      all.push_back(trace(*make_honest_backend(), problem));
    }
    return all;
  }();
  return traces;
}

const Mutant& find(std::string_view name) {
  static const std::vector<Mutant> all = all_mutants();
  return *std::find_if(all.begin(), all.end(), [&](const Mutant& m) { return m.name == name; });
}

bool is_run_to_run(const Mutant& mutant) {
  return mutant.axes.has(Axis::repeat);
}

TEST(MutantTableTest, HasAtLeastSeventyRowsWithUniqueNames) {
  std::set<std::string_view> names{"honest"};
  for (const Mutant& mutant : all_mutants()) {
    EXPECT_TRUE(names.insert(mutant.name).second) << mutant.name;
  }
  EXPECT_GE(names.size(), 71U);
}

TEST(MutantTableTest, SaysWhatEachDefectDoesInTextThatJsonNeedNotEscape) {
  for (const Mutant& mutant : all_mutants()) {
    EXPECT_GE(mutant.what.size(), 10U) << mutant.name;
    for (const std::string_view text : {mutant.name, mutant.what, mutant.imitates}) {
      EXPECT_EQ(text.find_first_of("\"\\\n\t"), std::string_view::npos) << mutant.name;
    }
  }
}

TEST(MutantTableTest, EveryAxisHasAWordAndADefect) {
  for (int i = 0; i < 13; ++i) {
    const auto axis = static_cast<Axis>(i);
    const std::vector<Mutant> all = all_mutants();
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const Mutant& m) {
      return m.axes.has(axis);
    })) << to_string(axis);
  }
  EXPECT_EQ(to_string(Axis::key | Axis::tile), "tile|key");
  EXPECT_EQ(to_string(Axis::rows), "rows");
  EXPECT_EQ(to_string(Axis::stale), "stale");
}

TEST(MutantTableTest, EveryPatchReplacesOneOrTwoSeamsAtMost) {
  const auto words = [](const Seams& seams) {
    std::vector<std::uintptr_t> pointers(sizeof(Seams) / sizeof(std::uintptr_t));
    std::memcpy(pointers.data(), &seams, sizeof(Seams));
    return pointers;
  };
  const auto before = words(Seams{});
  for (const Mutant& mutant : all_mutants()) {
    Seams seams;
    mutant.patch(seams);
    const auto after = words(seams);
    int changed = 0;
    for (std::size_t i = 0; i < before.size(); ++i) changed += before[i] != after[i] ? 1 : 0;
    EXPECT_TRUE(changed == 1 || changed == 2) << mutant.name << ' ' << changed;
  }
}

TEST(MutantTableTest, JsonHoldsEveryRow) {
  const std::string text = table_json();
  EXPECT_EQ(text.find("[\n{\"name\": \"mask_ignored\", \"what\": "), 0U);
  const auto rows = std::count(text.begin(), text.end(), '{');
  EXPECT_EQ(static_cast<std::size_t>(rows), all_mutants().size());
  EXPECT_EQ(text.substr(text.size() - 4), "}\n]\n");
}

TEST(MutantsTest, NoneIsDead) {
  for (const Mutant& mutant : all_mutants()) {
    bool alive = false;
    for (std::size_t i = 0; i < problems.size() && !alive; ++i) {
      alive = trace(*make_backend(mutant), problems[i]) != honest_traces()[i];
    }
    EXPECT_TRUE(alive) << mutant.name << " changes no bit anywhere";
  }
}

/// What a run gives is a function of the Problem and of how many runs came before.
TEST(MutantsTest, GiveTheSameBitsAgain) {
  for (const Mutant& mutant : all_mutants()) {
    for (const std::size_t i : {2U, 4U}) {
      const auto backend = make_backend(mutant);
      EXPECT_EQ(trace(*backend, problems[i]), trace(*make_backend(mutant), problems[i]))
          << mutant.name;
    }
  }
}

TEST(MutantsTest, OnlyThoseOfTheAxisRepeatDifferFromRunToRun) {
  // These write what the next run reads.
  const std::set<std::string_view> remember{"out_stale", "input_written"};
  for (const Mutant& mutant : all_mutants()) {
    bool differs = false;
    for (const std::size_t i : {0U, 3U}) {
      const Trace runs = trace(*make_backend(mutant), problems[i]);
      differs = differs || runs.first != runs.second;
    }
    if (remember.count(mutant.name) == 0) {
      EXPECT_EQ(differs, is_run_to_run(mutant)) << mutant.name;
    }
  }
}

TEST(MutantsTest, AreHonestWithoutTheFeatureThatTheyBreak) {
  struct Row {
    std::string_view name;
    std::string problem;
  };
  const std::string plain = "dtype=f16 layout=bshd hq=2 hkv=2 d=32 dv=32 seqs=100 mask=full";
  const std::string single = "dtype=f32 layout=bshd hq=1 hkv=1 d=32 dv=32 seqs=64 mask=full";
  std::vector<Row> rows;
  for (const std::string_view name : {"mask_ignored",         "no_causal",
                                      "causal_top_left",      "causal_plus_one",
                                      "window_plus_one",      "window_right_ignored",
                                      "prefix_ignored",       "prefix_of_neighbour",
                                      "document_ignored",     "head_map_modulo",
                                      "cu_seqlens_shared",    "next_sequence_visible",
                                      "sequence_skipped",     "layout_assumed",
                                      "scale_padded_d",       "scale_ignored",
                                      "split_lse_bf16",       "split_o_bf16",
                                      "last_split_lost",      "merge_unweighted",
                                      "combine_all_empty",    "zero_len_no_exit",
                                      "empty_rows_unwritten", "empty_row_mean",
                                      "dlse_ignored",         "dlse_sign",
                                      "group_one_head",       "dkdv_group_lost_last",
                                      "bwd_seq_offset",       "stride_swap",
                                      "bwd_scale_ignored"}) {
    rows.push_back({name, plain});
  }
  for (const std::string_view name : {"tile_dropped", "tail_dropped", "tail_unmasked", "dq_tile",
                                      "dk_tile", "head_neighbour", "stale_scratch"}) {
    rows.push_back({name, single});
  }
  for (const auto& [name, problem] : rows) {
    EXPECT_EQ(trace(*make_backend(find(name)), problem), trace(*make_honest_backend(), problem))
        << name;
  }
}

/// In these dtypes there is nothing for the defect to change.
TEST(MutantsTest, AreEquivalentWhereNothingIsRounded) {
  struct Row {
    std::string_view name;
    std::string_view dtype;
  };
  const std::vector<Row> rows{
      {"p_truncated", "f32"},  {"o_truncated", "f32"},     {"s_rounded", "f32"},
      {"ds_truncated", "f32"}, {"bwd_p_truncated", "f32"}, {"l_from_rounded_p", "f32"},
      {"p_bf16", "bf16"},      {"ds_bf16", "bf16"},        {"tf32_in_fp32", "bf16"},
      {"tf32_in_fp32", "f16"},
  };
  for (const auto& [name, dtype] : rows) {
    const std::string problem =
        "dtype=" + std::string(dtype) + " layout=bshd hq=1 hkv=1 d=32 dv=32 seqs=200 mask=full";
    EXPECT_EQ(trace(*make_backend(find(name)), problem), trace(*make_honest_backend(), problem))
        << name << ' ' << dtype;
  }
}

TEST(MutantsTest, OnlyInputWrittenWritesAnInputAndOnlyWritePastEndAGuard) {
  for (const Mutant& mutant : all_mutants()) {
    Bench bench("dir=fwd+bwd " + problems[1]);
    const auto before = bench.values(TensorName::q);
    bench.run(*make_backend(mutant));
    EXPECT_EQ(bench.values(TensorName::q) != before, mutant.name == "input_written");
    bool intact = true;
    for (const auto& [name, tensor] : bench.inputs) intact = intact && tensor.is_guard_intact();
    for (const auto& [name, tensor] : bench.outputs) intact = intact && tensor.is_guard_intact();
    EXPECT_EQ(!intact, mutant.name == "write_past_end") << mutant.name;
  }
}

TEST(MutantsTest, BackwardDefectsLeaveTheForwardOutputsAlone) {
  for (const Mutant& mutant : all_mutants()) {
    if (mutant.pass == Pass::forward) continue;
    for (const std::size_t i : {0U, 6U}) {
      Bench bench("dir=fwd+bwd " + problems[i]);
      Bench twin("dir=fwd+bwd " + problems[i]);
      bench.run(*make_backend(mutant));
      twin.run(*make_honest_backend());
      for (const TensorName name : {TensorName::o, TensorName::lse}) {
        EXPECT_EQ(bench.values(name), twin.values(name)) << mutant.name;
      }
    }
  }
}

/// Defects that are planted by position must be there at every length of a campaign.
TEST(MutantsTest, OfPositionAreAliveAtAnyLength) {
  for (const std::string_view name :
       {"drop_key", "drop_key_one_row", "last_key_dropped", "first_key_dropped", "tail_dropped",
        "tail_unmasked", "zero_key_unmasked", "tile_dropped", "tile_dropped_one_head",
        "tile_repeated", "stale_v_tile", "v_rows_swapped", "o_rows_swapped", "one_element"}) {
    for (const std::string length : {"193", "1025", "4097"}) {
      const std::string text =
          "dir=fwd dtype=f32 layout=bshd hq=2 hkv=2 d=8 dv=8 mask=full seqs=9x" + length;
      Bench bench(text);
      Bench twin(text);
      bench.run(*make_backend(find(name)));
      twin.run(*make_honest_backend());
      EXPECT_NE(bench.values(TensorName::o), twin.values(TensorName::o)) << name << ' ' << length;
    }
  }
}

}  // namespace
}  // namespace fathom::mutant
