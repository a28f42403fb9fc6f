// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/schema_call.h"

#include "harness/core/error.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>
#include <torch/library.h>

// One attention-like op as five imagined releases of torch could spell it. Each returns a number
// that tells which argument got which value: query + 10 key + 100 scale + 1000 is_causal.

namespace {

double told(const at::Tensor& query, const at::Tensor& key, double scale, bool is_causal) {
  return query.item<double>() + 10 * key.item<double>() + 100 * scale + 1000 * double(is_causal);
}

at::Tensor plain(const at::Tensor& query, const at::Tensor& key, bool is_causal,
                 std::optional<double> scale) {
  return at::full({}, told(query, key, scale.value_or(7), is_causal), at::kDouble);
}

at::Tensor moved(const at::Tensor& key, std::optional<double> scale, const at::Tensor& query,
                 bool is_causal) {
  return plain(query, key, is_causal, scale);
}

std::tuple<at::Tensor, at::Tensor> added(const at::Tensor& query, const at::Tensor& key,
                                         const std::optional<at::Tensor>& page_table,
                                         int64_t splits, bool is_causal,
                                         std::optional<double> scale) {
  const bool as_declared = !page_table && splits == 3;
  return {plain(query, key, is_causal, scale), at::full({}, as_declared ? 1.0 : 0.0)};
}

at::Tensor demanding(const at::Tensor& query, const at::Tensor& key, int64_t /*sm_margin*/,
                     bool is_causal, std::optional<double> scale) {
  return plain(query, key, is_causal, scale);
}

at::Tensor undefined_bias(const at::Tensor& query, const at::Tensor& attn_bias) {
  return at::full({}, attn_bias.defined() ? -1.0 : query.item<double>(), at::kDouble);
}

at::Tensor required_scale(const at::Tensor& query, double scale) {
  return at::full({}, query.item<double>() + 100 * scale, at::kDouble);
}

TORCH_LIBRARY(fathom_planted, m) {
  m.def("plain(Tensor query, Tensor key, bool is_causal=False, *, float? scale=None) -> Tensor",
        &plain);
  m.def("moved(Tensor key, float? scale, Tensor query, bool is_causal=False) -> Tensor", &moved);
  m.def(
      "added(Tensor query, Tensor key, Tensor? page_table=None, int splits=3, "
      "bool is_causal=False, *, float? scale=None) -> (Tensor output, Tensor logsumexp)",
      &added);
  m.def(
      "demanding(Tensor query, Tensor key, int sm_margin, bool is_causal=False, *, "
      "float? scale=None) -> Tensor",
      &demanding);
  m.def("no_causal(Tensor query, Tensor key, *, float? scale=None) -> Tensor",
        [](const at::Tensor& query, const at::Tensor& key, std::optional<double> scale) {
          return plain(query, key, false, scale);
        });
  m.def("renamed_argument(Tensor q, Tensor key, bool is_causal=False, float? scale=None) -> Tensor",
        &plain);
  m.def("undefined_bias(Tensor query, Tensor attn_bias) -> Tensor", &undefined_bias);
  m.def("required_scale(Tensor query, float scale) -> Tensor", &required_scale);
}

}  // namespace

namespace fathom::sdpa {
namespace {

at::Tensor number(double value) {
  return at::full({}, value, at::kDouble);
}

/// query 1, key 2, scale 0.5, is_causal true: 1 + 20 + 50 + 1000.
Arguments usual() {
  return {{{"query"}, number(1), true},
          {{"key"}, number(2), true},
          {{"scale"}, 0.5, true},
          {{"is_causal"}, true, true}};
}
constexpr double usual_answer = 1071;

double call(const std::string& op, const Arguments& arguments) {
  return SchemaCall("fathom_planted::" + op).call(arguments).at(0).value.toTensor().item<double>();
}

std::string why_not(const std::string& op, const Arguments& arguments) {
  return SchemaCall("fathom_planted::" + op).why_not(arguments).value_or("");
}

TEST(SchemaCallTest, FillsArgumentsByName) {
  EXPECT_EQ(call("plain", usual()), usual_answer);
}

TEST(SchemaCallTest, FollowsArgumentsThatMoved) {
  EXPECT_EQ(call("moved", usual()), usual_answer);
}

TEST(SchemaCallTest, LeavesAddedArgumentsAtTheirDefault) {
  const Results results = SchemaCall("fathom_planted::added").call(usual());
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].value.toTensor().item<double>(), usual_answer);
  EXPECT_EQ(results[1].value.toTensor().item<float>(), 1.0F);
}

TEST(SchemaCallTest, ReturnsKeepTheirNames) {
  const Results results = SchemaCall("fathom_planted::added").call(usual());
  EXPECT_EQ(results.at(0).name, "output");
  EXPECT_EQ(results.at(1).name, "logsumexp");
}

TEST(SchemaCallTest, RefusesAnAddedRequiredArgumentAndNamesIt) {
  const std::string sentence = why_not("demanding", usual());
  EXPECT_NE(sentence.find("sm_margin"), std::string::npos) << sentence;
  EXPECT_THROW(call("demanding", usual()), Error);
}

TEST(SchemaCallTest, RefusesToDropAnEssentialArgument) {
  const std::string sentence = why_not("no_causal", usual());
  EXPECT_NE(sentence.find("is_causal"), std::string::npos) << sentence;
}

TEST(SchemaCallTest, DropsAnArgumentThatChangesNothing) {
  Arguments arguments = usual();
  arguments[3] = {{"is_causal"}, false, false};
  EXPECT_EQ(call("no_causal", arguments), 71);
}

TEST(SchemaCallTest, KnowsAnArgumentUnderEachOfItsNames) {
  EXPECT_NE(why_not("renamed_argument", usual()).find("query"), std::string::npos);
  Arguments arguments = usual();
  arguments[0].names = {"query", "q"};
  EXPECT_EQ(call("renamed_argument", arguments), usual_answer);
}

TEST(SchemaCallTest, ARenamedOpIsAbsentByName) {
  try {
    SchemaCall("fathom_planted::attention_v2");
    FAIL() << "an op that does not exist was found";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "this torch has no op fathom_planted::attention_v2");
  }
}

TEST(SchemaCallTest, NoTensorIsAnUndefinedTensorWhereTheSchemaIsNotOptional) {
  EXPECT_EQ(call("undefined_bias", {{{"query"}, number(4), true}, {{"attn_bias"}, {}, false}}), 4);
}

TEST(SchemaCallTest, NoValueDoesNotFillARequiredNumber) {
  const Arguments arguments{{{"query"}, number(4), true}, {{"scale"}, {}, false}};
  EXPECT_NE(why_not("required_scale", arguments).find("scale"), std::string::npos);
}

TEST(SchemaCallTest, FindsEveryOpOfThisBackendInTheInstalledTorch) {
  for (const std::string op :
       {"_scaled_dot_product_attention_math", "_fused_sdp_choice",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_flash_attention_for_cpu_backward",
        "_scaled_dot_product_flash_attention", "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_cudnn_attention"}) {
    EXPECT_NO_THROW(SchemaCall("aten::" + op)) << op;
  }
}

}  // namespace
}  // namespace fathom::sdpa
