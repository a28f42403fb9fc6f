// SPDX-License-Identifier: Apache-2.0
#include "cases/read_file.h"
#include "cases/suite.h"
#include "cases/tests/planted_file.h"
#include "harness/codec/json.h"
#include "harness/core/tensor.h"

#include <gtest/gtest.h>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <set>
#include <string>

// The published schemas say the same as the loaders, as far as a schema can say it.

namespace fathom {
namespace {

using Adapter = valijson::adapters::NlohmannJsonAdapter;

const std::filesystem::path cases_folder = std::filesystem::path(FATHOM_SOURCE_DIR) / "cases";

/// The first thing that a schema has against a document; empty if nothing.
std::string objection(const std::string& schema_file, const Json& document) {
  const Json text = read_json_file(cases_folder / schema_file);
  valijson::Schema schema;
  valijson::SchemaParser().populateSchema(Adapter(text), schema);
  valijson::ValidationResults results;
  if (valijson::Validator().validate(schema, Adapter(document), &results)) return "";
  valijson::ValidationResults::Error error;
  results.popError(error);
  std::string said;
  for (const std::string& step : error.context) said += step;
  return said + " " + error.description;
}

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

TEST(SuiteSchemaTest, AcceptsEveryShippedSuite) {
  for (const char* name : {"smoke.json", "ci.json", "hrm_text.json", "probes.json", "power.json",
                           "peers.json", "calibration.json", "flex.json"}) {
    EXPECT_EQ(objection("suite.schema.json", read_json_file(cases_folder / name)), "") << name;
  }
}

TEST(SuiteSchemaTest, KnowsTheFieldsAndWordsThatCoreKnows) {
  const Json definitions = read_json_file(cases_folder / "suite.schema.json")["definitions"];
  std::set<std::string> fields;
  for (const ProblemField& field : problem_fields()) fields.emplace(field.key);
  EXPECT_EQ(keys_of(definitions["problem"]["properties"]), fields);
  std::set<std::string> fill_names;
  for (const FillInfo& fill : fills) fill_names.emplace(fill.name);
  EXPECT_EQ(definitions["fill"]["enum"].get<std::set<std::string>>(), fill_names);
  std::set<std::string> probe_names;
  for (const ProbeInfo& probe : probe_infos) probe_names.emplace(probe.name);
  EXPECT_EQ(definitions["probe"]["enum"].get<std::set<std::string>>(), probe_names);
  for (const ProblemField& field : problem_fields()) {
    const std::string type = definitions["problem"]["properties"][std::string(field.key)]["$ref"];
    using Kind = ProblemField::Kind;
    EXPECT_EQ(type, field.kind == Kind::word     ? "#/definitions/words"
                    : field.kind == Kind::number ? "#/definitions/numbers"
                                                 : "#/definitions/flags")
        << field.key;
  }
}

/// A document that both the loader and the schema must refuse.
struct Planted {
  const char* place;
  Json value;
};

Json small_suite() {
  return parse_json(R"({"suite": "s", "why": "w",
    "published": [{"tensors": ["o"], "dtype": "f32", "what": "max_abs", "low": 0, "high": 1,
                   "compares": "c", "source": "https://x"}],
    "cases": [{"why": "w", "tags": ["t"], "fill": ["flat"], "seed": 1,
      "problem": {"dir": "fwd", "dtype": ["f32"], "layout": "bshd", "hq": 1, "hkv": 1, "d": 8,
                  "dv": 8, "seqs": "4", "mask": "full", "dlse": false}}]})",
                    "small");
}

TEST(SuiteSchemaTest, RefusesWhatTheLoaderRefuses) {
  ASSERT_EQ(objection("suite.schema.json", small_suite()), "");
  ASSERT_EQ(complaint_about(small_suite().dump(), load_suite), "");
  const std::vector<Planted> planted{
      {"/suite", "../s"},
      {"/casses", Json::array()},
      {"/cases", Json::array()},
      {"/cases/0/why", ""},
      {"/cases/0/fil", "flat"},
      {"/cases/0/fill", "flatt"},
      {"/cases/0/fill", Json::array()},
      {"/cases/0/seed", -1},
      {"/cases/0/seed", 0.5},
      {"/cases/0/tags", "t"},
      {"/cases/0/problem/dtyp", "f32"},
      {"/cases/0/problem/dtype", 32},
      {"/cases/0/problem/hq", "1"},
      {"/cases/0/problem/hq", 0},
      {"/cases/0/problem/d", 8.5},
      {"/cases/0/problem/mask", Json::array()},
      {"/cases/0/problem/dlse", "false"},
      {"/defaults", {{"dtyp", "f32"}}},
      {"/published/0/tensors", Json::array({"oo"})},
      {"/published/0/dtype", "f23"},
      {"/published/0/high", "1"},
      {"/published/0/from", "x"},
      {"/published/0/what", "luck"},
      {"/published/0/source", "hearsay"},
      {"/published/0/compares", ""},
      {"/published/0/tensors", Json::array()},
      {"/why", ""},
      {"/cases/0/tags/0", "a b"},
  };
  for (const Planted& p : planted) {
    Json document = small_suite();
    document[Json::json_pointer(p.place)] = p.value;
    EXPECT_NE(objection("suite.schema.json", document), "") << p.place << " " << p.value;
    EXPECT_NE(complaint_about(document.dump(), load_suite), "") << p.place << " " << p.value;
  }
}

TEST(ExpectationsSchemaTest, RefusesWhatTheLoaderRefuses) {
  const Json good = {{{"match", "fill:flat"},
                      {"verdict", "crash"},
                      {"evidence", "e"},
                      {"reason", "r"},
                      {"link", "https://x"},
                      {"expires", "2027-03-31"}}};
  ASSERT_EQ(objection("expectations.schema.json", good), "");
  ASSERT_EQ(complaint_about(good.dump(), load_expectations), "");
  const std::vector<Planted> planted{
      {"/0/match", ""}, {"/0/verdict", "pass"},  {"/0/verdict", "fail"}, {"/0/evidence", ""},
      {"/0/reason", 1}, {"/0/link", "http://x"}, {"/0/expires", "soon"}, {"/0/owner", "x"},
  };
  for (const Planted& p : planted) {
    Json document = good;
    document[Json::json_pointer(p.place)] = p.value;
    EXPECT_NE(objection("expectations.schema.json", document), "") << p.place << " " << p.value;
    EXPECT_NE(complaint_about(document.dump(), load_expectations), "") << p.place;
  }
}

TEST(ExpectationsSchemaTest, NamesEveryOutcomeThatTheLoaderTakes) {
  const Json schema = read_json_file(cases_folder / "expectations.schema.json");
  std::set<std::string> outcomes;
  for (const VerdictInfo& row : verdicts) {
    if (row.verdict != Verdict::pass && row.verdict != Verdict::fail) outcomes.emplace(row.name);
  }
  for (int c = 1; c <= static_cast<int>(FailClass::out_of_bounds); ++c) {
    outcomes.insert(outcome_text(Verdict::fail, static_cast<FailClass>(c), Expected::no));
  }
  const Json& names = schema["items"]["properties"]["verdict"]["enum"];
  EXPECT_EQ(names.get<std::set<std::string>>(), outcomes);
}

}  // namespace
}  // namespace fathom
