// SPDX-License-Identifier: Apache-2.0
#include "reports/tests/fixture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace fathom {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// A number in [0, 1) that depends on nothing but n.
double scatter(Index n) {
  const double x = static_cast<double>(n) * 0.6180339887498949;
  return x - std::floor(x);
}

Record record_of(const std::string& backend, const std::string& text, Verdict verdict) {
  Record record;
  record.planned.c = parse_case(text);
  record.planned.c.suite = "fixture";
  record.planned.c.why = "shows what a writer does with it";
  record.planned.backend = backend;
  record.planned.id = case_id(backend, record.planned.c);
  record.answered_by = backend;
  record.version = "1.0";
  record.device = "cpu";
  record.verdict = verdict;
  record.arithmetic = upcast_arithmetic(record.planned.c.problem.dtype);
  record.cost = cost_of(record.planned.c.problem);
  record.phase_ns = {{"inputs", 2e5}, {"oracle", 1.5e6}, {"prepare", 4e5}, {"execute", 3e5}};
  return record;
}

/// Metrics of one tensor whose largest margin is `margin`.
TensorMetrics tensor_of(const std::string& name, double margin, Index elements) {
  TensorMetrics t;
  t.tensor = name;
  t.elements = elements;
  t.transport = name == "lse" ? "copied" : "in_place";
  t.max_abs = 1e-3 * margin;
  t.max_rel = 4e-3 * margin;
  t.rel_f = 1.25e-3;
  t.nmse = 1.5625e-6;
  if (name == "lse") {
    t.lse = LseMetrics{3.5 * margin, margin};
    t.margin = {{"lse", margin}};
  } else {
    t.row_rho = RowRho{2 * margin, {0, 1, 17, 0}, 1.1 * margin};
    t.tensor_rho = 0.98 * margin;
    t.z_max = 8 * margin;
    t.bias_z = 1.5;
    t.gain = -2e-5;
    t.gain_limit = 3e-4;
    t.cosine = 0.99999925;
    t.fa_ratio = {1.25, 0.96875};
    t.margin = {{"accuracy.row_rho", margin}, {"accuracy.tensor_rho", 0.75 * margin}};
  }
  t.zeros = {4, 4};
  t.ulp_hist = {elements * 3 / 4, elements / 8, elements / 16, elements / 32, 0, 3};
  if (margin > 1) t.ulp_hist[18] = 2;
  for (Index i = 0; i < 12; ++i) {
    const bool bad = margin > 1 && i >= 8;
    t.tile_rho.push_back(bad ? 2 * margin : 0.4 + 0.5 * scatter(i));
  }
  t.worst = {Element{name, {0, 1, 17, 5}, 0.5004, 0.5, 1e-4, 8 * margin},
             Element{name, {0, 0, 3, 2}, -0.25, -0.2498, 5e-5, -4}};
  return t;
}

void add_tensors(Record& record, double margin, bool gradients = false) {
  const bool backward = gradients && has_backward(record.planned.c.problem);
  for (const char* name : {"o", "lse", "dq", "dk", "dv"}) {
    const bool gradient = name[0] == 'd';
    if (gradient && !backward) continue;
    record.tensors.push_back(tensor_of(name, gradient ? 0.5 * margin : margin, 4096));
  }
}

Latency latency_of(const std::string& pass, double median_ns, double work) {
  Latency l;
  l.pass = pass;
  l.mode = "cpu";
  for (Index i = 0; i < 16; ++i) l.samples_ns.push_back(median_ns * (0.96 + 0.08 * scatter(i)));
  l.median_ns = median_ns;
  l.q25_ns = 0.98 * median_ns;
  l.q75_ns = 1.03 * median_ns;
  l.min_ns = 0.96 * median_ns;
  l.half_width_95_ns = 0.015 * median_ns;
  l.stop_reason = "precision";
  l.flops_per_s = work / (median_ns * 1e-9);
  l.bytes_per_s = 0.05 * l.flops_per_s;
  return l;
}

