// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/core/finding.h"
#include "harness/core/observation.h"
#include "harness/core/tensor.h"
#include "harness/core/visible.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

// What the exact Probes share: tensors as numbers by place, and the count of what breaks a limit.

namespace fathom::probing {

/// One row of a tensor: which (sequence, head, row) and where its first element lies.
struct RowAt {
  Index sequence = 0;
  Index head = 0;
  Index row = 0;
  Index first = 0;
};

/// Visits the rows of a tensor by sequence, head, row.
void visit_rows(const Problem& problem, TensorName name,
                const std::function<void(const RowAt&)>& visit);

/// A tensor decoded, or empty numbers to be encoded.
class Numbers {
 public:
  Numbers(const Problem& problem, TensorName name, const Tensor& tensor);
  [[nodiscard]] std::span<const double> row(Index sequence, Index head, Index row) const;
  [[nodiscard]] const std::vector<double>& values() const { return values_; }

 private:
  const Problem& problem_;
  TensorName name_;
  std::vector<double> values_;
};

/// Writes new numbers into the rows of an input; `write` gets the numbers that are there.
void rewrite(const Problem& problem, TensorSet& inputs, TensorName name,
             const std::function<void(const RowAt&, std::span<double>)>& write);
void fill_with(const Problem& problem, TensorSet& inputs, TensorName name, double value);

/// A random word for one channel of one row; the same for equal arguments.
std::uint32_t word_of(std::uint64_t seed, TensorName name, const RowAt& at, Index channel);
/// -1 or 1, likewise.
double sign_of(std::uint64_t seed, TensorName name, const RowAt& at, Index channel);

/// The KV head that a query head reads.
Index kv_head_of(const Problem& problem, Index query_head);

/// The keys that the query of a row sees.
KeyRange keys_seen(const Problem& problem, const RowAt& query);

/// Whether some query of the Problem sees a key.
bool someone_sees(const Problem& problem);

/// The output, or null if the backend did not give it.
const Tensor* given(const Observation& observation, TensorName name);

/// Compares the elements of one tensor with what they must be, and keeps the worst.
class Tally {
 public:
  /// A limit of 0 asks for equality. NaN never passes.
  void compare(Index element, double got, double want, double limit);
  /// Takes over what another Tally of the same tensor counted.
  void add(const Tally& other);
  [[nodiscard]] bool clean() const { return wrong_ == 0; }
  [[nodiscard]] Index wrong() const { return wrong_; }
  [[nodiscard]] Index worst() const { return worst_; }
  [[nodiscard]] double got() const { return got_; }
  [[nodiscard]] double want() const { return want_; }
  /// The largest |got - want| / limit seen; infinite where the limit is 0.
  [[nodiscard]] double share() const { return share_; }

  /// `MESSAGE: 3 elements are off; the worst at sequence 0, head 1, ...`. Element::sigma is the
  /// limit and z the share of it.
  [[nodiscard]] Finding finding(const Problem& problem, TensorName name, std::string check,
                                const std::string& message) const;

 private:
  Index wrong_ = 0;
  Index compared_ = 0;
  Index worst_ = -1;
  double got_ = 0;
  double want_ = 0;
  double limit_ = 0;
  double share_ = 0;
};

}  // namespace fathom::probing
