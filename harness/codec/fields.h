// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/codec/parse.h"
#include "harness/core/types.h"

#include <nlohmann/json.hpp>

#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

// One table of fields per struct serves both directions: write_json(value) and
// read_json<T>(json, path). Reading is strict: a wrong type, an unknown key or a missing key throws
// DataError with the key path. A path that ends with ':' is the name of a source: "smoke.json:".

namespace fathom {

enum class Presence : std::uint8_t {
  required,
  optional,  ///< May be absent when read; the member then keeps its default. Always written.
};

/// One row of the table behind a struct's JSON form.
template <typename Struct, typename Member>
struct Field {
  std::string_view key;
  Member Struct::*member;
  Presence presence = Presence::required;
};
template <typename Struct, typename Member>
Field(std::string_view, Member Struct::*) -> Field<Struct, Member>;
template <typename Struct, typename Member>
Field(std::string_view, Member Struct::*, Presence) -> Field<Struct, Member>;

/// The field table of T: specialise it with a std::tuple of Fields.
template <typename T>
inline constexpr std::nullptr_t json_fields = nullptr;

template <typename T>
concept HasJsonFields = !std::same_as<decltype(json_fields<T>), const std::nullptr_t>;

/// The inverse of to_string for an enumeration that travels as a word: specialise it with a
/// function from std::string_view to std::optional<E>.
template <typename E>
inline constexpr std::nullptr_t word_parser = nullptr;

/// `path.key`, `path[index]`, `path: sentence`.
std::string path_of_key(std::string_view path, std::string_view key);
std::string path_of_index(std::string_view path, std::size_t index);
[[noreturn]] void fail_at(std::string_view path, const std::string& sentence);

/// The words for a message: "a string", "an object", ...
std::string kind_of(const Json& json);

/// Throws unless `json` is an object whose keys are all in `known`.
void require_object(const Json& json, std::string_view path,
                    const std::vector<std::string_view>& known);
void require_array(const Json& json, std::string_view path);

/// Non-finite doubles travel as the strings "nan", "inf", "-inf", because JSON has no word for
/// them.
Json number_to_json(double value);
/// Throws DataError if the JSON is neither a number nor one of these strings.
double number_from_json(const Json& json);

/// How T looks in JSON; specialised below for every kind of member.
template <typename T>
struct JsonForm;

template <typename T>
Json write_json(const T& value) {
  return JsonForm<T>::write(value);
}

template <typename T>
T read_json(const Json& json, std::string_view path) {
  return JsonForm<T>::read(json, path);
}

template <>
struct JsonForm<Json> {
  static Json write(const Json& value) { return value; }
  static Json read(const Json& json, std::string_view /*path*/) { return json; }
};

template <>
struct JsonForm<bool> {
  static Json write(bool value) { return value; }
  static bool read(const Json& json, std::string_view path);
};

template <>
struct JsonForm<double> {
  static Json write(double value) { return number_to_json(value); }
  static double read(const Json& json, std::string_view path);
};

template <>
struct JsonForm<std::string> {
  static Json write(const std::string& value);  ///< Bad UTF-8 becomes U+FFFD.
  static std::string read(const Json& json, std::string_view path);
};

template <>
struct JsonForm<std::uint64_t> {
  static Json write(std::uint64_t value) { return value; }
  static std::uint64_t read(const Json& json, std::string_view path);
};

/// A whole number from lowest to highest.
Index read_index(const Json& json, std::string_view path, Index lowest, Index highest);

template <std::signed_integral T>
struct JsonForm<T> {
  static Json write(T value) { return value; }
  static T read(const Json& json, std::string_view path) {
    using Limits = std::numeric_limits<T>;
    return static_cast<T>(read_index(json, path, Limits::min(), Limits::max()));
  }
};

template <typename E>
requires std::is_enum_v<E>
struct JsonForm<E> {
  static Json write(E value) { return std::string(to_string(value)); }
  static E read(const Json& json, std::string_view path) {
    const auto word = read_json<std::string>(json, path);
    const std::optional<E> value = word_parser<E>(word);
    if (!value) fail_at(path, "unknown word " + in_quotes(word));
    return *value;
  }
};

template <typename T>
struct JsonForm<std::optional<T>> {
  static Json write(const std::optional<T>& value) { return value ? write_json(*value) : Json(); }
  static std::optional<T> read(const Json& json, std::string_view path) {
    if (json.is_null()) return std::nullopt;
    return read_json<T>(json, path);
  }
};

template <typename T>
struct JsonForm<std::vector<T>> {
  static Json write(const std::vector<T>& values) {
    Json json = Json::array();
    for (const T& value : values) json.push_back(write_json(value));
    return json;
  }
  static std::vector<T> read(const Json& json, std::string_view path) {
    require_array(json, path);
    std::vector<T> values;
    for (std::size_t i = 0; i < json.size(); ++i) {
      values.push_back(read_json<T>(json[i], path_of_index(path, i)));
    }
    return values;
  }
};

template <typename T, std::size_t n>
struct JsonForm<std::array<T, n>> {
  static Json write(const std::array<T, n>& values) {
    return write_json(std::vector<T>(values.begin(), values.end()));
  }
  static std::array<T, n> read(const Json& json, std::string_view path) {
    const auto list = read_json<std::vector<T>>(json, path);
    if (list.size() != n) {
      fail_at(path, std::to_string(list.size()) + " values; there must be " + std::to_string(n));
    }
    std::array<T, n> values;
    std::copy(list.begin(), list.end(), values.begin());
    return values;
  }
};

template <typename T>
struct JsonForm<std::map<std::string, T>> {
  static Json write(const std::map<std::string, T>& values) {
    Json json = Json::object();
    for (const auto& [key, value] : values) {
      json[write_json(key).template get<std::string>()] = write_json(value);
    }
    return json;
  }
  static std::map<std::string, T> read(const Json& json, std::string_view path) {
    if (!json.is_object()) fail_at(path, "must be an object, not " + kind_of(json));
    std::map<std::string, T> values;
    for (const auto& [key, value] : json.items()) {
      values.emplace(key, read_json<T>(value, path_of_key(path, key)));
    }
    return values;
  }
};

/// Reads one member; absent keys are an error unless the field is optional.
template <typename Struct, typename Member>
void read_field(const Json& json, std::string_view path, const Field<Struct, Member>& field,
                Struct& value) {
  const auto found = json.find(field.key);
  if (found != json.end()) {
    value.*field.member = read_json<Member>(*found, path_of_key(path, field.key));
  } else if (field.presence == Presence::required) {
    fail_at(path, "key '" + std::string(field.key) + "' is missing");
  }
}

template <HasJsonFields T>
struct JsonForm<T> {
  static Json write(const T& value) {
    Json json = Json::object();
    const auto write_all = [&](const auto&... field) {
      ((json[std::string(field.key)] = write_json(value.*field.member)), ...);
    };
    std::apply(write_all, json_fields<T>);
    return json;
  }
  static T read(const Json& json, std::string_view path) {
    T value;
    const auto read_all = [&](const auto&... field) {
      require_object(json, path, {field.key...});
      (read_field(json, path, field, value), ...);
    };
    std::apply(read_all, json_fields<T>);
    return value;
  }
};

}  // namespace fathom
