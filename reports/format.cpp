// SPDX-License-Identifier: Apache-2.0
#include "reports/format.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>
#include <string_view>

namespace fathom {
namespace {

struct Unit {
  double size;
  std::string_view name;
};

constexpr std::array times{Unit{1, "ns"}, Unit{1e3, "us"}, Unit{1e6, "ms"}, Unit{1e9, "s"}};
constexpr std::array sizes{Unit{1, "B"}, Unit{0x1p10, "KiB"}, Unit{0x1p20, "MiB"},
                           Unit{0x1p30, "GiB"}, Unit{0x1p40, "TiB"}};
constexpr std::array flops{Unit{1, "FLOP/s"}, Unit{1e3, "kFLOP/s"}, Unit{1e6, "MFLOP/s"},
                           Unit{1e9, "GFLOP/s"}, Unit{1e12, "TFLOP/s"}};
constexpr std::array traffic{Unit{1, "B/s"}, Unit{1e3, "kB/s"}, Unit{1e6, "MB/s"},
                             Unit{1e9, "GB/s"}, Unit{1e12, "TB/s"}};

/// Three significant digits, without an exponent for values of 1 to 9999.
std::string three_digits(double value) {
  const double size = std::abs(value);
  if (size >= 100) return fmt::format("{:.0f}", value);
  if (size >= 10) return fmt::format("{:.1f}", value);
  return fmt::format("{:.3g}", value);
}

std::string with_unit(double value, std::span<const Unit> units) {
  if (!std::isfinite(value)) return format_number(value);
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (std::abs(value) >= unit.size) best = &unit;
  }
  return three_digits(value / best->size) + " " + std::string(best->name);
}

}  // namespace

std::string format_time(double nanoseconds) {
  return with_unit(nanoseconds, times);
}
std::string format_bytes(double bytes) {
  return with_unit(bytes, sizes);
}
std::string format_flops(double per_second) {
  return with_unit(per_second, flops);
}
std::string format_traffic(double per_second) {
  return with_unit(per_second, traffic);
}

std::string format_number(double value) {
  return fmt::format("{:.3g}", value);
}
std::string format_number(std::optional<double> value) {
  return value ? format_number(*value) : std::string("–");
}

std::string format_count(Index count) {
  std::string text = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > (count < 0 ? 1 : 0); at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

}  // namespace fathom
