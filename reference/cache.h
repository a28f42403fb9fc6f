// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

namespace fathom::reference {

/// Values by text key, bounded in bytes: the least recently asked for go first. A value larger
/// than the whole cache is not kept.
template <typename Value>
class Cache {
 public:
  explicit Cache(std::size_t capacity_bytes) : capacity_(capacity_bytes) {}

  /// Null if the key is not there.
  std::shared_ptr<const Value> find(const std::string& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->value;
  }

  /// The key must not be there yet.
  void insert(const std::string& key, std::shared_ptr<const Value> value, std::size_t bytes) {
    if (bytes > capacity_) return;
    while (bytes_ + bytes > capacity_) drop_oldest();
    entries_.push_front({key, std::move(value), bytes});
    places_[key] = entries_.begin();
    bytes_ += bytes;
  }

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Value> value;
    std::size_t bytes;
  };

  void drop_oldest() {
    bytes_ -= entries_.back().bytes;
    places_.erase(entries_.back().key);
    entries_.pop_back();
  }

  std::size_t capacity_;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;  ///< Most recently asked for first.
  std::unordered_map<std::string, typename std::list<Entry>::iterator> places_;
};

}  // namespace fathom::reference
