// SPDX-License-Identifier: Apache-2.0
#include "harness/codec/fields.h"

#include "harness/core/error.h"
#include "harness/core/text.h"

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

/// A key as a step of a path: as it stands if it is plain, else quoted and escaped.
std::string step(std::string_view key) {
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == ':';
  };
  const bool plain = !key.empty() && key.size() <= 64 && std::ranges::all_of(key, is_plain);
  return plain ? std::string(key) : in_quotes(key);
}

[[noreturn]] void wrong_kind(const Json& json, std::string_view path, std::string_view want) {
  fail_at(path, "must be " + std::string(want) + ", not " + kind_of(json));
}

}  // namespace

std::string path_of_key(std::string_view path, std::string_view key) {
  if (path.empty()) return step(key);
  return std::string(path) + (path.ends_with(':') ? " " : ".") + step(key);
}

std::string path_of_index(std::string_view path, std::size_t index) {
  return std::string(path) + (path.ends_with(':') ? " [" : "[") + std::to_string(index) + "]";
}

void fail_at(std::string_view path, const std::string& sentence) {
  if (path.empty()) throw DataError(sentence);
  throw DataError(std::string(path) + (path.ends_with(':') ? " " : ": ") + sentence);
}

std::string kind_of(const Json& json) {
  switch (json.type()) {
    case Json::value_t::null: return "null";
    case Json::value_t::boolean: return json.get<bool>() ? "true" : "false";
    case Json::value_t::object: return "an object";
    case Json::value_t::array: return "an array";
    case Json::value_t::string:
      return "the string " + in_quotes(json.get_ref<const std::string&>());
    default: return "the number " + json.dump();
  }
}

void require_object(const Json& json, std::string_view path,
                    const std::vector<std::string_view>& known) {
  if (!json.is_object()) wrong_kind(json, path, "an object");
  for (const auto& [key, value] : json.items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    const std::string hint = key.size() <= 64 ? did_you_mean(key, known) : "";
    fail_at(path, "unknown key " + in_quotes(key) + hint);
  }
}

void require_array(const Json& json, std::string_view path) {
  if (!json.is_array()) wrong_kind(json, path, "an array");
}

Json number_to_json(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

double number_from_json(const Json& json) {
  return JsonForm<double>::read(json, "");
}

bool JsonForm<bool>::read(const Json& json, std::string_view path) {
  if (!json.is_boolean()) wrong_kind(json, path, "true or false");
  return json.get<bool>();
}

double JsonForm<double>::read(const Json& json, std::string_view path) {
  if (json.is_number()) return json.get<double>();
  if (json == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (json == "inf") return std::numeric_limits<double>::infinity();
  if (json == "-inf") return -std::numeric_limits<double>::infinity();
  wrong_kind(json, path, "a number, or \"nan\", \"inf\", \"-inf\"");
}

Json JsonForm<std::string>::write(const std::string& value) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::ranges::all_of(value, is_ascii)) return value;
  return Json::parse(Json(value).dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string JsonForm<std::string>::read(const Json& json, std::string_view path) {
  if (!json.is_string()) wrong_kind(json, path, "a string");
  return json.get<std::string>();
}

std::uint64_t JsonForm<std::uint64_t>::read(const Json& json, std::string_view path) {
  const bool negative =
      json.is_number_integer() && !json.is_number_unsigned() && json.get<std::int64_t>() < 0;
  if (!json.is_number_integer() || negative)
    wrong_kind(json, path, "a whole number from 0 to 2^64-1");
  return json.get<std::uint64_t>();
}

Index read_index(const Json& json, std::string_view path, Index lowest, Index highest) {
  const bool too_large =
      json.is_number_unsigned() &&
      json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  const bool fits = json.is_number_integer() && !too_large && json.get<Index>() >= lowest &&
                    json.get<Index>() <= highest;
  if (!fits) {
    wrong_kind(json, path,
               "a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest));
  }
  return json.get<Index>();
}

}  // namespace fathom
