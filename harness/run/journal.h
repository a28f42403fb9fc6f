// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/codec/parse.h"
#include "harness/core/report.h"
#include "harness/protocol/unique_fd.h"
#include "harness/run/worker_process.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

/// What a run is about to do, written before it does anything.
struct RunHeader {
  Report report;  ///< Records empty; everything known at the start.
  std::vector<WorkerCommand> workers;
  bool measure = true;
};

/// The append-only truth of a run: one JSON object a line, numbered, each with the XXH3 of what
/// stands before its `crc`. The header (with the whole plan) appears by an atomic rename; an `end`
/// is on disk before anybody is told of it. Reports are pure functions of this file.
class Journal {
 public:
  /// Starts a journal in the folder; one that is there is kept as `journal.jsonl.previous`. Throws
  /// InfrastructureError if another run holds the folder.
  static Journal create(const std::filesystem::path& folder, const RunHeader& header);
  /// Opens a journal to go on: a torn tail is cut off and kept beside it.
  static Journal resume(const std::filesystem::path& folder);

  void begin(const std::string& id);
  void end(const Record& record);
  void finish(double duration_s, const std::vector<StaleExpectation>& stale);

 private:
  Journal(UniqueFd fd, std::int64_t seq) : fd_(std::move(fd)), seq_(seq) {}
  void append(Json entry, bool sync);

  UniqueFd fd_;
  std::int64_t seq_ = 0;
};

/// A journal read back.
struct JournalContent {
  RunHeader header;
  std::vector<Record> ended;  ///< In the order in which they ended.
  std::int64_t next_seq = 0;
  std::int64_t good_bytes = 0;  ///< Up to here every line holds.
  bool torn = false;            ///< Something follows good_bytes: an append that was cut short.
};

/// Throws DataError naming file and line if a line in the middle is damaged.
JournalContent read_journal(const std::filesystem::path& folder);

/// The Report of what the journal holds; planned cases that did not end are `not_run`.
Report make_report(const JournalContent& content);

}  // namespace fathom
