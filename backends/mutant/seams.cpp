// SPDX-License-Identifier: Apache-2.0
#include "backends/mutant/seams.h"

#include "backends/mutant/rounding.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::mutant {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

bool is_key_side(TensorName name) {
  using enum TensorName;
  return name == k || name == v || name == dk || name == dv;
}

Dtype dtype_of(const Call& call, TensorName name) {
  const bool is_lse = name == TensorName::lse || name == TensorName::dlse;
  return is_lse ? Dtype::f32 : call.problem.dtype;
}

}  // namespace

namespace honest {

Keys term(const MaskTerm& term, const QueryRow& row) {
  return keys_of_term(term, row.at.lengths(), row.query);
}

Keys visible(const QueryRow& row) {
  Keys keys{0, row.at.lengths().key_length};
  for (const MaskTerm& term : row.at.problem().mask.terms) {
    keys = intersection(keys, row.at.call.seams.term(term, row));
  }
  return keys;
}

int visits(const Tile& /*tile*/) {
  return 1;
}

Index key_tile(const Head& /*head*/, Index turn, Index /*count*/) {
  return turn;
}

HeadView locate(const Head& head, TensorName name) {
  const Problem& problem = head.problem();
  const Index group = problem.query_heads / problem.kv_heads;
  return head_view(problem, name, head.sequence, is_key_side(name) ? head.head / group : head.head);
}

void read(const Source& source, Index row, float* to) {
  if (row < 0 || row >= source.view.rows) {
    std::fill_n(to, source.view.channels, 0.0F);
  } else {
    read_memory(source, row, to);
  }
}

float scale(const Head& head, ScaleOf /*what*/) {
  return static_cast<float>(softmax_scale(head.problem()));
}

void dot(const Tile& /*tile*/, TensorName /*keys_of*/, const ConstBlock& a, const ConstBlock& b,
         Block to) {
  to.noalias() = a * b.transpose();
}

void round_p(const Tile& tile, Block p, ColumnBlock /*sums*/) {
  round_rows(tile.at.problem().dtype, p);
}

void rescale(const ConstColumnBlock& factors, Partial& partial) {
  partial.o.array().colwise() *= factors;
  partial.sum *= factors;
}

void weigh(const ConstBlock& p, const ConstBlock& v, Block o) {
  o.noalias() += p * v;
}

void finish(const Tile& /*tile*/, Partial& partial) {
  for (Index row = 0; row < partial.o.rows(); ++row) {
    const float sum = partial.sum[row];
    partial.o.row(row) *= sum > 0 ? 1 / sum : 0.0F;
    partial.lse[row] = sum > 0 ? partial.max[row] + std::log(sum) : -infinity;
  }
}

void merge(std::span<const Partial> partials, Merged& merged) {
  if (partials.size() == 1) {
    merged.o = partials.front().o;
    merged.lse = partials.front().lse;
    return;
  }
  merged.o.setZero();
  for (Index row = 0; row < merged.o.rows(); ++row) {
    float most = -infinity;
    for (const Partial& partial : partials) most = std::max(most, partial.lse[row]);
    merged.lse[row] = -infinity;
    if (most == -infinity) continue;
    float sum = 0;
    for (const Partial& partial : partials) {
      const float weight = std::exp(partial.lse[row] - most);
      if (weight > 0) merged.o.row(row) += weight * partial.o.row(row);
      sum += weight;
    }
    merged.o.row(row) /= sum;
    merged.lse[row] = most + std::log(sum);
  }
}

bool clears(const Head& /*head*/, Buffer /*buffer*/) {
  return true;
}

void stored_lse(const RowTile& /*tile*/, ColumnBlock /*lse*/) {}

void delta(const RowTile& tile, ColumnBlock delta) {
  const Index channels = tile.at.problem().value_dim;
  Matrix o(tile.rows, channels);
  Matrix dout(tile.rows, channels);
  read_rows(open(tile.at, TensorName::o), tile.row, o);
  read_rows(open(tile.at, TensorName::dout), tile.row, dout);
  delta = o.cwiseProduct(dout).rowwise().sum().array();
  if (!tile.at.problem().lse_cotangent) return;
  Matrix dlse(tile.rows, 1);
  read_rows(open(tile.at, TensorName::dlse), tile.row, dlse);
  delta -= dlse.array();
}

void score_gradient(const Tile& tile, const ConstBlock& p, const ConstColumnBlock& delta,
                    Block ds) {
  ds.array().colwise() -= delta;
  ds.array() *= p.array();
  round_rows(tile.at.problem().dtype, ds);
}

bool reduces(const Tile& /*tile*/, TensorName /*gradient*/) {
  return true;
}

void accumulate(TensorName gradient, const ConstBlock& a, const ConstBlock& b, Block to) {
  if (gradient == TensorName::dq) {
    to.noalias() += a * b;
  } else {
    to.noalias() += a.transpose() * b;
  }
}

void emit(OutputTile& /*tile*/) {}
void begin(const Call& /*call*/) {}
void end(const Call& /*call*/) {}

}  // namespace honest

