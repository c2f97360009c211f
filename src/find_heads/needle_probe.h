// Needle probes: one fact hidden in a haystack, over context lengths × depths (Wu et al. 2024,
// arXiv:2404.15574).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "find_heads/haystack.h"
#include "find_heads/probe.h"
#include "find_heads/probe_grid.h"
#include "text/tokenizer.h"

namespace air {

/// A fact and the question that it answers: "LEAD ANSWER." is hidden, "QUESTION … LEAD" asks for
/// ANSWER.
struct Needle {
  std::string lead;      ///< "The password of Anna is:"
  std::string question;  ///< "What is the password of Anna?"
  std::string answer;    ///< " silver candle …", with the space before it
};

/// Number of wordings: lists of words and natural sentences.
size_t num_needle_wordings();
/// A needle with fresh words. @param wording below num_needle_wordings().
Needle make_needle(size_t wording, Rng& rng);

/// Tokens that the longest needles take with their questions, without any haystack: lengths must be
/// greater.
int64_t longest_needle(const Tokenizer& tokenizer, const ProbeFormat& format);

/// Every depth and every wording comes equally often, as far as the numbers allow. The needle
/// stands between two sentences of the haystack; the answer's tokens are its tokens.
/// @throws Error(kUsage) when a needle does not fit a length, Error(kModel) when this tokenizer
///   splits no needle and its
///         copy alike.
std::vector<Probe> make_needle_probes(const ProbeGrid& grid, const Haystack& haystack,
                                      const Tokenizer& tokenizer, const ProbeFormat& format);

}  // namespace air
