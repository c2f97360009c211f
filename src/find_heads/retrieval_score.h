// How much of a needle each head copies: the retrieval score (Wu et al. 2024, arXiv:2404.15574,
// section 2).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "find_heads/probe.h"

namespace air {

/// The key with the greatest probability in each row; ties: the lowest position.
/// @param rows attention probabilities of one layer, [H, A, T]   @return [H, A] int64, on the CPU.
at::Tensor row_peaks(const at::Tensor& rows);

/// The score of one head on one probe. Answer token t, predicted by the row of position t − 1, is
/// copied when it occurs in the needle (C1) and its row peaks inside the needle on a key that holds
/// the same token (C2). Each distinct token of the needle counts once, however often it is copied.
/// @param peaks the peak of the row that predicts each answer token, [A].
/// @return copied ÷ distinct needle tokens, in [0, 1].   @throws a bug unless A answer tokens,
/// needle not empty.
double retrieval_score(std::span<const int64_t> peaks, const Probe& probe);

/// Scores of all heads of a layer. @param peaks [H, A] of row_peaks.   @return [H]
std::vector<double> retrieval_scores(const at::Tensor& peaks, const Probe& probe);

}  // namespace air