void add_measurement(Record& record, double median_ns) {
  record.measurement.latency.push_back(latency_of("forward", median_ns, record.cost.flops_forward));
  if (has_backward(record.planned.c.problem)) {
    record.measurement.latency.push_back(
        latency_of("backward", 2.6 * median_ns, record.cost.flops_backward));
  }
  record.measurement.first_call_ns = 9 * median_ns;
  record.measurement.memory = MemoryUse{3 << 20, "resident", "", 262144};
}

void add_finding(Record& record, FailClass fail_class, const std::string& check,
                 const std::string& message) {
  record.fail_class = fail_class;
  record.reason = message;
  record.findings.push_back({check, "o", fail_class, message, 2.75, 2.0,
                             Element{"o", {0, 1, 17, 5}, 0.5004, 0.5, 1e-4, 22}});
  record.measurement.why_no_latency = "no pass, no time";
}

ExpectationNote note_of(const std::string& match, const std::string& verdict) {
  return {match,
          verdict,
          "row rho 2.75 against a limit of 2.0 in every bf16 case",
          "the kernel rounds P to bf16 before its product with V",
          "https://github.com/pytorch/pytorch/issues/1",
          "2026-12-31"};
}

const std::string heads = " layout=bshd hq=2 hkv=2 d=64 dv=64 ";
const std::string training = "dir=fwd+bwd dtype=";
const std::string inference = "dir=fwd dtype=";
const std::string causal = heads + "seqs=2*64 mask=causal(bottom_right) fill=normal seed=1";
const std::string full = heads + "seqs=2*64 mask=full fill=normal seed=1";
const std::string windowed =
    heads + "seqs=2*64 mask=causal(bottom_right)&window(16,0) fill=normal seed=1";
const std::string prefix =
    " layout=thd hq=4 hkv=2 d=64 dv=64 seqs=37p5,64p64 mask=prefix_lm fill=normal seed=1";

/// Passes on every backend, with numbers and times.
void add_passes(Report& report) {
  double margin = 0.31;
  double median = 1.5e5;
  for (const std::string& text : {training + "f32" + full, training + "f32" + causal,
                                  training + "bf16" + full, training + "f32" + prefix}) {
    for (const char* backend : {"eigen", "sdpa:math/loop+dense_mask"}) {
      Record record = record_of(backend, text, Verdict::pass);
      add_tensors(record, margin, report.records.empty());
      add_measurement(record, median);
      report.records.push_back(record);
      margin += 0.06;
      median *= 1.3;
    }
  }
}

/// What the explainer would say of a failure in head 1, with maps of two heads and of key tiles.
void add_explanation(Record& record) {
  record.explanation =
      Explanation{Axis::tile, "o", "head 1", "O is right without keys 32-63, in head 1 only.",
                  "a tile that is not visited, or an off-by-one in the range of tiles."};
  record.heat = {{"o", "query tiles of 16, sequence after sequence", "heads", 8, 2, {}},
                 {"o", "query tiles of 16 of sequence 0", "key tiles of 32", 4, 2, {}},
                 {"dq", "query tiles of 16, sequence after sequence", "heads", 8, 2, {}}};
  for (HeatMap& map : record.heat) {
    for (Index i = 0; i < map.rows * map.columns; ++i) {
      const bool hot = map.tensor == "o" && i % 2 == 1;
      map.values.push_back(hot ? 9.5 + scatter(i) : 0.75 + 0.5 * scatter(i));
    }
  }
  record.heat[1].values[0] = -1;
}

/// One failure of each class, on bf16 causal attention and its variants.
void add_class_failures(Report& report) {
  struct Row {
    FailClass fail_class;
    std::string text;
    std::string check;
    std::string message;
  };
  const std::array rows{
      Row{FailClass::accuracy, training + "bf16" + causal, "accuracy.row_rho",
          "o: row rho 2.75 exceeds its limit 2"},
      Row{FailClass::nonfinite, inference + "bf16" + causal, "finite",
          "o: 3 elements are NaN where the oracle is finite"},
      Row{FailClass::nondeterministic, inference + "f16" + causal, "determinism",
          "o: 2 of 10 runs differ"},
      Row{FailClass::contract, inference + "f32" + windowed, "exact_zeros",
          "o: a fully masked row is not exactly zero"},
      Row{FailClass::out_of_bounds, inference + "f16" + windowed, "bounds.guard",
          "o: the guard behind the tensor changed at offset 12"},
  };
  for (const Row& row : rows) {
    Record record = record_of("sdpa:flash", row.text, Verdict::fail);
    const bool accuracy = row.fail_class == FailClass::accuracy;
    add_tensors(record, accuracy ? 1.375 : 0.4, accuracy);
    add_finding(record, row.fail_class, row.check, row.message);
    if (accuracy) add_explanation(record);
    report.records.push_back(record);
  }
}

