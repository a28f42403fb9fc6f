// SPDX-License-Identifier: Apache-2.0
#include "harness/cli/commands.h"
#include "harness/cli/exit_codes.h"
#include "harness/cli/places.h"
#include "harness/cli/progress.h"
#include "harness/core/error.h"
#include "harness/core/text.h"
#include "harness/run/environment.h"
#include "harness/run/plan.h"
#include "harness/run/power_store.h"
#include "harness/run/runner.h"
#include "reference/oracle.h"
#include "reports/writers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>
#include <iterator>
#include <memory>
#include <set>

namespace fathom::cli {
namespace {

struct RunArguments {
  std::vector<std::string> suites;
  std::vector<std::string> cases;
  std::vector<std::string> backends;
  std::vector<std::string> workers;
  std::string filter;
  std::string out = "fathom-out";
  std::string resume;
  bool no_measure = false;
  bool quiet = false;
  bool peers = false;
  double deadline_s = 120;
  int threads = 0;
};

std::atomic<bool> stop_asked{false};

/// The first signal ends the run after the case that is running, the second at once: the journal
/// is safe either way.
void on_signal(int /*signal*/) {
  if (stop_asked.exchange(true)) ::_exit(exit_interrupted);
}

void watch_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, on_signal);
  std::signal(SIGPIPE, SIG_IGN);
}

/// The cases of --case and of every suite, which also brings its published figures.
std::vector<Case> load_cases(const RunArguments& options, std::vector<PublishedFigure>& published) {
  std::vector<Case> cases;
  for (const std::string& text : options.cases) {
    try {
      cases.push_back(parse_case(text));
    } catch (const DataError& e) {
      throw UsageError("--case '" + text + "': " + e.what());
    }
  }
  std::vector<std::string> suites = options.suites;
  if (suites.empty() && cases.empty()) suites = {"smoke"};
  for (const std::string& suite : suites) {
    Suite loaded = find_suite(suite);
    std::move(loaded.cases.begin(), loaded.cases.end(), std::back_inserter(cases));
    std::move(loaded.published.begin(), loaded.published.end(), std::back_inserter(published));
  }
  return cases;
}

Deadlines make_deadlines(double seconds) {
  const std::chrono::milliseconds limit{static_cast<long long>(seconds * 1000)};
  Deadlines deadlines;
  deadlines.prepare = deadlines.execute = deadlines.time = limit;
  return deadlines;
}

Report start_report(const RunArguments& options, WorkerPool& pool) {
  Report report;
  report.fathom_version = FATHOM_VERSION;
  report.suite =
      options.suites.empty() && options.cases.empty() ? "smoke" : join(options.suites, ",");
  report.filter = options.filter;
  report.started_utc = now_utc();
  report.environment = capture_environment();
  report.backends = pool.hello();
  for (BackendStatus& status : absent_backends()) report.backends.push_back(std::move(status));
  return report;
}

std::string hash_of_plan(const std::vector<PlannedCase>& plan) {
  Case all;  // Any stable hash of the ids will do; case_id is one.
  std::string ids;
  for (const PlannedCase& planned : plan) ids += planned.id;
  return case_id(ids, all);
}

int finish(const Report& report, const std::filesystem::path& folder, ProgressLine& line) {
  line.close();
  write_reports(report, folder);
  std::cout << console_summary(report, want_colour()) << "report: "
            << (std::filesystem::absolute(folder) / "report.html").lexically_normal().string()
            << '\n';
  return stop_asked ? exit_interrupted : exit_code(report);
}

int execute(Journal& journal, const JournalContent& content, WorkerPool& pool,
            const RunArguments& options, const std::filesystem::path& folder) {
  std::set<std::string> ended;
  for (const Record& record : content.ended) ended.insert(record.planned.id);
  std::vector<PlannedCase> todo;
  for (const PlannedCase& planned : content.header.report.planned) {
    if (!ended.contains(planned.id)) todo.push_back(planned);
  }
  const auto oracle = reference::make_oracle({options.threads});
  InputCache inputs;
  CaseTools tools{pool, *oracle, inputs, content.header.measure, {}, options.peers};
  const Expectations expectations(all_expectations(), today_utc());
  ProgressLine line(::isatty(STDERR_FILENO) != 0, options.quiet);
  RunOptions run_options;
  run_options.folder = folder;
  run_options.stop = &stop_asked;
  run_options.on_begin = [&](const Progress& p, const PlannedCase& c) { line.begin(p, c); };
  run_options.on_end = [&](const Progress& p, const Record& r) { line.end(p, r); };
  const Report report =
      run_plan(journal, todo, static_cast<Index>(ended.size()), tools, expectations, run_options);
  return finish(report, folder, line);
}

int run_new(const RunArguments& options) {
  const Filter filter = Filter::parse(options.filter);
  std::vector<PublishedFigure> published;
  const std::vector<Case> cases = load_cases(options, published);
  RunHeader header;
  header.workers = all_workers(options.workers, options.backends);
  header.measure = !options.no_measure;
  WorkerPool pool(header.workers, make_deadlines(options.deadline_s));
  header.report = start_report(options, pool);
  header.report.published = std::move(published);
  const auto targets = choose_targets(header.report.backends, options.backends);
  header.report.planned = make_plan(cases, targets, filter);
  if (header.report.planned.empty()) {
    throw UsageError("no case matches; `fathom list --suite NAME --filter ...` shows what would");
  }
  std::vector<Case> asked;
  for (const PlannedCase& planned : header.report.planned) asked.push_back(planned.c);
  header.report.power = find_power(hash_of_cases(asked));
  header.report.manifest_hash = hash_of_plan(header.report.planned);
  Journal journal = Journal::create(options.out, header);
  return execute(journal, read_journal(options.out), pool, options, options.out);
}

int run_resumed(const RunArguments& options) {
  Journal journal = Journal::resume(options.resume);
  const JournalContent content = read_journal(options.resume);
  WorkerPool pool(content.header.workers, make_deadlines(options.deadline_s));
  pool.hello();
  return execute(journal, content, pool, options, options.resume);
}

}  // namespace

Action add_run(CLI::App& command) {
  auto options = std::make_shared<RunArguments>();
  command.add_option("--suite", options->suites, "suite by name or file; default smoke");
  command.add_option("--case", options->cases, "one case by its text, as a report prints it");
  command.add_option("--backend", options->backends,
                     "backend[:variant][/lowering], globs allowed; default all that are present");
  command.add_option("--worker", options->workers, "name=command: another worker program");
  command.add_option("--filter", options->filter,
                     "query, e.g. 'dtype:bf16 mask:prefix_lm sk>=128'");
  command.add_option("--out", options->out, "folder of journal and reports")->capture_default_str();
  command.add_option("--resume", options->resume, "go on with the run in this folder");
  command.add_flag("--no-measure", options->no_measure, "judge only: no latency, no memory");
  command
      .add_option("--deadline", options->deadline_s, "seconds a worker may take for one request")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command.add_option("--threads", options->threads, "threads of the oracle; 0 means all cores");
  command.add_flag("--peers", options->peers,
                   "also ask what other projects' acceptance rules would have said");
  command.add_flag("-q,--quiet", options->quiet, "no progress");
  return [options] {
    watch_signals();
    if (const std::string reason = reference::why_cpu_unfit(); !reason.empty()) {
      throw InfrastructureError(reason);
    }
    return options->resume.empty() ? run_new(*options) : run_resumed(*options);
  };
}

}  // namespace fathom::cli
