// SPDX-License-Identifier: Apache-2.0
#include "backends/torch/torch_choice.h"

#include <ATen/Context.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <vector>

namespace fathom::sdpa {
namespace {

/// How torch switches a variant on, its number (sdp::SDPBackend), and the word that its
/// explanations begin with.
struct Switch {
  std::string_view variant;
  Index number;
  void (at::Context::*set)(bool);
  bool (at::Context::*get)() const;
  std::string_view heading;
};

constexpr std::array switches{
    Switch{"sdpa:math", 0, &at::Context::setSDPUseMath, &at::Context::userEnabledMathSDP, "Math"},
    Switch{"sdpa:flash", 1, &at::Context::setSDPUseFlash, &at::Context::userEnabledFlashSDP,
           "Flash"},
    Switch{"sdpa:efficient", 2, &at::Context::setSDPUseMemEfficient,
           &at::Context::userEnabledMemEfficientSDP, "Memory"},
    Switch{"sdpa:cudnn", 3, &at::Context::setSDPUseCuDNN, &at::Context::userEnabledCuDNNSDP,
           "cuDNN"},
};

/// Leaves only one variant switched on, and puts all back at the end.
class Only {
 public:
  explicit Only(std::string_view variant) {
    for (std::size_t i = 0; i < switches.size(); ++i) {
      before_[i] = (at::globalContext().*switches[i].get)();
      (at::globalContext().*switches[i].set)(switches[i].variant == variant);
    }
  }
  ~Only() {
    for (std::size_t i = 0; i < switches.size(); ++i) {
      (at::globalContext().*switches[i].set)(before_[i]);
    }
  }
  Only(const Only&) = delete;
  Only& operator=(const Only&) = delete;

 private:
  std::array<bool, switches.size()> before_{};
};

/// torch explains itself in warnings; they are kept instead of printed.
class Listener : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override { heard.push_back(warning.msg()); }
  std::vector<std::string> heard;
};

/// The sentences under `Flash attention kernel not used because:`, up to the next such heading.
std::string explanation(const std::vector<std::string>& heard, std::string_view heading) {
  std::string text;
  bool ours = false;
  for (const std::string& line : heard) {
    if (line.find("not used because") != std::string::npos) {
      ours = line.starts_with(heading);
    } else if (ours) {
      text += (text.empty() ? "" : " ") + line;
    }
  }
  return text;
}

/// Asks `_fused_sdp_choice`, which throws or answers -1 if nothing that is switched on fits.
Index torchs_choice(const Operands& o, std::string& sentence) {
  const SchemaCall choice("aten::_fused_sdp_choice");
  const c10::IValue mask = o.mask ? c10::IValue(*o.mask) : c10::IValue();
  const c10::IValue scale = o.scale ? c10::IValue(*o.scale) : c10::IValue();
  try {
    const Results results = choice.call({{{"query"}, o.query, true},
                                         {{"key"}, o.key, true},
                                         {{"value"}, o.value, true},
                                         {{"attn_mask"}, mask, o.mask.has_value()},
                                         {{"is_causal"}, o.is_causal, o.is_causal},
                                         {{"scale"}, scale, false},
                                         {{"enable_gqa"}, o.grouped, o.grouped}});
    return results.at(0).value.toInt();
  } catch (const c10::Error& error) {
    sentence = error.what_without_backtrace();
    return -1;
  }
}

}  // namespace

std::optional<std::string> why_torch_refuses(std::string_view variant, const Operands& operands) {
  const auto* row = std::find_if(switches.begin(), switches.end(),
                                 [&](const Switch& s) { return s.variant == variant; });
  if (row == switches.end()) return std::nullopt;
  const Only only(variant);
  Listener listener;
  const c10::WarningUtils::WarningHandlerGuard guard(&listener);
  const c10::WarningUtils::WarnAlways always;
  std::string sentence = "torch does not choose it for these tensors";
  if (torchs_choice(operands, sentence) == row->number) return std::nullopt;
  const std::string reason = explanation(listener.heard, row->heading);
  return reason.empty() ? sentence : reason;
}

}  // namespace fathom::sdpa
