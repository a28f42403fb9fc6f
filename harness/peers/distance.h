// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

// The statistics that acceptance rules are made of. A NaN anywhere makes each of them NaN, except
// where it says otherwise. Spans are equally long.

namespace fathom {

/// max |a - b|.
double max_distance(std::span<const double> a, std::span<const double> b);
/// mean |a - b|.
double mean_distance(std::span<const double> a, std::span<const double> b);
/// max |(a - b) / b|, with 0/0 taken as `at_zero`; infinite where only b is 0.
double max_relative_distance(std::span<const double> a, std::span<const double> b, double at_zero);

/// An absolute and a relative tolerance, added as torch.allclose and numpy do.
struct Closeness {
  double absolute = 0;
  double relative = 0;
};

/// |a - b| as a share of absolute + relative |b|: 0 if equal (infinities too), infinite if only
/// one of them is finite.
double closeness_share(double a, double b, Closeness limit);
/// The largest closeness_share.
double worst_closeness(std::span<const double> a, std::span<const double> b, Closeness limit);
/// The share of elements that are not close; one that is NaN is not.
double share_not_close(std::span<const double> a, std::span<const double> b, Closeness limit);

/// sum (a - b)^2 / sum b^2; 0 if a equals b.
double normalised_square_error(std::span<const double> a, std::span<const double> b);
/// 1 - cosine of the angle between a and b; NaN if one of them is 0.
double cosine_deficit(std::span<const double> a, std::span<const double> b);

/// `value` as a share of `limit`; 0 is no share of anything.
double peer_share(double value, double limit);

}  // namespace fathom
