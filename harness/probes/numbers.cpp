// SPDX-License-Identifier: Apache-2.0
#include "harness/probes/numbers.h"

#include "harness/checks/evidence.h"
#include "harness/core/types.h"
#include "harness/inputs/philox.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom::probing {

void visit_rows(const Problem& problem, TensorName name,
                const std::function<void(const RowAt&)>& visit) {
  for (Index s = 0; s < static_cast<Index>(problem.sequences.size()); ++s) {
    for (Index head = 0; head < head_count(problem, name); ++head) {
      const HeadView view = head_view(problem, name, s, head);
      for (Index row = 0; row < view.rows; ++row) {
        visit({s, head, row, view.offset + row * view.row_stride});
      }
    }
  }
}

Numbers::Numbers(const Problem& problem, TensorName name, const Tensor& tensor)
    : problem_(problem),
      name_(name),
      values_(static_cast<std::size_t>(element_count(tensor.spec))) {
  decode(tensor.spec.dtype, tensor.bytes, values_);
}

std::span<const double> Numbers::row(Index sequence, Index head, Index row) const {
  const HeadView view = head_view(problem_, name_, sequence, head);
  return std::span(values_).subspan(static_cast<std::size_t>(view.offset + row * view.row_stride),
                                    static_cast<std::size_t>(view.channels));
}

void rewrite(const Problem& problem, TensorSet& inputs, TensorName name,
             const std::function<void(const RowAt&, std::span<double>)>& write) {
  Tensor& tensor = inputs.at(name);
  std::vector<double> values(static_cast<std::size_t>(element_count(tensor.spec)));
  decode(tensor.spec.dtype, tensor.bytes, values);
  visit_rows(problem, name, [&](const RowAt& at) {
    const Index channels = head_view(problem, name, at.sequence, at.head).channels;
    write(at, std::span(values).subspan(static_cast<std::size_t>(at.first),
                                        static_cast<std::size_t>(channels)));
  });
  encode(tensor.spec.dtype, values, tensor.bytes);
}

void fill_with(const Problem& problem, TensorSet& inputs, TensorName name, double value) {
  rewrite(problem, inputs, name,
          [&](const RowAt&, std::span<double> x) { std::fill(x.begin(), x.end(), value); });
}

std::uint32_t word_of(std::uint64_t seed, TensorName name, const RowAt& at, Index channel) {
  const auto place = static_cast<std::uint64_t>((at.sequence << 16) + at.head);
  const auto element = static_cast<std::uint64_t>((at.row << 16) + channel);
  return philox(stream_key(seed + 0x9E3779B97F4A7C15U * (place + 1), name), element)[0];
}

double sign_of(std::uint64_t seed, TensorName name, const RowAt& at, Index channel) {
  return (word_of(seed, name, at, channel) & 1U) != 0 ? 1 : -1;
}

Index kv_head_of(const Problem& problem, Index query_head) {
  return query_head / (problem.query_heads / problem.kv_heads);
}

KeyRange keys_seen(const Problem& problem, const RowAt& query) {
  return visible_keys(problem.mask, problem.sequences[static_cast<std::size_t>(query.sequence)],
                      query.row);
}

bool someone_sees(const Problem& problem) {
  for (const Sequence& sequence : problem.sequences) {
    for (Index query = 0; query < sequence.query_length; ++query) {
      if (visible_keys(problem.mask, sequence, query).size() > 0) return true;
    }
  }
  return false;
}

const Tensor* given(const Observation& observation, TensorName name) {
  const auto found = observation.outputs.find(name);
  if (found == observation.outputs.end()) return nullptr;
  return found->second.transport == Transport::not_given ? nullptr : &found->second.tensor;
}

void Tally::compare(Index element, double got, double want, double limit) {
  const double e = got == want ? 0 : std::abs(got - want);
  double share = e == 0 ? 0 : (limit > 0 ? e / limit : infinity);
  if (std::isnan(share)) share = infinity;
  ++compared_;
  if (!(share <= 1)) ++wrong_;
  if (worst_ >= 0 && share <= share_) return;
  worst_ = element;
  got_ = got;
  want_ = want;
  limit_ = limit;
  share_ = share;
}

void Tally::add(const Tally& other) {
  const Tally before = *this;
  const bool worse = worst_ < 0 || (other.worst_ >= 0 && other.share_ > share_);
  if (worse) *this = other;
  wrong_ = before.wrong_ + other.wrong_;
  compared_ = before.compared_ + other.compared_;
}

Finding Tally::finding(const Problem& problem, TensorName name, std::string check,
                       const std::string& message) const {
  Finding finding;
  finding.check = std::move(check);
  finding.tensor = to_string(name);
  finding.fail_class = FailClass::accuracy;
  finding.value = std::abs(got_ - want_);
  finding.limit = limit_;
  finding.worst = Element{.tensor = finding.tensor,
                          .place = place_of(problem, name, worst_),
                          .got = got_,
                          .want = want_};
  finding.message = fmt::format(
      "{}: {} of {} elements are off; the worst, by {:.3g} where {:.3g} "
      "is allowed, at {}",
      message, wrong_, compared_, *finding.value, limit_, to_string(*finding.worst));
  finding.worst->sigma = limit_;
  finding.worst->z = share_;
  return finding;
}

}  // namespace fathom::probing