/// The verdicts that no numbers belong to.
void add_other_verdicts(Report& report) {
  struct Row {
    Verdict verdict;
    std::string text;
    std::string code;
    std::string reason;
  };
  const std::array rows{
      Row{Verdict::crash, inference + "bf16" + prefix, "SIGSEGV",
          "the worker died with SIGSEGV during execute"},
      Row{Verdict::hang, inference + "f16" + prefix, "execute",
          "the worker did not answer within 30 s"},
      Row{Verdict::protocol_error, inference + "f32" + prefix, "late_frame",
          "the worker sent a frame nobody asked for"},
      Row{Verdict::out_of_memory, inference + "f16" + full, "alloc",
          "the backend could not allocate 12 GiB"},
      Row{Verdict::unsupported, training + "bf16" + prefix, "mask.prefix_lm",
          "flash attention has no prefix mask"},
      Row{Verdict::vacuous, inference + "bf16" + full, "",
          "an all-zero dq would have passed every check"},
      Row{Verdict::not_run, inference + "f32" + full, "worker_lost",
          "the worker could not be started again"},
      Row{Verdict::error, inference + "f32" + causal, "", "the backend raised: invalid argument"},
  };
  for (const Row& row : rows) {
    Record record = record_of("sdpa:flash", row.text, row.verdict);
    record.reason_code = row.code;
    record.reason = row.reason;
    record.measurement.why_no_latency = "no pass, no time";
    if (row.verdict == Verdict::crash) record.worker_log = "Segmentation fault\ncore dumped\n";
    report.records.push_back(record);
  }
}

/// What peers' rules would have said of the first pass and of the first failure.
void add_peer_rules(Report& report) {
  for (const std::string id : {"pass", "fail"}) {
    const auto record =
        std::find_if(report.records.begin(), report.records.end(),
                     [&](const Record& r) { return outcome_text(r).starts_with(id); });
    for (TensorMetrics& tensor : record->tensors) {
      if (tensor.tensor != "lse") tensor.peer_rules["fa3"] = {true, 0.4375};
      tensor.peer_rules["ck"] = {id == "pass", id == "pass" ? 0.125 : infinity};
    }
  }
}

/// Outcomes that an Expectation speaks of.
void add_foretold(Report& report) {
  Record failed = record_of("sdpa:math", training + "bf16" + causal, Verdict::fail);
  add_tensors(failed, 1.375);
  add_finding(failed, FailClass::accuracy, "accuracy.row_rho",
              "o: row rho 2.75 exceeds its limit 2");
  failed.expected = Expected::expected_fail;
  failed.expectation = note_of("backend:sdpa:math dtype:bf16", "fail(accuracy)");
  report.records.push_back(failed);

  Record crashed = record_of("sdpa:math", inference + "bf16" + windowed, Verdict::crash);
  crashed.reason_code = "SIGFPE";
  crashed.reason = "the worker died with SIGFPE during execute";
  crashed.expected = Expected::expected_fail;
  crashed.expectation = note_of("backend:sdpa:math mask:window", "crash");
  report.records.push_back(crashed);

  Record passed = record_of("sdpa:math", training + "f32" + causal, Verdict::pass);
  add_tensors(passed, 0.5);
  add_measurement(passed, 4e5);
  passed.measurement.memory = MemoryUse{std::nullopt, "", "this worker cannot tell", 262144};
  passed.expected = Expected::unexpected_pass;
  passed.expectation = note_of("backend:sdpa:math dtype:f32", "fail(accuracy)");
  report.records.push_back(passed);

  // Numbers that JSON has no word for.
  Record infinite = record_of("eigen", inference + "f16" + causal, Verdict::fail);
  add_tensors(infinite, 0.5);
  infinite.tensors[0].max_rel = std::nan("");
  infinite.tensors[0].worst[0].z = -infinity;
  infinite.tensors[0].margin["accuracy.row_rho"] = infinity;
  add_finding(infinite, FailClass::accuracy, "accuracy.row_rho", "o: row rho is infinite");
  report.records.push_back(infinite);
}

