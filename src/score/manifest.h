// OUT.manifest.json: how a scored file was made.
#pragma once

#include "base/json.h"
#include "score/score_run.h"

namespace air {

/// @param run_identity model, heads and options, as for --resume.
/// @param matrix_product_rate as measured by --bench, flops per second; 0: not measured.
Json make_manifest(const ScoreSummary& summary, const Json& run_identity,
                   double matrix_product_rate);

/// Largest memory of the process so far, bytes.
int64_t peak_memory_bytes();

}  // namespace air
