// SPDX-License-Identifier: Apache-2.0
#include "harness/core/arithmetic.h"

#include "harness/core/tests/message.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

const ArithmeticField& field(std::string_view key) {
  for (const ArithmeticField& row : arithmetic_fields()) {
    if (row.key == key) return row;
  }
  throw std::out_of_range(std::string(key));
}

struct FieldRow {
  std::string_view key;
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

std::vector<FieldRow> field_rows() {
  const std::vector<std::string> some_dtypes{"f64", "f32", "f16", "bf16"};
  const std::vector<std::string> roundings{"rne", "rtz", "rna"};
  const std::vector<std::string> accumulators{"fp64", "fp32", "fp16", "bf16", "tf32x1", "tf32x3"};
  return {
      {"p_dtype", some_dtypes, {"", "fp32"}},
      {"p_round", roundings, {"", "RNE", "up"}},
      {"out_round", roundings, {"nearest"}},
      {"acc", accumulators, {"f32", "tf32"}},
      {"grad_acc", accumulators, {"f32"}},
      {"ds_dtype", some_dtypes, {"fp8"}},
      {"delta_src", {"o_rounded", "fp32"}, {"o"}},
      {"split_partial", some_dtypes, {"half"}},
      {"exp_rel", {"0", "5.4e-05", "1"}, {"", "-1e-9", "2", "nan", "inf", "x"}},
      {"empty_row_lse", {"-inf", "+inf", "0"}, {"inf", "nan"}},
      {"block_m", {"1", "64", "65536"}, {"0", "-1", "65537", "64.5"}},
      {"block_n", {"1", "128", "65536"}, {"0", "99999999999999999999"}},
      {"link", {"", "https://example.org/a#L1"}, {}},
  };
}

TEST(ArithmeticTest, EveryFieldReadsBackWhatItPrints) {
  const auto rows = field_rows();
  ASSERT_EQ(rows.size(), arithmetic_fields().size());
  for (const FieldRow& row : rows) {
    for (const std::string& value : row.good) {
      Arithmetic a;
      field(row.key).set(a, value);
      EXPECT_EQ(field(row.key).get(a), value) << row.key;
    }
  }
}

TEST(ArithmeticTest, BadValuesAreNamedWithTheirKeyAndWhatIsAllowed) {
  for (const FieldRow& row : field_rows()) {
    for (const std::string& value : row.bad) {
      Arithmetic a;
      const auto message = message_of<DataError>([&] { field(row.key).set(a, value); });
      const auto start = std::string(row.key) + " is '" + value + "'; it must be ";
      EXPECT_EQ(message.substr(0, start.size()), start);
      EXPECT_GT(message.size(), start.size());
    }
  }
}

TEST(ArithmeticTest, TextShowsWhatDiffersFromTheDefault) {
  Arithmetic a;
  EXPECT_EQ(to_string(a), "default");
  a.p_dtype = Dtype::bf16;
  a.exp_rel = 5.4e-05;
  EXPECT_EQ(to_string(a), "p_dtype=bf16 exp_rel=5.4e-05");
}

TEST(ArithmeticTest, FlashRoundsPAndDsToTheDtypeAndUpcastDoesNot) {
  EXPECT_EQ(to_string(flash_arithmetic(Dtype::bf16)), "p_dtype=bf16 ds_dtype=bf16");
  EXPECT_EQ(to_string(flash_arithmetic(Dtype::f16)), "p_dtype=f16 ds_dtype=f16");
  EXPECT_EQ(to_string(flash_arithmetic(Dtype::f32)), "default");
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16}) {
    EXPECT_EQ(to_string(upcast_arithmetic(dtype)), "default");
  }
  const auto* all_f64 = "p_dtype=f64 acc=fp64 grad_acc=fp64 ds_dtype=f64 split_partial=f64";
  EXPECT_EQ(to_string(flash_arithmetic(Dtype::f64)), all_f64);
  EXPECT_EQ(to_string(upcast_arithmetic(Dtype::f64)), all_f64);
}

}  // namespace
}  // namespace fathom
