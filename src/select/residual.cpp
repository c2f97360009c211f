#include "select/residual.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "scored/ranking.h"

namespace air {

namespace {

constexpr std::string_view kResidual = "residual";

using Column = std::vector<double>;

double dot(const Column& a, const Column& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// Ranks from 0 to 1 without their mean.
Column centred_ranks(const Column& values) {
  Column ranks = average_ranks(values);
  const auto n = static_cast<double>(ranks.size());
  for (double& rank : ranks) rank = (rank - 0.5) / n - 0.5;  // their mean is (n + 1) / 2
  return ranks;
}

/// Takes what lies in the directions of the basis out of a column. Twice: the first time leaves
/// rounding of the size of what it took.
void remove_parts(Column& column, const std::vector<Column>& basis) {
  for (int pass = 0; pass < 2; ++pass)
    for (const Column& direction : basis) {
      const double part = dot(direction, column);
      for (size_t i = 0; i < column.size(); ++i) column[i] -= part * direction[i];
    }
}

[[noreturn]] void refuse(const ScoreChoice& choice, const std::string& what,
                         const std::string& hint = "") {
  throw Error(ErrorKind::kInput, "--by " + choice.text(), what, hint);
}

void require_variation(const Column& ranks, const std::string& name, const ScoreChoice& choice) {
  if (std::ranges::all_of(ranks, [&](double rank) { return rank == ranks.front(); }))
    refuse(choice, "\"" + name + "\" is the same in all records");
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

void check_known(const std::string& name, const std::vector<std::string>& known) {
  if (std::ranges::find(known, name) == known.end())
    throw Error(ErrorKind::kUsage, "--by",
                "unknown name \"" + name + "\", known: " + join(known, ", "),
                "or residual:NAME,…: the influence after these were accounted for; "
                "residual(SCORE):NAME,…: another score");
}

}  // namespace

ScoreChoice ScoreChoice::parse(const std::string& text, const std::vector<std::string>& known) {
  ScoreChoice choice;
  if (!text.starts_with(kResidual)) {
    check_known(text, known);
    choice.score = text;
    return choice;
  }
  std::string rest = text.substr(kResidual.size());
  if (const size_t close = rest.find(')'); rest.starts_with('(') && close != std::string::npos) {
    choice.score = rest.substr(1, close - 1);
    rest = rest.substr(close + 1);
  }
  if (!rest.starts_with(':') || rest.size() == 1)
    throw Error(ErrorKind::kUsage, "--by", "\"" + text + "\" does not say after which numbers",
                "residual:base_nll,repetition, or residual(divergence):base_nll,repetition");
  choice.after = split(rest.substr(1));
  check_known(choice.score, known);
  std::set<std::string> seen{choice.score};
  for (const std::string& name : choice.after) {
    check_known(name, known);
    if (!seen.insert(name).second)
      throw Error(ErrorKind::kUsage, "--by", "\"" + text + "\" names \"" + name + "\" twice");
  }
  return choice;
}

std::string ScoreChoice::text() const {
  if (after.empty()) return score;
  const std::string of = score == ScoreChoice().score ? "" : "(" + score + ")";
  return std::string(kResidual) + of + ":" + join(after, ",");
}

std::vector<double> rank_residuals(const std::vector<double>& score,
                                   const std::vector<std::vector<double>>& others,
                                   const ScoreChoice& choice) {
  AIR_CHECK(others.size() == choice.after.size());
  // Fewer would be fitted without a rest.
  if (score.size() < others.size() + 3)
    refuse(choice, "takes " + std::to_string(others.size() + 3) + " records or more, not " +
                       std::to_string(score.size()));
  Column residual = centred_ranks(score);
  require_variation(residual, choice.score, choice);
  std::vector<Column> basis;  // orthonormal, and orthogonal to a constant
  for (size_t i = 0; i < others.size(); ++i) {
    Column column = centred_ranks(others[i]);
    require_variation(column, choice.after[i], choice);
    const double before = std::sqrt(dot(column, column));
    remove_parts(column, basis);
    const double left = std::sqrt(dot(column, column));
    if (left < 1e-6 * before)
      refuse(choice, "\"" + choice.after[i] + "\" orders the records as those before it do",
             "leave it out");
    for (double& value : column) value /= left;
    basis.push_back(std::move(column));
  }
  remove_parts(residual, basis);
  return residual;
}

}  // namespace air
