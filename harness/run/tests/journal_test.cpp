// SPDX-License-Identifier: Apache-2.0
#include "harness/run/journal.h"

#include "harness/core/error.h"
#include "harness/run/tests/run_support.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace fathom {
namespace {

Record ended_record(const PlannedCase& planned) {
  Record record;
  record.planned = planned;
  record.answered_by = "fake";
  record.verdict = Verdict::pass;
  record.cost = cost_of(planned.c.problem);
  return record;
}

RunHeader header_with(int cases) {
  RunHeader header;
  header.report.suite = "test";
  header.workers = {{"fake", {"worker", "with space"}}};
  for (int i = 0; i < cases; ++i) {
    header.report.planned.push_back(
        test::planned_for("fake", test::tiny_case(16, static_cast<std::uint64_t>(i + 1))));
  }
  return header;
}

std::string slurp(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

void spill(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// A journal of a header and two ended cases of three; the folder's path comes back.
std::filesystem::path write_two_of_three(const test::TempFolder& folder) {
  const RunHeader header = header_with(3);
  Journal journal = Journal::create(folder.path(), header);
  for (int i = 0; i < 2; ++i) {
    const PlannedCase& planned = header.report.planned[static_cast<std::size_t>(i)];
    journal.begin(planned.id);
    journal.end(ended_record(planned));
  }
  return folder.path() / "journal.jsonl";
}

TEST(JournalTest, ReadsBackWhatWasWritten) {
  const test::TempFolder folder;
  write_two_of_three(folder);
  const JournalContent content = read_journal(folder.path());
  EXPECT_EQ(content.ended.size(), 2U);
  EXPECT_EQ(content.header.report.planned, header_with(3).report.planned);
  EXPECT_EQ(content.header.workers, header_with(3).workers);
  EXPECT_FALSE(content.torn);
  EXPECT_EQ(content.ended[1], ended_record(header_with(3).report.planned[1]));
}

TEST(JournalTest, ACaseThatDidNotEndIsNotRun) {
  const test::TempFolder folder;
  write_two_of_three(folder);
  const Report report = make_report(read_journal(folder.path()));
  ASSERT_EQ(report.records.size(), 3U);
  EXPECT_EQ(report.records[2].verdict, Verdict::not_run);
  EXPECT_EQ(report.records[2].reason_code, "interrupted");
  EXPECT_EQ(exit_code(report), 4);
}

TEST(JournalTest, ATailCutAtAnyByteLosesNoAcknowledgedEnd) {
  const test::TempFolder folder;
  const auto file = write_two_of_three(folder);
  const std::string whole = slurp(file);
  const std::size_t last_line = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t size = last_line; size < whole.size(); size += 37) {
    spill(file, whole.substr(0, size));
    const JournalContent content = read_journal(folder.path());
    EXPECT_EQ(content.ended.size(), 1U) << size;
    EXPECT_EQ(content.good_bytes, static_cast<std::int64_t>(last_line));
    EXPECT_EQ(content.torn, size != last_line);
  }
}

TEST(JournalTest, ResumeCutsTheTornTailKeepsItAndGoesOn) {
  const test::TempFolder folder;
  const auto file = write_two_of_three(folder);
  const std::string whole = slurp(file);
  spill(file, whole.substr(0, whole.size() - 10));
  {
    Journal journal = Journal::resume(folder.path());
    journal.end(ended_record(header_with(3).report.planned[1]));
  }
  const JournalContent content = read_journal(folder.path());
  EXPECT_EQ(content.ended.size(), 2U);
  EXPECT_EQ(content.header.report.resumes, 1);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "journal.jsonl.torn-1"));
}

TEST(JournalTest, AFlippedBitInTheMiddleIsNamedByFileAndLine) {
  const test::TempFolder folder;
  const auto file = write_two_of_three(folder);
  std::string text = slurp(file);
  const std::size_t second_line = text.find('\n') + 1;
  text[second_line + 5] = static_cast<char>(text[second_line + 5] ^ 1);
  spill(file, text);
  try {
    read_journal(folder.path());
    FAIL() << "a damaged journal was read";
  } catch (const DataError& e) {
    EXPECT_NE(std::string(e.what()).find("journal.jsonl:2"), std::string::npos) << e.what();
  }
}

TEST(JournalTest, ALostLineIsNamed) {
  const test::TempFolder folder;
  const auto file = write_two_of_three(folder);
  std::string text = slurp(file);
  const std::size_t begin = text.find('\n') + 1;
  text.erase(begin, text.find('\n', begin) + 1 - begin);
  spill(file, text);
  EXPECT_THROW(read_journal(folder.path()), DataError);
}

TEST(JournalTest, ASecondRunInTheSameFolderIsRefused) {
  const test::TempFolder folder;
  const Journal first = Journal::create(folder.path(), header_with(1));
  EXPECT_THROW(Journal::create(folder.path(), header_with(1)), InfrastructureError);
  EXPECT_THROW(Journal::resume(folder.path()), InfrastructureError);
}

TEST(JournalTest, ANewRunKeepsTheOldJournal) {
  const test::TempFolder folder;
  write_two_of_three(folder);
  const Journal journal = Journal::create(folder.path(), header_with(1));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "journal.jsonl.previous"));
  EXPECT_EQ(read_journal(folder.path()).ended.size(), 0U);
}

TEST(JournalTest, AFolderWithoutAJournalIsASentence) {
  const test::TempFolder folder;
  EXPECT_THROW(read_journal(folder.path()), DataError);
}

}  // namespace
}  // namespace fathom
