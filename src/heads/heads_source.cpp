#include "heads/heads_source.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/error.h"
#include "heads/head_ranking.h"
#include "heads/heads_import.h"

namespace air {
namespace {

/// Whether a source is a list in place rather than a file's name.
bool looks_like_list(const std::string& source) {
  return !source.empty() && source.find_first_not_of("0123456789-, ") == std::string::npos;
}

double share_of(const HeadSet& heads, const HeadGrid& grid) {
  return static_cast<double>(heads.size()) / static_cast<double>(grid.total());
}

HeadsFile listed_file(const std::string& list, const HeadModel& model) {
  HeadsFile file{.model = model};
  file.heads = parse_head_list(list);
  check_heads(file.heads, model.grid);
  file.fraction = share_of(file.heads, model.grid);
  return file;
}

/// Whether a text is a heads file of ours, of whatever version, rather than another program's.
bool has_schema(const std::string& text) {
  const std::optional<Json> json = try_parse_json(text);
  return json && json->is_object() && (json->contains("schema") || json->contains("heads"));
}

/// Scores of all the model's heads; none when they are not on our scale.
HeadScores scores_of(const PublishedHeads& published, const HeadGrid& grid) {
  const bool on_scale = std::all_of(published.scores.begin(), published.scores.end(),
                                    [](double score) { return score >= 0 && score <= 1; });
  if (published.scores.empty() || !on_scale) return {};
  HeadScores scores(grid);
  for (size_t i = 0; i < published.heads.size(); ++i)
    scores[published.heads[i]] = published.scores[i];
  return scores;
}

HeadsFile published_file(const std::string& text, const std::string& where, const HeadModel& model,
                         const CriticalSize& size) {
  const PublishedHeads published = parse_published_heads(text);
  check_heads(published.heads, model.grid);
  const auto total = static_cast<size_t>(model.grid.total());
  if (!published.scores.empty() && published.heads.size() < total)
    spdlog::warn(
        "{}: scores of {} heads, the model has {}: is it a part of the model's query heads?", where,
        published.heads.size(), total);
  HeadsFile file{.model = model};
  file.scores = scores_of(published, model.grid);
  file.heads = published.heads;
  // A list with scores ranks many heads, usually all; one without is a choice already made.
  if (!published.scores.empty())
    file.heads.resize(
        std::min(file.heads.size(), static_cast<size_t>(size.of(model.grid.total()))));
  file.fraction = share_of(file.heads, model.grid);
  spdlog::info("{}: heads of another program, {} of them critical", where, file.heads.size());
  return file;
}

void check_same_model(const HeadModel& of_file, const HeadModel& model, const std::string& where,
                      bool force) {
  std::string difference;
  if (of_file.grid != model.grid) {
    difference = "heads of a model with " + to_string(of_file.grid) + "; this model has " +
                 to_string(model.grid);
  } else if (!of_file.fingerprint.empty() && of_file.fingerprint != model.fingerprint) {
    difference = "heads of another model: fingerprint " + of_file.fingerprint +
                 ", this model has " + model.fingerprint;
  }
  if (difference.empty()) return;
  if (!force) {
    throw Error(ErrorKind::kModel, where, difference,
                "find them again with `air find-heads`, or use them anyway with --force");
  }
  spdlog::warn("{}: {} (--force)", where, difference);
}

}  // namespace

int64_t CriticalSize::of(int64_t total) const {
  if (num_heads > total)
    throw Error(ErrorKind::kUsage, "--num-heads",
                "the model has " + std::to_string(total) + " heads");
  return num_heads > 0 ? num_heads : critical_count(fraction, total);
}

HeadsFile load_heads(const std::string& source, const HeadModel& model, bool force,
                     const CriticalSize& size) {
  return in_context(source, [&] {
    if (source == "none" || looks_like_list(source)) return listed_file(source, model);
    const std::string text = read_file(source, ErrorKind::kModel);
    if (!has_schema(text)) return published_file(text, source, model, size);
    HeadsFile file = parse_heads_file(text, source);
    check_same_model(file.model, model, source, force);
    if (file.heads.empty())
      spdlog::warn("{}: the critical set is empty, so that masking it changes nothing", source);
    check_heads(file.heads, model.grid);
    return file;
  });
}

}  // namespace air