Source open(const Head& head, TensorName name) {
  return {head, name, head.call.seams.locate(head, name)};
}

void read_rows(const Source& source, Index first, Block to) {
  for (Index row = 0; row < to.rows(); ++row) {
    source.at.call.seams.read(source, first + row, to.row(row).data());
  }
}

void round_rows(Dtype dtype, Block numbers, Rounding rounding) {
  for (Index row = 0; row < numbers.rows(); ++row) {
    round_numbers(dtype, numbers.row(row).data(), numbers.cols(), rounding);
  }
}

std::span<const std::byte> bytes_of(const Call& call, TensorName name) {
  const auto input = call.inputs.find(name);
  if (input != call.inputs.end()) return input->second.bytes;
  return call.outputs.at(name).bytes;
}

void read_memory(const Source& source, Index row, float* to) {
  const Dtype dtype = dtype_of(source.at.call, source.name);
  const std::span<const std::byte> bytes = bytes_of(source.at.call, source.name);
  const Index element = source.view.offset + row * source.view.row_stride;
  const Index size = info(dtype).size;
  const Index end = (element + source.view.channels) * size;
  if (element < 0 || end > static_cast<Index>(bytes.size())) {
    std::fill_n(to, source.view.channels, 0.0F);
  } else {
    load_numbers(dtype, bytes.data() + element * size, source.view.channels, to);
  }
}

SeenKeys keys_seen(const RowTile& tile) {
  SeenKeys seen;
  for (Index row = 0; row < tile.rows; ++row) {
    const Keys keys = tile.at.call.seams.visible({tile.at, tile.row + row});
    seen.rows[static_cast<std::size_t>(row)] = keys;
    if (keys.empty()) continue;
    seen.all = seen.all.empty()
                   ? keys
                   : Keys{std::min(seen.all.begin, keys.begin), std::max(seen.all.end, keys.end)};
  }
  return seen;
}

Keys inside(const Keys& keys, const Tile& tile) {
  const Keys part{std::max<Index>(keys.begin - tile.key, 0),
                  std::min(keys.end - tile.key, tile.keys), keys.hole - tile.key};
  const bool only_the_hole = part.end - part.begin == 1 && part.hole == part.begin;
  return part.empty() || only_the_hole ? Keys{} : part;
}

void write_rows(const Head& head, TensorName name, Index row, Block values,
                const ConstColumnBlock& max) {
  const auto output = head.call.outputs.find(name);
  if (output == head.call.outputs.end()) return;
  OutputTile tile{head, name, row, values, max, Rounding::rne, {}};
  tile.written.fill(true);
  head.call.seams.emit(tile);
  const HeadView view = head_view(head.problem(), name, head.sequence, head.head);
  const Dtype dtype = dtype_of(head.call, name);
  for (Index r = 0; r < values.rows(); ++r) {
    if (!tile.written[static_cast<std::size_t>(r)]) continue;
    const Index element = view.offset + (row + r) * view.row_stride;
    store_numbers(dtype, values.row(r).data(), view.channels,
                  output->second.bytes.data() + element * info(dtype).size, tile.rounding);
  }
}

}  // namespace fathom::mutant
