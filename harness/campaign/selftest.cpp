// SPDX-License-Identifier: Apache-2.0
#include "harness/campaign/selftest.h"

#include "harness/codec/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace fathom {
namespace {

using Out = std::back_insert_iterator<std::string>;

std::string rate_text(const Rate& rate) {
  if (rate.of == 0) return "nothing to kill";
  return fmt::format("{} of {} ({:.1f} %, 95 % interval {:.1f} to {:.1f})", rate.killed, rate.of,
                     100.0 * static_cast<double>(rate.killed) / static_cast<double>(rate.of),
                     100 * rate.low, 100 * rate.high);
}

void add_list(std::string& text, std::string_view title, const std::vector<std::string>& items) {
  if (items.empty()) return;
  fmt::format_to(Out(text), "\n{} ({}):\n", title, items.size());
  for (const std::string& item : items) fmt::format_to(Out(text), "  {}\n", item);
}

void add_alarms(std::string& text, const std::vector<Alarm>& alarms) {
  for (const Alarm& a : alarms) {
    fmt::format_to(Out(text), "  {} {}: {}\n    {}\n", a.backend, a.outcome, a.text, a.reason);
  }
}

void add_checks(std::string& text, const Power& power) {
  if (power.kills.empty()) return;
  fmt::format_to(Out(text), "\n{:<32} {:>6} {:>6}\n", "check", "kills", "alone");
  for (const auto& [check, kills] : power.kills) {
    const auto alone = power.alone.find(check);
    const bool diagnostic = alone == power.alone.end();
    fmt::format_to(Out(text), "{:<32} {:>6} {:>6}{}\n", check, kills,
                   diagnostic ? 0 : alone->second,
                   diagnostic ? "  diagnostic: kills nothing alone" : "");
  }
}

/// Of the honest twin on the suite, then of the drawn Cases.
std::vector<Alarm> all_alarms(const Selftest& selftest) {
  std::vector<Alarm> alarms = selftest.matrix.alarms;
  for (const CleanRun& run : selftest.clean) {
    alarms.insert(alarms.end(), run.alarms.begin(), run.alarms.end());
  }
  return alarms;
}

std::size_t clean_case_count(const Selftest& selftest) {
  std::size_t count = selftest.matrix.twin_cases;
  for (const CleanRun& run : selftest.clean) {
    for (const auto& [backend, judged] : run.judged) count += judged;
  }
  return count;
}

OrderedJson rate_json(const Rate& rate) {
  return {{"killed", rate.killed}, {"of", rate.of}, {"low", rate.low}, {"high", rate.high}};
}

OrderedJson cell_json(const Cell& cell) {
  OrderedJson json = {{"mutant", cell.mutant},
                      {"pass", cell.pass},
                      {"dtype", cell.dtype},
                      {"key_length", cell.key_length},
                      {"state", to_string(cell.state)},
                      {"killed_by", cell.killed_by}};
  OrderedJson checks = OrderedJson::object();
  for (const auto& [text, names] : cell.checks) checks[text] = names;
  json["checks"] = checks;
  std::map<std::string, Index> axes;
  for (const auto& [text, said] : cell.explanations) ++axes[std::string(to_string(said.axis))];
  json["axes"] = axes;
  return json;
}

OrderedJson clean_json(const Selftest& selftest) {
  OrderedJson list = OrderedJson::array();
  for (const CleanRun& run : selftest.clean) {
    list.push_back({{"draw", run.draw}, {"judged", run.judged}, {"other", run.other}});
  }
  return list;
}

OrderedJson alarms_json(const Selftest& selftest) {
  OrderedJson list = OrderedJson::array();
  for (const Alarm& alarm : all_alarms(selftest)) {
    list.push_back({{"backend", alarm.backend},
                    {"case", alarm.text},
                    {"outcome", alarm.outcome},
                    {"reason", alarm.reason}});
  }
  return list;
}

}  // namespace

