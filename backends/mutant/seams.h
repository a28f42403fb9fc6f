// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/mutant/keys.h"
#include "harness/worker/backend.h"

#include <Eigen/Core>

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace fathom::mutant {

/// Queries and keys of one tile: the block_m and block_n of the declared Arithmetic.
inline constexpr Index tile_size = 64;

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Block = Eigen::Ref<Matrix>;
using ConstBlock = Eigen::Ref<const Matrix>;
using Column = Eigen::Array<float, Eigen::Dynamic, 1>;
using ColumnBlock = Eigen::Ref<Column>;
using ConstColumnBlock = Eigen::Ref<const Column>;

enum class Pass : std::uint8_t { forward, backward };
inline constexpr Pass fwd = Pass::forward;
inline constexpr Pass bwd = Pass::backward;
enum class Buffer : std::uint8_t { output, dq, dkdv };  ///< Accumulators that want a zero start.
enum class ScaleOf : std::uint8_t { scores, dq, dk };

struct Seams;

/// One execution of a Problem.
struct Call {
  const Problem& problem;
  const worker::InputViews& inputs;
  const worker::OutputViews& outputs;
  const Seams& seams;
  Index number = 0;                  ///< How often this Plan has been executed before.
  std::vector<std::byte>& last_out;  ///< O of the previous execution of any Plan of the backend.
};

// Where the kernel is when it calls a seam. Nothing here outlives the call.

/// One query head of one sequence.
struct Head {
  const Call& call;
  Pass pass = Pass::forward;
  Index sequence = 0;
  Index head = 0;
  [[nodiscard]] const Problem& problem() const { return call.problem; }
  [[nodiscard]] const Sequence& lengths() const {
    return call.problem.sequences[static_cast<std::size_t>(sequence)];
  }
};

struct QueryRow {
  Head at;
  Index query = 0;
};

struct RowTile {
  Head at;
  Index row = 0;
  Index rows = 0;
};

/// Query rows row .. row + rows against keys key .. key + keys.
struct Tile {
  Head at;
  Index row = 0;
  Index rows = 0;
  Index key = 0;
  Index keys = 0;
};

/// The rows of one head of a tensor, to be read.
struct Source {
  Head at;
  TensorName name = TensorName::q;
  HeadView view;
};

/// What one split of the keys contributes to a tile of query rows.
struct Partial {
  Index split = 0;
  Index splits = 1;
  Block o;          ///< Weighted sum of V; normalised by finish.
  ColumnBlock max;  ///< Of the scores so far; -infinity where no key was seen.
  ColumnBlock sum;  ///< Of exp(score - max).
  ColumnBlock lse;  ///< By finish.
};

struct Merged {
  Block o;
  ColumnBlock lse;
};

/// Rows row .. row + values.rows() of an output, in fp32, on their way to storage. `at.head` is a
/// KV head for dk and dv. A row that is not `written` keeps what lies in memory.
struct OutputTile {
  Head at;
  TensorName name = TensorName::o;
  Index row = 0;
  Block values;
  ConstColumnBlock max;  ///< Of each row's scores, with o and lse; else empty.
  Rounding rounding = Rounding::rne;
  std::array<bool, tile_size> written{};
};

/// The honest policies, which a defect can still call.
namespace honest {

Keys term(const MaskTerm& term, const QueryRow& row);
Keys visible(const QueryRow& row);
int visits(const Tile& tile);
Index key_tile(const Head& head, Index turn, Index count);
HeadView locate(const Head& head, TensorName name);
void read(const Source& source, Index row, float* to);
float scale(const Head& head, ScaleOf what);
void dot(const Tile& tile, TensorName keys_of, const ConstBlock& a, const ConstBlock& b, Block to);
void round_p(const Tile& tile, Block p, ColumnBlock sums);
void rescale(const ConstColumnBlock& factors, Partial& partial);
void weigh(const ConstBlock& p, const ConstBlock& v, Block o);
void finish(const Tile& tile, Partial& partial);
void merge(std::span<const Partial> partials, Merged& merged);
bool clears(const Head& head, Buffer buffer);
void stored_lse(const RowTile& tile, ColumnBlock lse);
void delta(const RowTile& tile, ColumnBlock delta);
void score_gradient(const Tile& tile, const ConstBlock& p, const ConstColumnBlock& delta, Block ds);
bool reduces(const Tile& tile, TensorName gradient);
void accumulate(TensorName gradient, const ConstBlock& a, const ConstBlock& b, Block to);
void emit(OutputTile& tile);
void begin(const Call& call);
void end(const Call& call);

}  // namespace honest

/// The policies of the kernel. Each is called per execution, head, tile or row, never per element;
/// a defect replaces one or two of them and knows nothing of the kernel's loops.
struct Seams {
  // Which scores there are.
  Keys (*term)(const MaskTerm&, const QueryRow&) = honest::term;  ///< Of one term of the mask.
  Keys (*visible)(const QueryRow&) = honest::visible;  ///< Of all terms, in the sequence.
  int (*visits)(const Tile&) = honest::visits;         ///< How often a tile is taken.
  Index (*key_tile)(const Head&, Index, Index) = honest::key_tile;  ///< Backward: the turn-th tile.

  // What is read.
  HeadView (*locate)(const Head&, TensorName) = honest::locate;  ///< Head map and offsets.
  void (*read)(const Source&, Index, float*) = honest::read;     ///< One row; outside it zeros.
  float (*scale)(const Head&, ScaleOf) = honest::scale;

  // Arithmetic of both passes: to = a b^T, of Q and K (keys_of k) or of dO and V (keys_of v).
  void (*dot)(const Tile&, TensorName, const ConstBlock&, const ConstBlock&, Block) = honest::dot;
  /// Rounds P to storage. `sums` are its row sums before (forward; empty in the backward pass).
  void (*round_p)(const Tile&, Block, ColumnBlock) = honest::round_p;
  bool (*clears)(const Head&, Buffer) = honest::clears;  ///< Whether a buffer starts at zero.

  // Forward.
  void (*rescale)(const ConstColumnBlock&, Partial&) = honest::rescale;  ///< O and sum, new max.
  void (*weigh)(const ConstBlock&, const ConstBlock&, Block) = honest::weigh;  ///< O += P V.
  void (*finish)(const Tile&, Partial&) = honest::finish;  ///< Normalises one split.
  void (*merge)(std::span<const Partial>, Merged&) = honest::merge;

  // Backward.
  void (*stored_lse)(const RowTile&, ColumnBlock) = honest::stored_lse;  ///< As it is read back.
  void (*delta)(const RowTile&, ColumnBlock) = honest::delta;  ///< Row sums of dO O, less dLSE.
  /// `ds` holds dP and gets P (dP - delta), rounded to storage.
  void (*score_gradient)(const Tile&, const ConstBlock&, const ConstColumnBlock&,
                         Block) = honest::score_gradient;
  bool (*reduces)(const Tile&,
                  TensorName) = honest::reduces;  ///< Whether a tile enters dq, dk, dv.
  /// to += a b for dq, to += a^T b for dk and dv.
  void (*accumulate)(TensorName, const ConstBlock&, const ConstBlock&, Block) = honest::accumulate;

  // Outputs.
  void (*emit)(OutputTile&) = honest::emit;  ///< Before a tile of an output is rounded and stored.
  void (*begin)(const Call&) = honest::begin;
  void (*end)(const Call&) = honest::end;
};

// What the kernel and the policies share.

/// Tiles that hold `length` rows.
constexpr Index tile_count(Index length) {
  return (length + tile_size - 1) / tile_size;
}

Source open(const Head& head, TensorName name);

/// Rows first .. first + to.rows() through the seam `read`.
void read_rows(const Source& source, Index first, Block to);

/// A row wherever the view leads, zeros outside the tensor. `read` without the bounds of the head.
void read_memory(const Source& source, Index row, float* to);

/// round_numbers of every row.
void round_rows(Dtype dtype, Block numbers, Rounding rounding = Rounding::rne);

/// The bytes of an input or, if the Problem has no such input, of an output.
std::span<const std::byte> bytes_of(const Call& call, TensorName name);

/// Keys seen by each row of a tile, and the smallest interval that holds them all.
struct SeenKeys {
  std::array<Keys, tile_size> rows;
  Keys all;
};
SeenKeys keys_seen(const RowTile& tile);

/// The part of `keys` inside the tile, counted from its first key.
Keys inside(const Keys& keys, const Tile& tile);

/// Hands a tile of an output to `emit`, then rounds and stores it.
void write_rows(const Head& head, TensorName name, Index row, Block values,
                const ConstColumnBlock& max);

}  // namespace fathom::mutant
