// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/conventions.h"

#include "harness/probes/mask_matrix.h"
#include "harness/probes/numbers.h"
#include "harness/probes/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace fathom::conventions_probe {
namespace {

std::vector<Question> make_questions() {
  std::vector<Question> questions{{Mask{}, {5, 5}}};
  for (const Corner corner : {Corner::bottom_right, Corner::top_left}) {
    for (const Sequence& s : {Sequence{2, 5}, Sequence{5, 2}, Sequence{1, 7}, Sequence{113, 203}}) {
      questions.push_back({causal(corner), s});
    }
  }
  for (const Mask& mask : {window(2, 0), window(2, 1), window(2, -1), window(-1, 1), window(-1, 0),
                           window(0, -1), window(0, 0)}) {
    questions.push_back({mask, {7, 7}});
  }
  questions.push_back({window(2, 1), {5, 9}});
  questions.push_back({window(2, -1), {9, 5}});
  questions.push_back({Mask{{Causal{}, Window{2, -1}}}, {7, 7}});
  questions.push_back({Mask{{PrefixLm{}}}, {7, 7, 3}});
  questions.push_back({Mask{{Document{{3, 4}}}}, {7, 7}});
  return questions;
}

const std::vector<Question>& questions() {
  static const std::vector<Question> all = make_questions();
  return all;
}

std::string lengths_text(const Sequence& s) {
  const std::string prefix = s.prefix_length == 0 ? "" : fmt::format("p{}", s.prefix_length);
  return fmt::format("{}x{}{}", s.query_length, s.key_length, prefix);
}

std::string text_of(const Question& question) {
  return fmt::format("{} {}", to_string(question.mask), lengths_text(question.lengths));
}

Problem forward(const Case& c, const Mask& mask, const Sequence& lengths) {
  Problem problem = c.problem;
  problem.direction = Direction::fwd;
  problem.lse_cotangent = false;
  problem.deterministic = false;
  problem.softmax_scale.reset();
  problem.lse = problem.lse == LseRequest::no ? LseRequest::wanted : problem.lse;
  problem.mask = mask;
  problem.sequences = {lengths};
  return problem;
}

void add_question(const Case& c, const Question& question, std::vector<Trial>& all) {
  for (Index block = 0; block < block_count(c.problem, question); ++block) {
    Trial trial{.label = text_of(question), .c = c, .oracle = false};
    trial.c.problem = forward(c, question.mask, question.lengths);
    trial.edit = [first = block * c.problem.value_dim](const Problem& problem, TensorSet& inputs) {
      one_block(problem, inputs, first);
    };
    all.push_back(std::move(trial));
  }
}

struct Discovery {
  std::vector<Finding> findings;
  std::map<std::string, std::string> answers;
};

void disagree(Discovery& discovery, const std::string& what, const std::string& sentence) {
  Finding finding;
  finding.check = "probe.conventions." + what;
  finding.fail_class = FailClass::contract;
  finding.message = sentence;
  discovery.findings.push_back(std::move(finding));
}

/// ` by dense_mask`, where another lowering than the native one answered.
std::string how(const Outcome& outcome) {
  const std::size_t slash = outcome.answered_by.find('/');
  return slash == std::string::npos ? "" : " by " + outcome.answered_by.substr(slash + 1);
}

void judge_question(const Question& question, std::span<const Outcome> blocks,
                    Discovery& discovery) {
  const std::string text = text_of(question);
  std::string& answer = discovery.answers[text];
  const auto refused = std::find_if(blocks.begin(), blocks.end(),
                                    [](const Outcome& outcome) { return !outcome.observation; });
  if (refused != blocks.end()) {
    answer = "refused: " + refused->refusal_code;
    return;
  }
  const Problem& problem = blocks[0].observation->c.problem;
  const Matrix want = matrix_of(question.mask, question.lengths);
  for (Index head = 0; head < problem.query_heads; ++head) {
    const Matrix got = read_matrix(blocks, question.lengths, head);
    const std::string name = name_of(got, question);
    if (head == 0) answer = name + how(blocks[0]);
    if (got == want) continue;
    if (head != 0) answer += fmt::format(", head {}: {}", head, name);
    disagree(discovery, "mask",
             fmt::format("asked for {}, head {} answers as {} ({})", text, head, name,
                         first_disagreement(got, want)));
    return;
  }
}

constexpr std::string_view scale_label = "default scale";
constexpr std::string_view layout_label = "LSE layout";
const Sequence scale_lengths{1, 2};
const Sequence layout_lengths{3, 4};
constexpr Index layout_sequences = 2;

/// The query meets the first of two keys with q.k = 8, the second with 0; V tells their weights.
constexpr double scale_product = 8;

void pose_scale(const Problem& problem, TensorSet& inputs) {
  for (const TensorName name : {TensorName::q, TensorName::k, TensorName::v}) {
    probing::fill_with(problem, inputs, name, 0);
  }
  const auto width = static_cast<std::size_t>(problem.head_dim);
  std::vector<double> row(width);
  row[0] = 1;
  for_each_place(problem, TensorName::q,
                 [&](RowPlace place) { write_row(problem, inputs.at(TensorName::q), place, row); });
  row[0] = scale_product;
  std::vector<double> one(static_cast<std::size_t>(problem.value_dim), 1);
  for (Index head = 0; head < problem.kv_heads; ++head) {
    write_row(problem, inputs.at(TensorName::k), {0, head, 0}, row);
    write_row(problem, inputs.at(TensorName::v), {0, head, 0}, one);
  }
}

/// Row r of all LSE rows, counted by sequence, head, query, has the score r in every key.
void pose_layout(const Problem& problem, TensorSet& inputs) {
  const auto width = static_cast<std::size_t>(problem.head_dim);
  double index = 0;
  std::vector<double> row(width);
  for_each_place(problem, TensorName::q, [&](RowPlace place) {
    row[0] = index++;
    write_row(problem, inputs.at(TensorName::q), place, row);
  });
  row[0] = 1;
  for_each_place(problem, TensorName::k,
                 [&](RowPlace place) { write_row(problem, inputs.at(TensorName::k), place, row); });
}

Trial scale_trial(const Case& c) {
  Trial trial{.label = std::string(scale_label), .c = c, .edit = pose_scale, .oracle = false};
  trial.c.problem = forward(c, Mask{}, scale_lengths);
  return trial;
}

Trial layout_trial(const Case& c) {
  Trial trial{.label = std::string(layout_label), .c = c, .edit = pose_layout, .oracle = false};
  trial.c.problem = forward(c, Mask{}, layout_lengths);
  trial.c.problem.softmax_scale = 1;
  trial.c.problem.sequences.assign(layout_sequences, layout_lengths);
  return trial;
}

void judge_scale(const Outcome& outcome, Discovery& discovery) {
  std::string& answer = discovery.answers[std::string(scale_label)];
  if (!outcome.observation) {
    answer = "refused: " + outcome.refusal_code;
    return;
  }
  const Problem& problem = outcome.observation->c.problem;
  const Tensor& o = outcome.observation->outputs.at(TensorName::o).tensor;
  const double weight = read_row(problem, o, {0, 0, 0})[0];
  const double scale = std::log(weight / (1 - weight)) / scale_product;
  const double want = 1 / std::sqrt(static_cast<double>(problem.head_dim));
  // The weight carries one rounding, which the slope of the logistic function makes larger.
  const double blur = 8 * unit_roundoff(problem.dtype) / (1 - weight) / scale_product;
  if (std::abs(scale - want) <= std::max(blur, 1e-5)) {
    answer = "1/sqrt(d)";
    return;
  }
  answer = fmt::format("{:.4g}", scale);
  disagree(discovery, "scale",
           fmt::format("the default scale is {:.4g}, not 1/sqrt({}) = {:.4g}", scale,
                       problem.head_dim, want));
}

bool gives_lse(const Outcome& outcome) {
  if (!outcome.observation) return false;
  const std::vector<TensorName> given = given_outputs(outcome);
  return std::find(given.begin(), given.end(), TensorName::lse) != given.end();
}

bool near(double a, double b) {
  return std::abs(a - b) <= 1e-3 * std::max(1.0, std::abs(b));
}

/// Five equal scores of 0: the LSE is log 5 to some base.
void judge_base(const Outcome& full, Discovery& discovery) {
  std::string& answer = discovery.answers["LSE base"];
  const Problem& problem = full.observation->c.problem;
  const Tensor& tensor = full.observation->outputs.at(TensorName::lse).tensor;
  const double lse = read_row(problem, tensor, {0, 0, 0})[0];
  const auto keys = static_cast<double>(problem.sequences[0].key_length);
  if (near(lse, std::log(keys))) {
    answer = "ln";
    return;
  }
  answer = near(lse, std::log2(keys))    ? "log2"
           : near(lse, std::log10(keys)) ? "log10"
                                         : fmt::format("unknown: {:g} for {} keys", lse, keys);
  disagree(discovery, "lse_base",
           fmt::format("the LSE of {} equal scores is {:g} ({}), not ln {} = {:.4g}", keys, lse,
                       answer, keys, std::log(keys)));
}

/// An order of (sequence, head, query) in memory, by the strides of the three.
struct Order {
  std::string_view name;
  std::array<Index, 3> strides;
};

std::vector<Order> orders_of(const Problem& problem) {
  const Index b = layout_sequences;
  const Index h = problem.query_heads;
  const Index s = layout_lengths.query_length;
  const std::array all{Order{"(B,H,S)", {h * s, s, 1}}, Order{"(H,T)", {s, b * s, 1}},
                       Order{"(B,S,H)", {s * h, 1, h}}, Order{"(S,B,H)", {h, 1, b * h}},
                       Order{"(S,H,B)", {1, b, h * b}}, Order{"(H,S,B)", {1, s * b, b}}};
  std::vector<Order> orders(all.begin(), all.end());
  if (problem.layout == Layout::thd) {
    std::swap(orders[0], orders[1]);
    orders[2].name = "(T,H)";
  }
  return orders;
}

/// Whether scores 0, 1, 2, ... come back where the order says.
bool follows(const Order& order, const std::vector<double>& lse, const Problem& problem) {
  const double keys = std::log(static_cast<double>(layout_lengths.key_length));
  double index = 0;
  for (Index b = 0; b < layout_sequences; ++b) {
    for (Index h = 0; h < problem.query_heads; ++h) {
      for (Index s = 0; s < layout_lengths.query_length; ++s) {
        const auto at = static_cast<std::size_t>(b * order.strides[0] + h * order.strides[1] +
                                                 s * order.strides[2]);
        if (std::abs(lse[at] - (index++ + keys)) > 0.1) return false;
      }
    }
  }
  return true;
}

void judge_layout(const Outcome& outcome, Discovery& discovery) {
  std::string& answer = discovery.answers[std::string(layout_label)];
  if (!gives_lse(outcome)) {
    answer = outcome.observation ? "not given" : "refused: " + outcome.refusal_code;
    return;
  }
  const Problem& problem = outcome.observation->c.problem;
  const Tensor& tensor = outcome.observation->outputs.at(TensorName::lse).tensor;
  std::vector<double> lse(static_cast<std::size_t>(element_count(tensor.spec)));
  decode(tensor.spec.dtype, tensor.bytes, lse);
  const std::vector<Order> orders = orders_of(problem);
  const auto found = std::find_if(orders.begin(), orders.end(),
                                  [&](const Order& order) { return follows(order, lse, problem); });
  answer = found == orders.end() ? "unknown" : std::string(found->name);
  if (found == orders.begin()) return;
  disagree(discovery, "lse_layout",
           fmt::format("the LSE lies as {}, not as {}", answer, orders[0].name));
}

std::string number(double x) {
  return fmt::format("{:g}", x);
}

/// The first row of causal(bottom_right) on more queries than keys, which sees none.
void judge_empty_row(const Outcome& outcome, Discovery& discovery) {
  const Problem& problem = outcome.observation->c.problem;
  const auto& outputs = outcome.observation->outputs;
  const std::vector<double> o = read_row(problem, outputs.at(TensorName::o).tensor, {0, 0, 0});
  std::string& o_answer = discovery.answers["O of an empty row"];
  const auto wrong = std::find_if(o.begin(), o.end(), [](double x) { return !(x == 0); });
  o_answer = wrong == o.end() ? "0" : number(*wrong);
  if (wrong != o.end()) {
    disagree(discovery, "empty_row",
             "O of a row that sees no key is " + o_answer + ", not exactly 0");
  }
  std::string& answer = discovery.answers["LSE of an empty row"];
  if (!gives_lse(outcome)) {
    answer = "not given";
    return;
  }
  const double lse = read_row(problem, outputs.at(TensorName::lse).tensor, {0, 0, 0})[0];
  const double declared = empty_row_lse(outcome.observation->arithmetic);
  answer = number(lse);
  if (lse == declared) return;
  disagree(discovery, "empty_row_lse",
           fmt::format("the LSE of a row that sees no key is {}; declared is {}", answer,
                       number(declared)));
}

}  // namespace

std::vector<Trial> trials(const Case& c) {
  std::vector<Trial> all;
  for (const Question& question : questions()) add_question(c, question, all);
  all.push_back(scale_trial(c));
  all.push_back(layout_trial(c));
  return all;
}

Judgement judge(const Case& c, std::span<const Outcome> outcomes) {
  Discovery discovery;
  std::size_t at = 0;
  const std::string empty_rows = text_of({causal(Corner::bottom_right), {5, 2}});
  for (const Question& question : questions()) {
    const auto count = static_cast<std::size_t>(block_count(c.problem, question));
    const auto blocks = outcomes.subspan(at, count);
    judge_question(question, blocks, discovery);
    if (text_of(question) == empty_rows && blocks[0].observation) {
      judge_empty_row(blocks[0], discovery);
    }
    at += count;
  }
  judge_scale(outcomes[at], discovery);
  judge_layout(outcomes[at + 1], discovery);
  if (gives_lse(outcomes[0])) {
    judge_base(outcomes[0], discovery);
  } else {
    discovery.answers["LSE base"] = "not given";
  }
  Judgement judgement = judgement_of(std::move(discovery.findings), "");
  judgement.answers = std::move(discovery.answers);
  return judgement;
}

}  // namespace fathom::conventions_probe
