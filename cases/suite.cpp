// SPDX-License-Identifier: Apache-2.0
#include "cases/suite.h"

#include "cases/read_file.h"
#include "harness/codec/json.h"
#include "harness/codec/tables.h"
#include "harness/core/tensor.h"
#include "harness/core/text.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <tuple>

namespace fathom {
namespace {

/// The files as they are written, before their axes are expanded.
struct CaseBlock {
  std::string why;
  std::vector<std::string> tags;
  Json problem;
  Json fill = "normal";
  Json seed = 1;
  Json probe = "plain";
};

struct SuiteFile {
  std::string suite;
  std::string why;
  std::vector<PublishedFigure> published;
  Json defaults = Json::object();
  std::vector<CaseBlock> cases;
};

}  // namespace

template <>
inline constexpr auto json_fields<CaseBlock> = std::tuple{
    Field{"why", &CaseBlock::why},
    Field{"tags", &CaseBlock::tags, Presence::optional},
    Field{"problem", &CaseBlock::problem},
    Field{"fill", &CaseBlock::fill, Presence::optional},
    Field{"seed", &CaseBlock::seed, Presence::optional},
    Field{"probe", &CaseBlock::probe, Presence::optional},
};

template <>
inline constexpr auto json_fields<SuiteFile> = std::tuple{
    Field{"suite", &SuiteFile::suite},
    Field{"why", &SuiteFile::why},
    Field{"published", &SuiteFile::published, Presence::optional},
    Field{"defaults", &SuiteFile::defaults, Presence::optional},
    Field{"cases", &SuiteFile::cases},
};

namespace {

using Setter = std::function<void(Case&, const Json& value, const std::string& path)>;

/// One thing that varies: its values, where each stands in the file, and how it enters a Case.
struct Axis {
  std::vector<const Json*> values;
  std::vector<std::string> paths;
  Setter set;
};

/// A value stands for a list of one.
Axis make_axis(const Json& json, const std::string& path, Setter set) {
  if (!json.is_array()) return {{&json}, {path}, std::move(set)};
  if (json.empty()) fail_at(path, "is an empty list; an axis needs a value");
  Axis axis{{}, {}, std::move(set)};
  for (std::size_t i = 0; i < json.size(); ++i) {
    axis.values.push_back(&json[i]);
    axis.paths.push_back(path_of_index(path, i));
  }
  return axis;
}

/// The value of a word, or a sentence that names the nearest row of its table.
template <typename Value, typename Table>
Value read_word(const Json& json, const std::string& path, const std::string& what,
                std::optional<Value> (*parse)(std::string_view), const Table& table) {
  const auto word = read_json<std::string>(json, path);
  if (const auto value = parse(word)) return *value;
  std::vector<std::string_view> names;
  for (const auto& row : table) names.push_back(row.name);
  const std::string hint = word.size() <= 64 ? did_you_mean(word, names) : "";
  fail_at(path, "unknown " + what + " " + in_quotes(word) + hint);
}

void require_problem_keys(const Json& json, std::string_view path) {
  std::vector<std::string_view> keys;
  for (const ProblemField& field : problem_fields()) keys.push_back(field.key);
  require_object(json, path, keys);
}

/// The axes of a block in the order of the field table; the last one varies fastest.
std::vector<Axis> axes_of(const CaseBlock& block, const std::string& block_path,
                          const Json& defaults, const std::string& defaults_path) {
  const std::string problem_path = path_of_key(block_path, "problem");
  require_problem_keys(block.problem, problem_path);
  std::vector<Axis> axes;
  for (const ProblemField& field : problem_fields()) {
    const bool is_own = block.problem.contains(field.key);
    const Json& source = is_own ? block.problem : defaults;
    const auto found = source.find(field.key);
    if (found == source.end()) {
      if (field.required) fail_at(problem_path, "key '" + std::string(field.key) + "' is missing");
      continue;
    }
    const std::string path = path_of_key(is_own ? problem_path : defaults_path, field.key);
    axes.push_back(make_axis(*found, path, [&field](Case& c, const Json& json, const auto& at) {
      set_from_json(c.problem, field, json, at);
    }));
  }
  axes.push_back(make_axis(block.fill, path_of_key(block_path, "fill"),
                           [](Case& c, const Json& json, const auto& at) {
                             c.fill = read_word(json, at, "fill", &parse_fill, fills);
                           }));
  axes.push_back(make_axis(block.seed, path_of_key(block_path, "seed"),
                           [](Case& c, const Json& json, const auto& at) {
                             c.seed = read_json<std::uint64_t>(json, at);
                           }));
  axes.push_back(make_axis(block.probe, path_of_key(block_path, "probe"),
                           [](Case& c, const Json& json, const auto& at) {
                             c.probe = read_word(json, at, "probe", &parse_probe_name, probe_infos);
                           }));
  return axes;
}

/// How many Cases a block expands to; refuses more than `room` without expanding anything.
Index count_cases(const std::vector<Axis>& axes, Index room, const std::string& path) {
  Index count = 1;
  for (const Axis& axis : axes) {
    const auto n = static_cast<Index>(axis.values.size());
    if (n > room / count) {
      fail_at(path, "expands to more cases than a suite may hold (" +
                        std::to_string(max_suite_cases) + ")");
    }
    count *= n;
  }
  return count;
}

/// Case number `n` of the cross product.
Case pick(const std::vector<Axis>& axes, Index n, Case c) {
  std::vector<std::size_t> choice(axes.size());
  for (std::size_t a = axes.size(); a-- > 0;) {
    const auto size = static_cast<Index>(axes[a].values.size());
    choice[a] = static_cast<std::size_t>(n % size);
    n /= size;
  }
  for (std::size_t a = 0; a < axes.size(); ++a) {
    axes[a].set(c, *axes[a].values[choice[a]], axes[a].paths[choice[a]]);
  }
  return c;
}

/// Names go into paths and queries, so they are plain words.
bool is_plain_name(std::string_view name) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789_-";
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of(letters) == std::string_view::npos;
}

void require_plain_name(const std::string& name, const std::string& path) {
  if (is_plain_name(name)) return;
  fail_at(path, "is " + in_quotes(name) + "; a name has 1 to 64 of a-z, 0-9, _ and -");
}

void require_reason(const std::string& why, const std::string& path) {
  if (trim(why).empty()) fail_at(path_of_key(path, "why"), "is empty");
}

/// Expands one block after the other and refuses a Case that is already there.
class Expander {
 public:
  Expander(const SuiteFile& file, std::string root) : file_(file), root_(std::move(root)) {}

