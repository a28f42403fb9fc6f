// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace fathom::cli {

/// What a command says to its caller beside the codes of a report, which exit_code(Report) gives.
inline constexpr int exit_infrastructure = 3;  ///< Something that fathom itself needs is not there.
inline constexpr int exit_usage = 64;          ///< A command line that cannot be understood.
inline constexpr int exit_bad_data = 65;       ///< A suite, journal or case that cannot be used.
inline constexpr int exit_internal = 70;       ///< A fault of fathom's own.
inline constexpr int exit_interrupted =
    130;  ///< Stopped by a signal; what was done is in the journal.

}  // namespace fathom::cli
