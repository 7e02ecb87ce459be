// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// What traces may hold. Lengths count characters where nothing else is said; names that MLflow 3.17
// has a limit for have the same.

namespace ciclo::tracking {

inline constexpr std::size_t kTraceIdLengthMax = 250;
inline constexpr std::size_t kTraceNameLengthMax = 4'096;
inline constexpr std::size_t kTraceSessionLengthMax = 250;
inline constexpr std::size_t kTracePreviewLengthMax = 10'000;  // longer ones are cut
inline constexpr std::size_t kTracePairsMax = 1'000;           // tags, and metadata, of one call
inline constexpr std::size_t kTraceLinksMax = 100;
inline constexpr std::size_t kTraceIdsMax = 10'000;       // of one call that reads
inline constexpr std::size_t kSpansMax = 10'000;          // of one call
inline constexpr std::size_t kSpanNameLengthMax = 1'000;  // as a filter sees it; the span keeps all
inline constexpr std::size_t kSpanBytesAnsweredMax = 256 << 20;  // of one call that reads
inline constexpr std::int64_t kTraceSearchMax = 500;
// Times that RFC 3339 can write, of the years 1 to 9999: every client reads them.
inline constexpr std::int64_t kTraceTimeMsMin = -62'135'596'800'000;
inline constexpr std::int64_t kTraceTimeMsMax = 253'402'300'799'999;
inline constexpr std::int64_t kTracesDeletedAtOnce = 200;  // in one transaction
inline constexpr std::size_t kAssessmentsMax = 1'000;      // of one call
inline constexpr std::size_t kAssessmentValueBytesMax = 1 << 20;
inline constexpr std::size_t kAssessmentTextLengthMax = 65'535;

}  // namespace ciclo::tracking
