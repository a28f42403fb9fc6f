// SPDX-License-Identifier: Apache-2.0
#include "reference/oracle.h"

#include "reference/cache.h"
#include "reference/compute.h"
#include "reference/instruction_set.h"
#include "reference/parallel.h"
#include "reference/plain.h"

#include <mutex>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace fathom::reference {
namespace {

constexpr std::size_t answer_cache_bytes = std::size_t{512} << 20;
constexpr std::size_t plain_cache_bytes = std::size_t{128} << 20;

std::string hash_text(const std::vector<std::byte>& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return std::to_string(hash.high64) + "." + std::to_string(hash.low64);
}

/// What an answer depends on.
std::string key_of(const Problem& problem, const std::string& arithmetic, const TensorSet& inputs) {
  std::string key = to_string(problem) + "\n" + arithmetic;
  for (const auto& [name, tensor] : inputs) key += "\n" + hash_text(tensor.bytes);
  return key;
}

std::size_t size_of(const OracleAnswer& answer) {
  std::size_t doubles = 0;
  for (const auto& [name, tensor] : answer) {
    doubles += tensor.value.size() + tensor.sigma.size() + tensor.bound.size() + tensor.mean.size();
  }
  return doubles * sizeof(double);
}

std::size_t size_of(const PlainAnswer& answer) {
  std::size_t doubles = 0;
  for (const auto& [name, values] : answer) doubles += values.size();
  return doubles * sizeof(double);
}

/// Several backends ask about the same Case one after the other; only the first one waits.
class CachedOracle : public Oracle {
 public:
  explicit CachedOracle(const OracleOptions& options)
      : kernels_(runnable_kernels().front()), threads_(thread_count(options.threads)) {}

  std::shared_ptr<const OracleAnswer> answer(const Problem& problem, const Arithmetic& arithmetic,
                                             const TensorSet& inputs) override {
    const std::string key = key_of(problem, to_string(arithmetic), inputs);
    const std::lock_guard lock(guard_);
    if (auto known = answers_.find(key)) return known;
    auto found = std::make_shared<const OracleAnswer>(
        compute_answer(problem, arithmetic, inputs, kernels_, threads_));
    answers_.insert(key, found, size_of(*found));
    return found;
  }

  std::shared_ptr<const PlainAnswer> plain(const Problem& problem, const TensorSet& inputs,
                                           PlainVariant variant) override {
    const bool both = variant == PlainVariant::scaled_both;
    const std::string key = key_of(problem, both ? "scaled_both" : "scaled_k", inputs);
    const std::lock_guard lock(guard_);
    if (auto known = plains_.find(key)) return known;
    auto found = compute_plain(problem, inputs, variant, kernels_, threads_);
    if (found) plains_.insert(key, found, size_of(*found));
    return found;
  }

 private:
  Kernels kernels_;
  int threads_;
  std::mutex guard_;
  Cache<OracleAnswer> answers_{answer_cache_bytes};
  Cache<PlainAnswer> plains_{plain_cache_bytes};
};

}  // namespace

std::unique_ptr<Oracle> make_oracle(OracleOptions options) {
  return std::make_unique<CachedOracle>(options);
}

}  // namespace fathom::reference
