// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "reference/kernels.h"

// The entry points of one build of the kernels; FATHOM_ISA is its name.

namespace fathom::reference::FATHOM_ISA {

void row_pass(const RowTask& task);
void key_pass(const KeyTask& task);
void plain_pass(const PlainTask& task);
Kernels kernels();

}  // namespace fathom::reference::FATHOM_ISA
