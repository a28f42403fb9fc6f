// SPDX-License-Identifier: Apache-2.0
#include "harness/run/worker_pool.h"

#include "harness/core/text.h"

#include <algorithm>

namespace fathom {

std::vector<std::string> split_command(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool open = false;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      open = true;
    } else if (c == ' ' || c == '\t') {
      if (open) words.push_back(std::move(word));
      word.clear();
      open = false;
    } else {
      word += c;
      open = true;
    }
  }
  if (quote != 0) throw UsageError("the command '" + std::string(text) + "' lacks a closing quote");
  if (open) words.push_back(std::move(word));
  return words;
}

WorkerPool::WorkerPool(std::vector<WorkerCommand> commands, Deadlines deadlines)
    : deadlines_(deadlines) {
  for (WorkerCommand& command : commands) slots_.push_back({std::move(command), nullptr, {}});
}

std::vector<BackendStatus> WorkerPool::introduce(std::size_t slot) {
  const WorkerCommand& command = slots_[slot].command;
  BackendStatus absent;
  absent.name = command.name;
  std::string log;
  try {
    slots_[slot].client = std::make_unique<WorkerClient>(command, deadlines_);
    return slots_[slot].client->hello().backends;
  } catch (const std::exception& e) {
    absent.absent = e.what();
    if (slots_[slot].client) log = slots_[slot].client->take_log();
    slots_[slot].client.reset();
  }
  const std::string_view printed = trim(log);
  if (!printed.empty()) absent.absent += "; it printed: " + std::string(printed.substr(0, 400));
  return {absent};
}

void WorkerPool::enter(std::size_t slot, BackendStatus& status) {
  if (slot_of_.contains(status.name)) {
    const std::string variant =
        status.name.substr(std::min(status.name.find(':'), status.name.size()));
    const std::string renamed = slots_[slot].command.name + variant;
    if (slot_of_.contains(renamed)) {
      throw UsageError("two workers offer the backend '" + renamed + "'");
    }
    slots_[slot].aliases[renamed] = status.name;
    status.name = renamed;
  }
  slot_of_[status.name] = slot;
  statuses_[status.name] = status;
}

std::vector<BackendStatus> WorkerPool::hello() {
  std::vector<BackendStatus> all;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    for (BackendStatus& status : introduce(slot)) {
      enter(slot, status);
      all.push_back(std::move(status));
    }
    if (slots_[slot].client) slots_[slot].client->use(slots_[slot].aliases);
  }
  return all;
}

const BackendStatus* WorkerPool::find(const std::string& backend) const {
  const auto at = statuses_.find(backend);
  return at == statuses_.end() ? nullptr : &at->second;
}

WorkerClient& WorkerPool::client(const std::string& backend) {
  Slot& slot = slots_.at(slot_of_.at(backend));
  if (!slot.client) {
    slot.client = std::make_unique<WorkerClient>(slot.command, deadlines_);
    slot.client->hello();
    slot.client->use(slot.aliases);
  }
  return *slot.client;
}

std::string WorkerPool::retire(const std::string& backend) {
  Slot& slot = slots_.at(slot_of_.at(backend));
  if (!slot.client) return {};
  std::string log = slot.client->take_log();
  slot.client.reset();
  return log;
}

}  // namespace fathom
