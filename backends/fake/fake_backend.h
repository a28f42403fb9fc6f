// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/fake/faults.h"
#include "harness/worker/backend.h"

#include <memory>

namespace fathom::fake {

/// Head dim of the Problems in which the fake misbehaves; it is honest in all others.
inline constexpr Index trigger_head_dim = 13;

/// A naive forward attention in f32 (dense bshd, full mask), that can be told to spoil what it
/// writes in Problems of the trigger's head dim.
std::unique_ptr<worker::Backend> make_fake_backend(Damage damage);

}  // namespace fathom::fake
