// How much arithmetic a forward pass needs: the yardstick for how fast it runs.
#pragma once

#include "model/batch.h"
#include "model/model_config.h"

namespace air {

/// Floating-point operations (a multiply-add counts as two) of the matrix products that a pass over
/// a batch needs: layers below `fork_layer` once, the others for each variant, attention for
/// visible keys only, recurrences as their chunks are computed, lm_head and the last layer's part
/// after attention for `output_rows` of each variant (0: no lm_head, and all rows). Norms,
/// activations and softmax are left out, as is customary.
double forward_flops(const ModelConfig& config, const PackedSequences& sequences,
                     int64_t output_rows, int64_t fork_layer, int64_t num_variants);

/// Of these, those of the mixers beside their projections, in one pass of one variant: attention's
/// scores and sums of values, the chunks of recurrences.
double attention_flops(const ModelConfig& config, const PackedSequences& sequences);

}  // namespace air
