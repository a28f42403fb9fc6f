// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/codec/tables.h"

#include <rapidcheck.h>

#include <array>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

// Random values of every struct that has a field table, drawn through that very table, so that a
// new member is covered by the tests as soon as it has a row. For use inside a RapidCheck property.

namespace fathom::random_value {

template <typename T>
struct Draw;

template <typename T>
T draw() {
  return Draw<T>::value();
}

inline std::size_t small_count() {
  return *rc::gen::inRange<std::size_t>(0, 4);
}

template <>
struct Draw<bool> {
  static bool value() { return *rc::gen::arbitrary<bool>(); }
};

template <std::integral T>
struct Draw<T> {
  static T value() {
    using Limits = std::numeric_limits<T>;
    return *rc::gen::oneOf(rc::gen::arbitrary<T>(),
                           rc::gen::element<T>(0, 1, Limits::min(), Limits::max()));
  }
};

template <>
struct Draw<double> {
  static double value() {
    using Limits = std::numeric_limits<double>;
    return *rc::gen::oneOf(
        rc::gen::arbitrary<double>(),
        rc::gen::element(0.0, -0.0, 1.0, 0.1, 1e15, 1e16, 1e17, 9007199254740993.0,
                         Limits::denorm_min(), Limits::min(), Limits::max(), Limits::lowest(),
                         Limits::infinity(), -Limits::infinity()));
  }
};

template <>
struct Draw<std::string> {
  static std::string value() {
    return *rc::gen::oneOf(rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127)),
                           rc::gen::element<std::string>("", "pass", "é\u202e\u2028", "</script>",
                                                         "a\"b\\c\n\x1b[0m", "null", "nan", "😀"));
  }
};

/// The last enumerator of an enumeration without holes.
template <typename E>
inline constexpr E last_of = E{};
template <>
inline constexpr Fill last_of<Fill> = Fill::p_one;
template <>
inline constexpr ProbeName last_of<ProbeName> = ProbeName::conventions;
template <>
inline constexpr Verdict last_of<Verdict> = Verdict::error;
template <>
inline constexpr FailClass last_of<FailClass> = FailClass::out_of_bounds;
template <>
inline constexpr Expected last_of<Expected> = Expected::unexpected_pass;
template <>
inline constexpr Axis last_of<Axis> = Axis::stale;
template <>
inline constexpr Direction last_of<Direction> = Direction::fwd_bwd;
template <>
inline constexpr Dtype last_of<Dtype> = Dtype::bf16;
template <>
inline constexpr Layout last_of<Layout> = Layout::thd;
template <>
inline constexpr LseRequest last_of<LseRequest> = LseRequest::required;
template <>
inline constexpr Rounding last_of<Rounding> = Rounding::rna;
template <>
inline constexpr Accumulator last_of<Accumulator> = Accumulator::tf32x3;
template <>
inline constexpr DeltaSource last_of<DeltaSource> = DeltaSource::fp32;
template <>
inline constexpr EmptyRowLse last_of<EmptyRowLse> = EmptyRowLse::zero;

template <typename E>
requires std::is_enum_v<E>
struct Draw<E> {
  static E value() {
    static_assert(last_of<E> != E{}, "name the last enumerator above");
    return static_cast<E>(*rc::gen::inRange(0, static_cast<int>(last_of<E>) + 1));
  }
};

template <typename T>
struct Draw<std::optional<T>> {
  static std::optional<T> value() {
    if (draw<bool>()) return std::nullopt;
    return draw<T>();
  }
};

template <typename T>
struct Draw<std::vector<T>> {
  static std::vector<T> value() {
    std::vector<T> values(small_count());
    for (T& v : values) v = draw<T>();
    return values;
  }
};

template <typename T, std::size_t n>
struct Draw<std::array<T, n>> {
  static std::array<T, n> value() {
    std::array<T, n> values;
    for (T& v : values) v = draw<T>();
    return values;
  }
};

template <typename T>
struct Draw<std::map<std::string, T>> {
  static std::map<std::string, T> value() {
    std::map<std::string, T> values;
    for (std::size_t i = small_count(); i > 0; --i) values.emplace(draw<std::string>(), draw<T>());
    return values;
  }
};

template <HasJsonFields T>
struct Draw<T> {
  static T value() {
    T value;
    const auto draw_member = [&]<typename Member>(const Field<T, Member>& field) {
      value.*field.member = draw<Member>();
    };
    std::apply([&](const auto&... field) { (draw_member(field), ...); }, json_fields<T>);
    return value;
  }
};

inline Index index(Index lowest, Index highest) {
  return *rc::gen::inRange<Index>(lowest, highest + 1);
}

template <>
struct Draw<MaskTerm> {
  static MaskTerm value() {
    switch (index(0, 3)) {
      case 0: return Causal{draw<bool>() ? Corner::top_left : Corner::bottom_right};
      case 1: return Window{index(-1, 9), index(-1, 9)};
      case 2: return PrefixLm{};
      default: return Document{std::vector<Index>(small_count() + 1, index(1, 9))};
    }
  }
};

template <>
struct Draw<Problem> {
  static Problem value() {
    Problem p;
    p.direction = draw<Direction>();
    p.dtype = draw<Dtype>();
    p.layout = draw<Layout>();
    p.kv_heads = index(1, 5);
    p.query_heads = p.kv_heads * index(1, 5);
    p.head_dim = index(1, 300);
    p.value_dim = index(1, 300);
    p.mask.terms = draw<std::vector<MaskTerm>>();
    p.sequences.resize(1 + small_count());
    const Sequence same = sequence(p);
    for (Sequence& s : p.sequences) s = p.layout == Layout::thd ? sequence(p) : same;
    if (draw<bool>()) p.softmax_scale = *rc::gen::element(0.0, 0.125, -1.5, 1e-300, 1.0 / 3.0);
    p.lse = draw<LseRequest>();
    p.lse_cotangent = has_backward(p) && draw<bool>();
    p.deterministic = draw<bool>();
    return p;
  }
  static Sequence sequence(const Problem& p) {
    const Index keys = index(0, 200);
    return {index(0, 200), keys, has<PrefixLm>(p.mask) ? index(0, keys) : 0};
  }
};

template <>
struct Draw<Arithmetic> {
  static Arithmetic value() {
    Arithmetic a;
    a.p_dtype = draw<Dtype>();
    a.p_round = draw<Rounding>();
    a.out_round = draw<Rounding>();
    a.acc = draw<Accumulator>();
    a.grad_acc = draw<Accumulator>();
    a.ds_dtype = draw<Dtype>();
    a.delta_src = draw<DeltaSource>();
    a.split_partial = draw<Dtype>();
    a.exp_rel = *rc::gen::element(0.0, 5.4e-5, 1.0 / 3.0, 1.0);
    a.empty_row_lse = draw<EmptyRowLse>();
    a.block_m = static_cast<int>(index(1, 300));
    a.block_n = static_cast<int>(index(1, 300));
    a.link = draw<std::string>();
    return a;
  }
};

}  // namespace fathom::random_value