void add_run(Report& report) {
  report.fathom_version = "0.1.0";
  report.suite = "fixture";
  report.filter = "dtype:f32,bf16,f16";
  report.started_utc = "2025-01-02T03:04:05Z";
  report.manifest_hash = "00c0ffee00c0ffee";
  report.duration_s = 83.4;
  report.resumes = 1;
  report.environment = {{"cpu", "two cores"}, {"kernel", "Linux 6.1"}, {"compiler", "g++ 12.2"}};
  BackendStatus eigen{"eigen", "1.0", "cpu", "", {"native"}, {"backward", "lse", "varlen"}, {}};
  eigen.arithmetic["bf16"] = upcast_arithmetic(Dtype::bf16);
  BackendStatus flash{"sdpa:flash", "2.13.0", "cpu", "", {"native"}, {"backward", "lse"}, {}};
  flash.arithmetic["bf16"] = flash_arithmetic(Dtype::bf16);
  flash.arithmetic["bf16"].exp_rel = 5.4e-5;
  flash.arithmetic["bf16"].link = "https://github.com/pytorch/pytorch/blob/main/aten";
  report.backends = {eigen, flash, {"fa3", "", "", "no CUDA device on this machine", {}, {}, {}}};
  report.stale = {
      {note_of("backend:eigen mask:full", "fail(accuracy)"), "expectations.json", "unmatched"},
      {note_of("backend:sdpa:math dtype:f16", "crash"), "expectations.json", "expired"}};
}

void add_published(Report& report) {
  for (Record& record : report.records) {
    if (record.answered_by == "eigen") record.planned.c.tags = {"published"};
  }
  report.published = {{{"o"},
                       "f32",
                       "max_abs",
                       0,
                       2.4e-7,
                       "a fallback against a dense reference",
                       "https://github.com/sapientinc/HRM-Text/pull/5"},
                      {{"o"},
                       "bf16",
                       "max_abs",
                       0.0039,
                       0.0078,
                       "a fallback against a dense reference",
                       "https://github.com/sapientinc/HRM-Text/pull/5"},
                      {{"dq", "dk"}, "f16", "max_abs", 0, 1e-3, "nobody against nobody", ""}};
}

void plan_records(Report& report) {
  for (const Record& record : report.records) report.planned.push_back(record.planned);
}

}  // namespace

Report every_verdict_report() {
  Report report;
  add_run(report);
  add_passes(report);
  add_class_failures(report);
  add_other_verdicts(report);
  add_foretold(report);
  add_peer_rules(report);
  add_published(report);
  plan_records(report);
  return report;
}

const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> texts{
      "</script><script>window.pwned=1</script>",
      "<!--<script>",
      "</textarea></title></style><img src=x onerror=window.pwned=1>",
      "<svg onload=window.pwned=1>",
      "\"'><b onmouseover=window.pwned=1>",
      "javascript:window.pwned=1",
      "]]><x/>&amp;&#x3c;",
      "\x1b[31mred\x1b]0;title\x07\x9b"
      "1m",
      "line\xE2\x80\xA8separator\xE2\x80\xA9paragraph",
      "bidi \xE2\x80\xAE"
      "evil\xE2\x80\xAC \xE2\x81\xA6iso\xE2\x81\xA9",
      std::string("nul\0byte", 8),
      "broken \xff\xfe\xc3\x28 utf8 \xed\xa0\x80",
      "| pipe ` tick `` ticks ``` *bold* _em_ [a](javascript:alert(1)) $x$",
      "::error::injected%0A",
      "{{script}} {{data}}",
      "two\nlines\r\n\ttabbed",
      "=cmd|' /C calc'!A0",
  };
  return texts;
}

