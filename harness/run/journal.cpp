// SPDX-License-Identifier: Apache-2.0
#include "harness/run/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include "harness/codec/tables.h"
#include "harness/core/error.h"

#include <xxhash.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

namespace fathom {
namespace {

constexpr std::string_view journal_name = "journal.jsonl";
constexpr std::string_view schema = "fathom.journal/1";

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& what) {
  throw InfrastructureError(fmt::format("{}: {}: {}", file.string(), what, std::strerror(errno)));
}

std::string checksum(std::string_view bytes) {
  return fmt::format("{:016x}", XXH3_64bits(bytes.data(), bytes.size()));
}

/// The entry as one line, with the checksum of everything before it as its last field.
std::string to_line(const Json& entry) {
  std::string text = entry.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.pop_back();
  return text + ",\"crc\":\"" + checksum(text) + "\"}\n";
}

/// The entry of a line, or nothing if the line is damaged.
std::optional<Json> from_line(std::string_view line) {
  constexpr std::string_view mark = ",\"crc\":\"";
  const std::size_t at = line.rfind(mark);
  if (at == std::string_view::npos || line.size() != at + mark.size() + 18) return std::nullopt;
  if (line.substr(at + mark.size(), 16) != checksum(line.substr(0, at))) return std::nullopt;
  return Json::parse(std::string(line.substr(0, at)) + "}", nullptr, false);
}

void write_all(int fd, std::string_view bytes, const std::filesystem::path& file) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(file, "cannot write");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void sync_folder(const std::filesystem::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) fail(folder, "cannot sync the folder");
}

/// A driver that was killed while it started a worker leaves a child that holds the lock until it
/// executes the worker or dies, so the lock of a dead run can be busy for some milliseconds.
constexpr std::chrono::milliseconds lock_patience{2000};

UniqueFd open_locked(const std::filesystem::path& file, int flags) {
  UniqueFd fd(::open(file.c_str(), flags | O_CLOEXEC, 0644));
  if (!fd) fail(file, "cannot open");
  const auto give_up = std::chrono::steady_clock::now() + lock_patience;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() > give_up) {
      throw InfrastructureError(
          file.string() +
          ": another fathom run is writing here; wait for it or choose another --out");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return fd;
}

Json workers_to_json(const std::vector<WorkerCommand>& workers) {
  Json list = Json::array();
  for (const WorkerCommand& w : workers) list.push_back({{"name", w.name}, {"argv", w.argv}});
  return list;
}

std::vector<WorkerCommand> workers_from_json(const Json& json) {
  std::vector<WorkerCommand> workers;
  for (const Json& item : json) {
    workers.push_back(
        {item.at("name").get<std::string>(), item.at("argv").get<std::vector<std::string>>()});
  }
  return workers;
}

[[noreturn]] void throw_no_journal(const std::filesystem::path& file) {
  throw DataError(file.string() + ": there is no journal here; give the folder of a run");
}

/// Reads one good line into the content.
void take(JournalContent& content, const Json& entry, std::map<std::string, std::size_t>& ended) {
  const std::string type = entry.at("type").get<std::string>();
  Report& report = content.header.report;
  if (type == "header") {
    if (entry.at("schema") != schema) {
      throw DataError("it was written by another version of fathom (schema " +
                      entry.at("schema").dump() + ")");
    }
    report = report_from_json(entry.at("report"), "report");
    content.header.workers = workers_from_json(entry.at("workers"));
    content.header.measure = entry.at("measure").get<bool>();
  } else if (type == "end") {
    Record record = record_from_json(entry.at("record"), "record");
    if (!ended.emplace(record.planned.id, content.ended.size()).second) {
      throw DataError("case " + record.planned.id + " ended twice");
    }
    content.ended.push_back(std::move(record));
  } else if (type == "resume") {
    ++report.resumes;
  } else if (type == "finish") {
    report.duration_s += number_from_json(entry.at("duration_s"));
    report.stale = read_json<std::vector<StaleExpectation>>(entry.at("stale"), "stale");
  }
}

}  // namespace