int exit_code(const Selftest& selftest) {
  const bool sees_all =
      selftest.power.survivors.empty() && selftest.power.dead.empty() && selftest.power.all.of > 0;
  const bool names_rightly = selftest.explainer.misnamed.empty();
  return sees_all && names_rightly && all_alarms(selftest).empty() ? 0 : 1;
}

std::string summary_text(const Selftest& selftest) {
  const Power& power = selftest.power;
  std::string text;
  fmt::format_to(Out(text), "{} mutants on suite {} ({})\n\n", selftest.mutants.size(),
                 selftest.suite, selftest.full ? "every case" : "until the first kill");
  for (const auto& [group, rate] : power.by_group) {
    fmt::format_to(Out(text), "  {:<28} {}\n", group, rate_text(rate));
  }
  fmt::format_to(Out(text), "\nkilled: {}; {} cells are equivalent\n", rate_text(power.all),
                 power.equivalent);
  add_list(text, "SURVIVORS", power.survivors);
  add_list(text, "dead mutants, which changed no bit in any case asked", power.dead);
  if (selftest.full) {
    add_list(text, "fragile mutants, which one check alone kills", power.fragile);
    add_checks(text, power);
    add_list(text, "cases that failed no mutant", selftest.matrix.idle);
  }
  if (!selftest.peers.empty()) text += "\n" + peer_table(selftest.peers, selftest.matrix);
  const std::string explained = explainer_text(selftest.explainer);
  if (!explained.empty()) text += "\n" + explained;
  for (const Alarm& c : selftest.matrix.powerless) {
    fmt::format_to(Out(text), "\npowerless: {} on {}\n    {}\n", c.outcome, c.text, c.reason);
  }
  fmt::format_to(Out(text), "\nalarms: {} in {} clean cases\n", all_alarms(selftest).size(),
                 clean_case_count(selftest));
  add_alarms(text, selftest.matrix.alarms);
  for (const CleanRun& run : selftest.clean) {
    for (const auto& [backend, judged] : run.judged) {
      const auto other = run.other.find(backend);
      fmt::format_to(Out(text), "  draw {}: {} judged {}, {} refused or vacuous\n", run.draw,
                     backend, judged, other == run.other.end() ? 0 : other->second);
    }
    add_alarms(text, run.alarms);
  }
  return text;
}

OrderedJson to_json(const Selftest& selftest) {
  const Power& power = selftest.power;
  OrderedJson json = {{"schema", "fathom.selftest/1"},
                      {"suite", selftest.suite},
                      {"suite_hash", selftest.suite_hash},
                      {"full", selftest.full},
                      {"duration_s", selftest.duration_s},
                      {"cells", power.all.of},
                      {"killed", power.all.killed},
                      {"equivalent", power.equivalent},
                      {"rate", rate_json(power.all)},
                      {"survivors", power.survivors},
                      {"dead", power.dead},
                      {"fragile", power.fragile},
                      {"checks", power.kills},
                      {"checks_alone", power.alone},
                      {"idle_cases", selftest.matrix.idle},
                      {"clean_cases", clean_case_count(selftest)},
                      {"clean", clean_json(selftest)},
                      {"alarms", alarms_json(selftest)}};
  OrderedJson groups = OrderedJson::object();
  for (const auto& [group, rate] : power.by_group) groups[group] = rate_json(rate);
  json["groups"] = groups;
  json["explainer"] = to_json(selftest.explainer);
  OrderedJson peers = OrderedJson::array();
  for (const PeerPower& peer : selftest.peers) {
    peers.push_back({{"rule", peer.rule},
                     {"killed", peer.killed},
                     {"own_killed", peer.own_killed},
                     {"of", peer.of},
                     {"cries", peer.cries},
                     {"cases", peer.cases}});
  }
  json["peers"] = peers;
  OrderedJson matrix = OrderedJson::array();
  for (const Cell& cell : selftest.matrix.cells) matrix.push_back(cell_json(cell));
  json["matrix"] = matrix;
  return json;
}

}  // namespace fathom
