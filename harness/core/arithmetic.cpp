// SPDX-License-Identifier: Apache-2.0
#include "harness/core/arithmetic.h"

#include "harness/core/text.h"
#include "harness/core/words.h"

#include <array>

namespace fathom {
namespace {

using View = std::string_view;

constexpr std::array<View, 3> rounding_words{"rne", "rtz", "rna"};
constexpr std::array<View, 6> accumulator_words{"fp64", "fp32", "fp16", "bf16", "tf32x1", "tf32x3"};
constexpr std::array<View, 2> delta_words{"o_rounded", "fp32"};
constexpr std::array<View, 3> empty_lse_words{"-inf", "+inf", "0"};

int tile_from(View key, View value) {
  const auto tile = parse_index(value);
  if (!tile || *tile < 1 || *tile > 65536) bad_value(key, value, "a tile size, 1 to 65536");
  return static_cast<int>(*tile);
}

double error_from(View key, View value) {
  const auto error = parse_double(value);
  if (!error || *error < 0 || *error > 1) bad_value(key, value, "a relative error, 0 to 1");
  return *error;
}

const std::array arithmetic_table{
    ArithmeticField{"p_dtype",
                    [](const Arithmetic& a) { return std::string(to_string(a.p_dtype)); },
                    [](Arithmetic& a, View v) { a.p_dtype = dtype_from_word("p_dtype", v); }},
    ArithmeticField{"p_round", [](const Arithmetic& a) { return word(a.p_round, rounding_words); },
                    [](Arithmetic& a, View v) {
                      a.p_round = from_word<Rounding>("p_round", v, rounding_words);
                    }},
    ArithmeticField{"out_round",
                    [](const Arithmetic& a) { return word(a.out_round, rounding_words); },
                    [](Arithmetic& a, View v) {
                      a.out_round = from_word<Rounding>("out_round", v, rounding_words);
                    }},
    ArithmeticField{
        "acc", [](const Arithmetic& a) { return word(a.acc, accumulator_words); },
        [](Arithmetic& a, View v) { a.acc = from_word<Accumulator>("acc", v, accumulator_words); }},
    ArithmeticField{"grad_acc",
                    [](const Arithmetic& a) { return word(a.grad_acc, accumulator_words); },
                    [](Arithmetic& a, View v) {
                      a.grad_acc = from_word<Accumulator>("grad_acc", v, accumulator_words);
                    }},
    ArithmeticField{"ds_dtype",
                    [](const Arithmetic& a) { return std::string(to_string(a.ds_dtype)); },
                    [](Arithmetic& a, View v) { a.ds_dtype = dtype_from_word("ds_dtype", v); }},
    ArithmeticField{"delta_src", [](const Arithmetic& a) { return word(a.delta_src, delta_words); },
                    [](Arithmetic& a, View v) {
                      a.delta_src = from_word<DeltaSource>("delta_src", v, delta_words);
                    }},
    ArithmeticField{
        "split_partial",
        [](const Arithmetic& a) { return std::string(to_string(a.split_partial)); },
        [](Arithmetic& a, View v) { a.split_partial = dtype_from_word("split_partial", v); }},
    ArithmeticField{"exp_rel", [](const Arithmetic& a) { return to_text(a.exp_rel); },
                    [](Arithmetic& a, View v) { a.exp_rel = error_from("exp_rel", v); }},
    ArithmeticField{"empty_row_lse",
                    [](const Arithmetic& a) { return word(a.empty_row_lse, empty_lse_words); },
                    [](Arithmetic& a, View v) {
                      a.empty_row_lse = from_word<EmptyRowLse>("empty_row_lse", v, empty_lse_words);
                    }},
    ArithmeticField{"block_m", [](const Arithmetic& a) { return std::to_string(a.block_m); },
                    [](Arithmetic& a, View v) { a.block_m = tile_from("block_m", v); }},
    ArithmeticField{"block_n", [](const Arithmetic& a) { return std::to_string(a.block_n); },
                    [](Arithmetic& a, View v) { a.block_n = tile_from("block_n", v); }},
    ArithmeticField{"link", [](const Arithmetic& a) { return a.link; },
                    [](Arithmetic& a, View v) { a.link = v; }},
};

}  // namespace

std::span<const ArithmeticField> arithmetic_fields() {
  return arithmetic_table;
}

std::string to_string(const Arithmetic& arithmetic) {
  static const Arithmetic defaults;
  std::string text;
  for (const ArithmeticField& field : arithmetic_table) {
    const std::string value = field.get(arithmetic);
    if (value == field.get(defaults)) continue;
    if (!text.empty()) text += ' ';
    text += std::string(field.key) + '=' + value;
  }
  return text.empty() ? "default" : text;
}

Arithmetic flash_arithmetic(Dtype dtype) {
  Arithmetic arithmetic;
  arithmetic.p_dtype = dtype;
  arithmetic.ds_dtype = dtype;
  if (dtype == Dtype::f64) return upcast_arithmetic(dtype);
  return arithmetic;
}

Arithmetic upcast_arithmetic(Dtype dtype) {
  Arithmetic arithmetic;
  if (dtype != Dtype::f64) return arithmetic;
  arithmetic.p_dtype = Dtype::f64;
  arithmetic.ds_dtype = Dtype::f64;
  arithmetic.split_partial = Dtype::f64;
  arithmetic.acc = Accumulator::fp64;
  arithmetic.grad_acc = Accumulator::fp64;
  return arithmetic;
}

}  // namespace fathom