Journal Journal::create(const std::filesystem::path& folder, const RunHeader& header) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    throw InfrastructureError(folder.string() + ": cannot make the folder: " + error.message());
  const std::filesystem::path file = folder / journal_name;
  const std::filesystem::path temporary = folder / "journal.jsonl.new";
  UniqueFd old;
  if (std::filesystem::exists(file)) old = open_locked(file, O_RDWR);  // Refuses a running run's.
  UniqueFd fd = open_locked(temporary, O_RDWR | O_CREAT | O_APPEND);
  if (::ftruncate(fd.get(), 0) != 0) fail(temporary, "cannot truncate");
  Journal journal(std::move(fd), 0);
  journal.append({{"type", "header"},
                  {"schema", schema},
                  {"report", report_to_json(header.report)},
                  {"workers", workers_to_json(header.workers)},
                  {"measure", header.measure}},
                 true);
  if (old) std::filesystem::rename(file, folder / "journal.jsonl.previous");
  if (::rename(temporary.c_str(), file.c_str()) != 0) fail(file, "cannot rename into place");
  sync_folder(folder);
  return journal;
}

Journal Journal::resume(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / journal_name;
  if (!std::filesystem::exists(file)) throw_no_journal(file);
  UniqueFd fd = open_locked(file, O_RDWR | O_APPEND);
  const JournalContent content = read_journal(folder);
  if (content.torn) {
    const std::filesystem::path kept =
        folder / fmt::format("journal.jsonl.torn-{}", content.header.report.resumes + 1);
    std::filesystem::copy_file(file, kept, std::filesystem::copy_options::overwrite_existing);
    if (::ftruncate(fd.get(), content.good_bytes) != 0) fail(file, "cannot cut the torn tail");
  }
  Journal journal(std::move(fd), content.next_seq);
  journal.append({{"type", "resume"}}, true);
  return journal;
}

void Journal::append(Json entry, bool sync) {
  entry["seq"] = seq_++;
  write_all(fd_.get(), to_line(entry), journal_name);
  if (sync && ::fdatasync(fd_.get()) != 0) fail(journal_name, "cannot sync");
}

void Journal::begin(const std::string& id) {
  append({{"type", "begin"}, {"id", id}}, false);
}

void Journal::end(const Record& record) {
  append({{"type", "end"}, {"record", record_to_json(record)}}, true);
}

void Journal::finish(double duration_s, const std::vector<StaleExpectation>& stale) {
  append({{"type", "finish"}, {"duration_s", duration_s}, {"stale", write_json(stale)}}, true);
}

JournalContent read_journal(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / journal_name;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw_no_journal(file);
  JournalContent content;
  std::map<std::string, std::size_t> ended;
  std::string line;
  std::int64_t number = 0;
  std::optional<std::int64_t> damaged;
  while (std::getline(stream, line)) {
    ++number;
    const bool whole = !stream.eof();  // The last line of a good journal ends with a newline.
    const std::optional<Json> entry = whole ? from_line(line) : std::nullopt;
    if (!entry || entry->is_discarded()) {
      damaged = damaged.value_or(number);
      continue;
    }
    const std::string where = fmt::format("{}:{}", file.string(), damaged.value_or(number));
    // A torn append can only be the last thing in the file.
    if (damaged)
      throw DataError(where +
                      ": this line is damaged (its checksum does not hold); later lines are whole, "
                      "so this is no torn end");
    try {
      if (entry->at("seq").get<std::int64_t>() != content.next_seq) {
        throw DataError(fmt::format("line {} is missing or out of order", content.next_seq));
      }
      take(content, *entry, ended);
    } catch (const std::exception& e) {
      throw DataError(where + ": " + e.what());
    }
    ++content.next_seq;
    content.good_bytes += static_cast<std::int64_t>(line.size()) + 1;
  }
  if (content.next_seq == 0) throw DataError(file.string() + ":1: the journal has no header");
  content.torn = damaged.has_value();
  return content;
}

Report make_report(const JournalContent& content) {
  Report report = content.header.report;
  std::map<std::string, const Record*> ended;
  for (const Record& record : content.ended) ended[record.planned.id] = &record;
  report.records.clear();
  for (const PlannedCase& planned : report.planned) {
    if (const auto at = ended.find(planned.id); at != ended.end()) {
      report.records.push_back(*at->second);
      continue;
    }
    Record record;
    record.planned = planned;
    record.cost = cost_of(planned.c.problem);
    record.reason_code = "interrupted";
    record.reason = "the run ended before this case did; fathom run --resume goes on";
    report.records.push_back(std::move(record));
  }
  return report;
}

}  // namespace fathom