Report hostile_report() {
  Report report = every_verdict_report();
  Index next = 0;
  const auto hostile = [&next] {
    return hostile_texts()[static_cast<std::size_t>(next++) % hostile_texts().size()];
  };
  for (std::string* text : {&report.suite, &report.filter, &report.started_utc,
                            &report.manifest_hash, &report.fathom_version}) {
    *text = hostile();
  }
  for (Record& record : report.records) {
    for (std::string* text :
         {&record.planned.backend, &record.answered_by, &record.version, &record.device,
          &record.reason_code, &record.reason, &record.worker_log, &record.planned.c.suite,
          &record.planned.c.why, &record.arithmetic.link}) {
      *text = hostile();
    }
    record.planned.c.tags = {hostile(), hostile()};
    for (Finding& finding : record.findings) finding.message = finding.tensor = hostile();
    for (TensorMetrics& tensor : record.tensors) {
      tensor.margin[hostile()] = 0.5;
      tensor.peer_rules[hostile_texts().front()] = {false, 1.5};
    }
    record.answers = {{hostile(), hostile()}};
    if (record.explanation) {
      *record.explanation = {Axis::tile, hostile(), hostile(), hostile(), hostile()};
    }
    for (HeatMap& map : record.heat) map.tensor = map.rows_are = map.columns_are = hostile();
    if (!record.expectation) continue;
    *record.expectation = {hostile(), hostile(), hostile(), hostile(), hostile(), hostile()};
  }
  for (BackendStatus& backend : report.backends) {
    backend = {hostile(),   hostile(),   hostile(),         backend.absent.empty() ? "" : hostile(),
               {hostile()}, {hostile()}, backend.arithmetic};
  }
  for (StaleExpectation& stale : report.stale) {
    stale = {
        {hostile(), hostile(), hostile(), hostile(), hostile(), hostile()}, hostile(), hostile()};
  }
  for (PublishedFigure& figure : report.published) {
    figure = {{hostile()}, "f32", hostile(), 0, 1, hostile(), hostile()};
  }
  for (const std::string& text : hostile_texts()) report.environment[text] = text;
  report.planned.clear();
  plan_records(report);
  return report;
}

Report large_report(Index count) {
  Report report;
  add_run(report);
  report.suite = "large";
  report.stale.clear();
  const std::array masks{"full", "causal(bottom_right)", "causal(top_left)", "prefix_lm",
                         "causal(bottom_right)&window(128,0)"};
  const std::array<std::string, 4> backends{"eigen", "sdpa:math", "sdpa:flash",
                                            "sdpa:math/loop+dense_mask"};
  const std::array<double, 4> speed{3, 1.4, 0.6, 1.9};
  for (Index i = 0; i < count; ++i) {
    const auto b = static_cast<std::size_t>(i % 4);
    const Index length = Index{64} << (i / 4 % 7);
    const auto mask = static_cast<std::size_t>(i / 28 % 5);
    const char* dtype = i / 140 % 2 == 0 ? "bf16" : "f32";
    const std::string text = training + dtype + " layout=bshd hq=8 hkv=2 d=64 dv=64 seqs=2*" +
                             std::to_string(length) + " mask=" + masks[mask] +
                             " fill=normal seed=" + std::to_string(1 + i / 280);
    const bool fails = i % 41 == 7;
    const bool refused = b == 2 && mask == 3;
    Record record = record_of(backends[b], text,
                              refused ? Verdict::unsupported
                              : fails ? Verdict::fail
                                      : Verdict::pass);
    if (refused) {
      record.reason_code = "mask.prefix_lm";
      record.reason = "flash attention has no prefix mask";
    } else {
      add_tensors(record, fails ? 1.1 + scatter(i) : 0.2 + 0.6 * scatter(i), true);
      if (fails)
        add_finding(record, FailClass::accuracy, "accuracy.row_rho", "o: row rho too large");
      const double n = static_cast<double>(length);
      const double median = speed[b] * (2e4 + n * n * (0.9 + 0.2 * scatter(i)));
      if (!fails) add_measurement(record, median);
      if (!fails)
        record.measurement.memory->peak_bytes = static_cast<Index>(n * (b == 2 ? 4096 : n * 16));
    }
    report.records.push_back(record);
  }
  plan_records(report);
  return report;
}

}  // namespace fathom
