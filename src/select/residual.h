// What of a score other numbers do not explain: the residual of a linear regression on ranks.
#pragma once

#include <string>
#include <vector>

namespace air {

/// What `--by` names: a number, or a number after others were accounted for.
struct ScoreChoice {
  std::string score = "influence";
  std::vector<std::string> after;  ///< the others; empty: the number itself

  /// "influence"; "residual:base_nll,repetition", of the influence;
  /// "residual(divergence):base_nll".
  /// @param known names of numbers.   @throws Error(kUsage) that names what is unknown, missing,
  ///   twice there, or both the score and one of the others.
  static ScoreChoice parse(const std::string& text, const std::vector<std::string>& known);
  /// As parse() reads it.
  std::string text() const;
};

/// Each record's score by its rank, less what a least-squares fit on the ranks of the others (and a
/// constant) gives it. Ranks are (rank − ½) / n, from 0 for the smallest to 1 for the greatest,
/// ties sharing their mean: 0.1 is ten percentiles above what the others lead to expect. The
/// residuals sum to 0 and are uncorrelated with the ranks of each of the others.
/// @param score [n]   @param others a column [n] for each of choice.after
/// @throws Error(kInput) that names a column which is the same in all records, or which the ones
///   before it determine; when there are too few records.
std::vector<double> rank_residuals(const std::vector<double>& score,
                                   const std::vector<std::vector<double>>& others,
                                   const ScoreChoice& choice);

}  // namespace air
