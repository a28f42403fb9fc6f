// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace fathom {

/// The parts of the page that do not depend on a Report, embedded at build time from
/// reports/html/. A hash is what a Content-Security-Policy wants: `sha256-<base64>`.
struct PageAssets {
  std::string_view page;  ///< The page with `{{name}}` places.
  std::string_view glyphs;
  std::string_view style;
  std::string_view style_hash;
  std::string_view script;
  std::string_view script_hash;
  std::string_view chart;  ///< Chart.js, or empty if it was not there when fathom was built.
  std::string_view chart_hash;
};

const PageAssets& page_assets();

}  // namespace fathom
