// SPDX-License-Identifier: Apache-2.0
#include "harness/codec/json.h"

#include "harness/codec/tables.h"
#include "harness/core/error.h"
#include "harness/core/text.h"

namespace fathom {
namespace {

using Kind = ProblemField::Kind;

/// Longest text of one field; a longer one is refused before anything parses it.
constexpr std::size_t max_field_text = 64 << 10;

Json to_typed(Kind kind, const std::string& text) {
  if (kind == Kind::flag) return text == "true";
  if (kind == Kind::word) return write_json(text);
  if (const auto whole = parse_index(text)) return *whole;
  if (const auto number = parse_double(text)) return *number;
  return text;
}

/// The text form of a JSON value of the given kind.
std::string to_field_text(Kind kind, const Json& json, std::string_view path) {
  if (kind == Kind::flag) return read_json<bool>(json, path) ? "true" : "false";
  if (kind == Kind::number) {
    if (!json.is_number()) fail_at(path, "must be a number, not " + kind_of(json));
    return json.dump();
  }
  auto text = read_json<std::string>(json, path);
  if (text.size() > max_field_text) {
    fail_at(path,
            std::to_string(text.size()) + " bytes; the limit is " + std::to_string(max_field_text));
  }
  return text;
}

/// Calls a field's setter; its complaint gets the key path, cut and cleaned of control characters.
template <typename Value>
void set_field(void (*set)(Value&, std::string_view), Value& value, const std::string& text,
               std::string_view path) {
  try {
    set(value, text);
  } catch (const DataError& error) {
    std::string sentence = error.what();
    constexpr std::size_t longest = 400;
    if (sentence.size() > longest) sentence = sentence.substr(0, longest) + "...";
    for (char& c : sentence) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte >= 0x7f) c = '?';
    }
    fail_at(path, sentence);
  }
}

template <typename Fields>
std::vector<std::string_view> keys_of(const Fields& fields) {
  std::vector<std::string_view> keys;
  for (const auto& field : fields) keys.push_back(field.key);
  return keys;
}

/// An Arithmetic field is a number where its default is one.
Kind kind_of_field(const ArithmeticField& field) {
  static const Arithmetic defaults;
  return parse_double(field.get(defaults)) ? Kind::number : Kind::word;
}

}  // namespace

Json problem_to_json(const Problem& problem) {
  Json json = Json::object();
  for (const ProblemField& field : problem_fields()) {
    json[std::string(field.key)] = to_typed(field.kind, field.get(problem));
  }
  return json;
}

Problem problem_from_json(const Json& json, std::string_view path) {
  require_object(json, path, keys_of(problem_fields()));
  Problem problem;
  for (const ProblemField& field : problem_fields()) {
    const auto found = json.find(field.key);
    if (found == json.end()) {
      if (field.required) fail_at(path, "key '" + std::string(field.key) + "' is missing");
      continue;
    }
    set_from_json(problem, field, *found, path_of_key(path, field.key));
  }
  if (const auto reason = why_invalid(problem)) fail_at(path, *reason);
  return problem;
}

void set_from_json(Problem& problem, const ProblemField& field, const Json& json,
                   std::string_view path) {
  set_field(field.set, problem, to_field_text(field.kind, json, path), path);
}

Json arithmetic_to_json(const Arithmetic& arithmetic) {
  Json json = Json::object();
  for (const ArithmeticField& field : arithmetic_fields()) {
    json[std::string(field.key)] = to_typed(kind_of_field(field), field.get(arithmetic));
  }
  return json;
}

Arithmetic arithmetic_from_json(const Json& json, std::string_view path) {
  require_object(json, path, keys_of(arithmetic_fields()));
  Arithmetic arithmetic;
  for (const ArithmeticField& field : arithmetic_fields()) {
    const auto found = json.find(field.key);
    if (found == json.end()) continue;
    const std::string at = path_of_key(path, field.key);
    set_field(field.set, arithmetic, to_field_text(kind_of_field(field), *found, at), at);
  }
  return arithmetic;
}

Json planned_to_json(const PlannedCase& planned) {
  return write_json(planned);
}
PlannedCase planned_from_json(const Json& json, std::string_view path) {
  return read_json<PlannedCase>(json, path);
}

Json record_to_json(const Record& record) {
  return write_json(record);
}
Record record_from_json(const Json& json, std::string_view path) {
  return read_json<Record>(json, path);
}

Json backend_status_to_json(const BackendStatus& status) {
  return write_json(status);
}
BackendStatus backend_status_from_json(const Json& json, std::string_view path) {
  return read_json<BackendStatus>(json, path);
}

Json report_to_json(const Report& report) {
  return write_json(report);
}
Report report_from_json(const Json& json, std::string_view path) {
  return read_json<Report>(json, path);
}

}  // namespace fathom
