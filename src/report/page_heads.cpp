// The section on the heads: how they were found, the map of scores, the critical set.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "report/chart.h"
#include "report/html.h"
#include "report/page_parts.h"

namespace air {

namespace {

std::string how_found(const HeadsFile& heads) {
  const ProbeSummary& probes = heads.probes;
  std::string out = fmt::format("<p>{} of the {} query heads of this {} model of {} are weakened",
                                heads.heads.size(), with_thousands(heads.model.grid.total()),
                                isolated_html(heads.model.model_type), to_string(heads.model.grid));
  if (probes.num_probes > 0) {
    out += fmt::format(". They were found with {} {} probes, of which the model answered {}",
                       with_thousands(probes.num_probes), escape_html(probes.kind),
                       with_thousands(probes.num_answered));
    if (!probes.lengths.empty()) {
      const auto [least, most] = std::ranges::minmax(probes.lengths);
      out += least == most ? fmt::format(", {} tokens long", with_thousands(least))
                           : fmt::format(", {} to {} tokens long", with_thousands(least),
                                         with_thousands(most));
    }
  }
  return out + ".</p>\n";
}

/// A number inside the details of a heads file; none when it is not there.
std::optional<double> number_in(const Json& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::string overlap_sentence(const Json& stability) {
  const auto jaccard = number_in(stability, "split_half_jaccard");
  if (!jaccard) return "";
  return fmt::format(
      " The critical sets of two halves of the probes overlap by <b>{}</b> (Jaccard; 1: the same "
      "set).",
      short_number(*jaccard));
}

/// Losses under --verify, a row each.
std::string verify_table(const Json& verify) {
  std::string rows;
  const auto mean_nll = [](const Json& draws) {
    double sum = 0;
    for (const Json& draw : draws) sum += number_in(draw, "nll").value_or(0);
    return sum / static_cast<double>(draws.size());
  };
  for (const char* what : {"probes", "text"}) {
    const auto part = verify.find(what);
    if (part == verify.end() || !part->is_object()) continue;
    std::string cells;
    for (const char* key : {"base", "critical"})
      cells += part->contains(key) && number_in((*part)[key], "nll")
                   ? number_cell(*number_in((*part)[key], "nll"))
                   : "<td class=\"n\">n/a</td>";
    for (const char* key : {"random", "same_layers"})
      cells += part->contains(key) && (*part)[key].is_array() && !(*part)[key].empty()
                   ? number_cell(mean_nll((*part)[key]))
                   : "<td class=\"n\">n/a</td>";
    rows += fmt::format("<tr><th scope=\"row\">{}</th>{}</tr>", what, cells);
  }
  if (rows.empty()) return "";
  return "<div class=\"wide\"><table class=\"plain\" id=\"verify\"><caption>Loss, nats per "
         "token</caption><thead><tr><th scope=\"col\">on</th><th scope=\"col\">whole model</th><th "
         "scope=\"col\">without these heads</th><th scope=\"col\">without as many random "
         "heads</th><th scope=\"col\">… of the same layers</th></tr></thead><tbody>" +
         rows + "</tbody></table></div>\n";
}

/// What --verify and the halves of the probes say of the critical set.
std::string how_sure(const ReportData& data) {
  const Json& details = data.heads->details;
  std::string sentence;
  if (const auto finding = about_heads(data)) sentence = text_with_flags(finding->text);
  if (!details.is_object()) return sentence.empty() ? "" : "<p>" + sentence + "</p>\n";
  if (const auto stability = details.find("stability"); stability != details.end())
    sentence += overlap_sentence(*stability);
  std::string out = sentence.empty() ? "" : "<p>" + sentence + "</p>\n";
  if (const auto verify = details.find("verify"); verify != details.end() && verify->is_object())
    out += verify_table(*verify);
  return out;
}

/// The critical set with its scores, best first.
std::string critical_table(const HeadsFile& heads) {
  constexpr size_t kMostHeads = 200;
  std::string out =
      "<details><summary>The weakened heads as a table</summary><div class=\"wide\"><table "
      "class=\"sortable\"><caption class=\"hidden\">Weakened heads</caption><thead><tr>" +
      sortable_head("layer") + sortable_head("head") +
      sortable_head("retrieval score", true, Sorted::kDescending) + "</tr></thead><tbody>";
  for (size_t i = 0; i < std::min(heads.heads.size(), kMostHeads); ++i) {
    const Head head = heads.heads[i];
    out += "<tr>" + number_cell(head.layer) + number_cell(head.head);
    out += heads.scores.empty() ? std::string("<td class=\"n\" data-v=\"0\">not known</td>")
                                : number_cell(heads.scores[head]);
    out += "</tr>";
  }
  return out + "</tbody></table></div></details>\n";
}

std::string legend() {
  std::string out = "<p class=\"legend\" aria-hidden=\"true\"><span>0</span>";
  for (int level = 0; level <= 7; ++level)
    out += fmt::format(
        "<svg viewBox=\"0 0 14 14\"><path class=\"h{}\" d=\"M0 0h14v14h-14z\"/></svg>", level);
  return out +
         "<span>highest</span><svg viewBox=\"0 0 14 14\"><path class=\"critical\" d=\"M1.5 "
         "1.5h11v11h-11z\"/></svg><span>weakened</span></p>";
}

}  // namespace

std::string heads_section(const ReportData& data) {
  if (!data.heads) {
    std::string out =
        "<p>No heads file was given (<code class=\"flag\">--heads heads.json</code>), so that no "
        "map is drawn.";
    if (data.manifest && !data.manifest->heads().empty())
      out += " The manifest names these heads (layer-head): <code>" +
             escape_html(data.manifest->heads()) + "</code>.";
    return out + "</p>\n";
  }
  std::string out = how_found(*data.heads) + how_sure(data);
  if (!data.heads->scores.empty())
    out += "<figure class=\"map\"><div class=\"wide\">" +
           head_map(*data.heads, {"Retrieval score of each query head; layers down, heads across",
                                  "head", "layer", "head-map"}) +
           "</div><figcaption>" +
           "Retrieval score of each query head: the share of a hidden sentence's tokens that the "
           "head looked up." +
           legend() + "</figcaption></figure>\n";
  return out + critical_table(*data.heads);
}

}  // namespace air
