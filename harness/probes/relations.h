// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/checks/evidence.h"
#include "harness/checks/limits.h"
#include "harness/probes/probe.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

// What the Probes share that set one execution against another.

namespace fathom {

/// One row of a tensor: a key in k, v, dk, dv, else a query. `head` is a KV head for keys.
struct RowPlace {
  Index sequence = 0;
  Index head = 0;
  Index row = 0;
};

/// Element number of the first channel of a row.
Index first_element(const Problem& problem, TensorName name, RowPlace place);

std::vector<double> read_row(const Problem& problem, const Tensor& tensor, RowPlace place);
void write_row(const Problem& problem, Tensor& tensor, RowPlace place,
               std::span<const double> channels);

template <typename Visit>
void for_each_place(const Problem& problem, TensorName name, Visit visit) {
  const auto sequences = static_cast<Index>(problem.sequences.size());
  RowPlace at;
  for (at.sequence = 0; at.sequence < sequences; ++at.sequence) {
    for (at.head = 0; at.head < head_count(problem, name); ++at.head) {
      const Index rows = head_view(problem, name, at.sequence, at.head).rows;
      for (at.row = 0; at.row < rows; ++at.row) visit(at);
    }
  }
}

/// Which row of the base Case a row of a rearranged Trial is. Empty: the same place.
using RowMap = std::function<RowPlace(TensorName, RowPlace)>;
using RowFilter = std::function<bool(RowPlace)>;

/// An edit that fills the Trial's inputs with rows of the base Case's, bit for bit.
std::function<void(const Problem&, TensorSet&)> rows_of(const Case& base, const RowMap& map);

/// The outputs that came back, in the order of output_specs.
std::vector<TensorName> given_outputs(const Outcome& outcome);
bool is_gradient(TensorName name);

/// The Outcome of that label; null if there is none or the backend refused.
const Outcome* answered(std::span<const Outcome> outcomes, std::string_view label);

/// How the rows of one output of two executions differ. A zero equals a zero of the other sign.
struct Difference {
  Index rows = 0;     ///< Compared.
  Index unequal = 0;  ///< Rows whose numbers differ at all.
  double share = 0;   ///< Largest difference of a row as a share of its limit.
  double rho = 0;     ///< The same in units of sigma (rms over the row); of T_L for LSE.
  Element first;      ///< First element that differs: `want` is the base's.
};

/// The execution that others are set against; it carries an oracle's answer where shares are asked
/// for. Borrows the Outcome.
class Yardstick {
 public:
  explicit Yardstick(const Outcome& base);
  Yardstick(const Yardstick&) = delete;
  Yardstick& operator=(const Yardstick&) = delete;

  /// Gradients that one repetition changes may differ in their bits ever after, but not by more
  /// than the limit.
  void allow_noise_seen_in(const Outcome& again);

  [[nodiscard]] Difference compare(TensorName name, const Outcome& other, const RowMap& map = {},
                                   const RowFilter& filter = {}) const;
  /// Largest difference between two tensors of the base's shape, row by row, as a share of the row
  /// limit; the larger sigma of this and the other yardstick counts.
  [[nodiscard]] double largest_share(TensorName name, const std::vector<double>& a,
                                     const std::vector<double>& b, const Yardstick& other) const;
  /// Whether the rows are equal, or near enough in a gradient that does not repeat itself.
  [[nodiscard]] bool equal(TensorName name, const Difference& difference) const;
  [[nodiscard]] const Outcome& outcome() const { return outcome_; }
  /// Largest row-rho that an honest tensor may show; of LSE, and in fp64, 1.
  [[nodiscard]] double row_limit(TensorName name) const;

 private:
  struct Unit {
    std::vector<double> values;
    std::vector<double> sigma;  ///< Of T_L for LSE; empty without an oracle.
    double limit = 1;
  };
  [[nodiscard]] Unit make_unit(const Comparison& comparison, const Evidence& evidence) const;

  const Outcome& outcome_;
  std::map<TensorName, Unit> units_;
  std::vector<TensorName> noisy_;
};

/// `O of query 3 of head 0 of sequence 1`-like words come from the Element's own text.
Finding difference_finding(std::string check, FailClass fail_class, const std::string& sentence,
                           const Difference& difference);

/// What the Checks find, less the averages over a whole tensor (tensor-rho, bias, gain): those rest
/// on the Fill, and tell how well a kernel rounds.
std::vector<Finding> findings_in_rows(const Observation& observation);

/// The Case again: gradients that nobody asked to be deterministic need one repetition, to learn
/// whether they repeat.
bool wants_repetition(const Case& c);
Trial base_trial(const Case& c);
Trial repetition_trial(const Case& c);

/// The positive control: in every sequence and KV head the last key that the last seeing query
/// sees is moved into the middle of its attention, with another V, and dO of that query is negated.
Trial control_trial(const Case& c);
/// Which tensor the control left as it was; empty if it moved all that it must move.
std::string why_control_failed(const Yardstick& base, std::span<const Outcome> outcomes);

}  // namespace fathom
