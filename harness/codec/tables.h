// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "harness/codec/json.h"

#include <tuple>

// The field tables of core's structs and the words of its enumerations. Adding a member to a
// struct is adding a row here.

namespace fathom {

template <>
inline constexpr auto word_parser<Fill> = &parse_fill;
template <>
inline constexpr auto word_parser<ProbeName> = &parse_probe_name;
template <>
inline constexpr auto word_parser<Verdict> = &parse_verdict;
template <>
inline constexpr auto word_parser<FailClass> = &parse_fail_class;
template <>
inline constexpr auto word_parser<Expected> = &parse_expected;
template <>
inline constexpr auto word_parser<Axis> = &parse_axis;

template <>
inline constexpr auto json_fields<Case> = std::tuple{
    Field{"problem", &Case::problem}, Field{"fill", &Case::fill},
    Field{"seed", &Case::seed},       Field{"probe", &Case::probe, Presence::optional},
    Field{"suite", &Case::suite},     Field{"tags", &Case::tags},
    Field{"why", &Case::why},
};

template <>
inline constexpr auto json_fields<PlannedCase> = std::tuple{
    Field{"id", &PlannedCase::id},
    Field{"backend", &PlannedCase::backend},
    Field{"case", &PlannedCase::c},
};

template <>
inline constexpr auto json_fields<ElementPlace> = std::tuple{
    Field{"sequence", &ElementPlace::sequence},
    Field{"head", &ElementPlace::head},
    Field{"row", &ElementPlace::row},
    Field{"channel", &ElementPlace::channel},
};

template <>
inline constexpr auto json_fields<Element> = std::tuple{
    Field{"tensor", &Element::tensor}, Field{"place", &Element::place}, Field{"got", &Element::got},
    Field{"want", &Element::want},     Field{"sigma", &Element::sigma}, Field{"z", &Element::z},
};

template <>
inline constexpr auto json_fields<Finding> = std::tuple{
    Field{"check", &Finding::check},           Field{"tensor", &Finding::tensor},
    Field{"fail_class", &Finding::fail_class}, Field{"message", &Finding::message},
    Field{"value", &Finding::value},           Field{"limit", &Finding::limit},
    Field{"worst", &Finding::worst},
};

template <>
inline constexpr auto json_fields<RowRho> = std::tuple{
    Field{"max", &RowRho::max},
    Field{"index", &RowRho::index},
    Field{"p99", &RowRho::p99},
};

template <>
inline constexpr auto json_fields<LseMetrics> = std::tuple{
    Field{"max_u32", &LseMetrics::max_u32},
    Field{"share", &LseMetrics::share},
};

template <>
inline constexpr auto json_fields<FaRatio> = std::tuple{
    Field{"max", &FaRatio::max},
    Field{"mean", &FaRatio::mean},
};

template <>
inline constexpr auto json_fields<Counts> = std::tuple{
    Field{"got", &Counts::got},
    Field{"want", &Counts::want},
};

template <>
inline constexpr auto json_fields<PeerVerdict> = std::tuple{
    Field{"pass", &PeerVerdict::pass},
    Field{"share", &PeerVerdict::share},
};

template <>
inline constexpr auto json_fields<TensorMetrics> = std::tuple{
    Field{"tensor", &TensorMetrics::tensor},
    Field{"elements", &TensorMetrics::elements},
    Field{"transport", &TensorMetrics::transport},
    Field{"max_abs", &TensorMetrics::max_abs},
    Field{"max_rel", &TensorMetrics::max_rel},
    Field{"rel_f", &TensorMetrics::rel_f},
    Field{"nmse", &TensorMetrics::nmse},
    Field{"row_rho", &TensorMetrics::row_rho},
    Field{"tensor_rho", &TensorMetrics::tensor_rho},
    Field{"z_max", &TensorMetrics::z_max},
    Field{"bias_z", &TensorMetrics::bias_z},
    Field{"gain", &TensorMetrics::gain},
    Field{"gain_limit", &TensorMetrics::gain_limit},
    Field{"ulp_hist", &TensorMetrics::ulp_hist},
    Field{"cosine", &TensorMetrics::cosine},
    Field{"nan", &TensorMetrics::nan},
    Field{"inf", &TensorMetrics::inf},
    Field{"zeros", &TensorMetrics::zeros},
    Field{"lse", &TensorMetrics::lse},
    Field{"fa_ratio", &TensorMetrics::fa_ratio},
    Field{"tile_rho", &TensorMetrics::tile_rho},
    Field{"margin", &TensorMetrics::margin},
    Field{"worst", &TensorMetrics::worst},
    Field{"zero_would_pass", &TensorMetrics::zero_would_pass},
    Field{"peer_rules", &TensorMetrics::peer_rules, Presence::optional},
};

template <>
inline constexpr auto json_fields<Cost> = std::tuple{
    Field{"visible_pairs", &Cost::visible_pairs},   Field{"flops_forward", &Cost::flops_forward},
    Field{"flops_backward", &Cost::flops_backward}, Field{"bytes_forward", &Cost::bytes_forward},
    Field{"bytes_backward", &Cost::bytes_backward},
};

template <>
inline constexpr auto json_fields<Latency> = std::tuple{
    Field{"pass", &Latency::pass},
    Field{"mode", &Latency::mode},
    Field{"cold", &Latency::cold},
    Field{"samples_ns", &Latency::samples_ns},
    Field{"median_ns", &Latency::median_ns},
    Field{"q25_ns", &Latency::q25_ns},
    Field{"q75_ns", &Latency::q75_ns},
    Field{"min_ns", &Latency::min_ns},
    Field{"half_width_95_ns", &Latency::half_width_95_ns},
    Field{"stop_reason", &Latency::stop_reason},
    Field{"flops_per_s", &Latency::flops_per_s},
    Field{"bytes_per_s", &Latency::bytes_per_s},
};

template <>
inline constexpr auto json_fields<MemoryUse> = std::tuple{
    Field{"peak_bytes", &MemoryUse::peak_bytes},
    Field{"method", &MemoryUse::method},
    Field{"reason", &MemoryUse::reason},
    Field{"output_bytes", &MemoryUse::output_bytes},
};

template <>
inline constexpr auto json_fields<Measurement> = std::tuple{
    Field{"latency", &Measurement::latency},
    Field{"memory", &Measurement::memory},
    Field{"first_call_ns", &Measurement::first_call_ns},
    Field{"why_no_latency", &Measurement::why_no_latency},
};

template <>
inline constexpr auto json_fields<ExpectationNote> = std::tuple{
    Field{"match", &ExpectationNote::match},       Field{"verdict", &ExpectationNote::verdict},
    Field{"evidence", &ExpectationNote::evidence}, Field{"reason", &ExpectationNote::reason},
    Field{"link", &ExpectationNote::link},         Field{"expires", &ExpectationNote::expires},
};

template <>
inline constexpr auto json_fields<Explanation> = std::tuple{
    Field{"axis", &Explanation::axis},   Field{"tensor", &Explanation::tensor},
    Field{"where", &Explanation::where}, Field{"sentence", &Explanation::sentence},
    Field{"cause", &Explanation::cause},
};

template <>
inline constexpr auto json_fields<HeatMap> = std::tuple{
    Field{"tensor", &HeatMap::tensor},           Field{"rows_are", &HeatMap::rows_are},
    Field{"columns_are", &HeatMap::columns_are}, Field{"rows", &HeatMap::rows},
    Field{"columns", &HeatMap::columns},         Field{"values", &HeatMap::values},
};

template <>
inline constexpr auto json_fields<Record> = std::tuple{
    Field{"planned", &Record::planned},
    Field{"answered_by", &Record::answered_by},
    Field{"version", &Record::version},
    Field{"device", &Record::device},
    Field{"verdict", &Record::verdict},
    Field{"fail_class", &Record::fail_class},
    Field{"reason_code", &Record::reason_code},
    Field{"reason", &Record::reason},
    Field{"expected", &Record::expected},
    Field{"expectation", &Record::expectation},
    Field{"arithmetic", &Record::arithmetic},
    Field{"cost", &Record::cost},
    Field{"findings", &Record::findings},
    Field{"tensors", &Record::tensors},
    Field{"measurement", &Record::measurement},
    Field{"phase_ns", &Record::phase_ns},
    Field{"worker_log", &Record::worker_log},
    Field{"answers", &Record::answers, Presence::optional},
    Field{"outputs_hash", &Record::outputs_hash, Presence::optional},
    Field{"explanation", &Record::explanation, Presence::optional},
    Field{"heat", &Record::heat, Presence::optional},
};

template <>
inline constexpr auto json_fields<BackendStatus> = std::tuple{
    Field{"name", &BackendStatus::name},
    Field{"version", &BackendStatus::version},
    Field{"device", &BackendStatus::device},
    Field{"absent", &BackendStatus::absent},
    Field{"lowerings", &BackendStatus::lowerings},
    Field{"features", &BackendStatus::features},
    Field{"arithmetic", &BackendStatus::arithmetic},
};

template <>
inline constexpr auto json_fields<PublishedFigure> = std::tuple{
    Field{"tensors", &PublishedFigure::tensors}, Field{"dtype", &PublishedFigure::dtype},
    Field{"what", &PublishedFigure::what},       Field{"low", &PublishedFigure::low},
    Field{"high", &PublishedFigure::high},       Field{"compares", &PublishedFigure::compares},
    Field{"source", &PublishedFigure::source},
};

template <>
inline constexpr auto json_fields<StaleExpectation> = std::tuple{
    Field{"note", &StaleExpectation::note},
    Field{"file", &StaleExpectation::file},
    Field{"problem", &StaleExpectation::problem},
};

template <>
inline constexpr auto json_fields<MeasuredPower> = std::tuple{
    Field{"cases_hash", &MeasuredPower::cases_hash},
    Field{"measured_utc", &MeasuredPower::measured_utc},
    Field{"killed", &MeasuredPower::killed},
    Field{"of", &MeasuredPower::of},
    Field{"low", &MeasuredPower::low},
    Field{"high", &MeasuredPower::high},
    Field{"survivors", &MeasuredPower::survivors},
};

template <>
inline constexpr auto json_fields<Report> = std::tuple{
    Field{"fathom_version", &Report::fathom_version},
    Field{"suite", &Report::suite},
    Field{"filter", &Report::filter},
    Field{"started_utc", &Report::started_utc},
    Field{"manifest_hash", &Report::manifest_hash},
    Field{"duration_s", &Report::duration_s},
    Field{"resumes", &Report::resumes},
    Field{"planned", &Report::planned},
    Field{"records", &Report::records},
    Field{"backends", &Report::backends},
    Field{"stale", &Report::stale},
    Field{"published", &Report::published},
    Field{"power", &Report::power, Presence::optional},
    Field{"environment", &Report::environment},
};

}  // namespace fathom