  std::vector<Case> expand() {
    require_problem_keys(file_.defaults, path_of_key(root_, "defaults"));
    for (std::size_t i = 0; i < file_.cases.size(); ++i) {
      add_block(file_.cases[i], path_of_index(path_of_key(root_, "cases"), i));
    }
    return std::move(cases_);
  }

 private:
  void add_block(const CaseBlock& block, const std::string& path) {
    require_reason(block.why, path);
    for (std::size_t i = 0; i < block.tags.size(); ++i) {
      require_plain_name(block.tags[i], path_of_index(path_of_key(path, "tags"), i));
    }
    const auto axes = axes_of(block, path, file_.defaults, path_of_key(root_, "defaults"));
    const Index room = max_suite_cases - static_cast<Index>(cases_.size());
    const Index count = count_cases(axes, room, path);
    Case shared;
    shared.suite = file_.suite;
    shared.tags = block.tags;
    shared.why = block.why;
    for (Index n = 0; n < count; ++n) add_case(pick(axes, n, shared), path);
  }

  void add_case(Case c, const std::string& path) {
    const std::string problem_path = path_of_key(path, "problem");
    if (const auto reason = why_invalid(c.problem)) {
      fail_at(problem_path, *reason + " (in: " + to_string(c.problem).substr(0, 300) + ")");
    }
    const auto [first, is_new] = seen_.emplace(to_string(c), path);
    if (!is_new) {
      fail_at(path, "holds a case that " + first->second.substr(root_.size() + 1) +
                        " has already: " + first->first.substr(0, 300));
    }
    cases_.push_back(std::move(c));
  }

  const SuiteFile& file_;
  std::string root_;  ///< Path of the whole file, "x.json:".
  std::vector<Case> cases_;
  std::map<std::string, std::string> seen_;  ///< Text of each Case -> path of its block.
};

std::optional<std::string> why_wrong(const PublishedFigure& figure) {
  for (const std::string& tensor : figure.tensors) {
    if (!parse_tensor_name(tensor)) return "unknown tensor " + in_quotes(tensor);
  }
  if (figure.tensors.empty()) return "names no tensor";
  if (!parse_dtype(figure.dtype)) return "unknown dtype " + in_quotes(figure.dtype);
  constexpr std::array<std::string_view, 4> metrics{"max_abs", "max_rel", "rel_f", "nmse"};
  if (std::ranges::find(metrics, figure.what) == metrics.end()) {
    return "unknown metric " + in_quotes(figure.what);
  }
  if (!(figure.low <= figure.high)) return "low is above high";
  if (trim(figure.compares).empty()) return "does not say what it compares";
  if (!figure.source.starts_with("https://")) return "gives no https:// source";
  return std::nullopt;
}

void check_published(const std::vector<PublishedFigure>& figures, const std::string& path) {
  for (std::size_t i = 0; i < figures.size(); ++i) {
    if (const auto reason = why_wrong(figures[i])) fail_at(path_of_index(path, i), *reason);
  }
}

}  // namespace

Suite load_suite(const std::filesystem::path& path) {
  const std::string root = path.string() + ":";
  const Json json = read_json_file(path);
  const auto file = read_json<SuiteFile>(json, root);
  require_plain_name(file.suite, path_of_key(root, "suite"));
  require_reason(file.why, root);
  if (file.cases.empty()) fail_at(path_of_key(root, "cases"), "is empty");
  check_published(file.published, path_of_key(root, "published"));
  return {file.suite, file.why, file.published, Expander(file, root).expand()};
}

}  // namespace fathom
