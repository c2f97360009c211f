// The section on the heads: how they were found, the map of scores, the critical set.
#include <fmt/format.h>

#include <algorithm>

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
    if (!probes.lengths.empty())
      out += fmt::format(
          ", {} to {} tokens long",
          with_thousands(*std::min_element(probes.lengths.begin(), probes.lengths.end())),
          with_thousands(*std::max_element(probes.lengths.begin(), probes.lengths.end())));
  }
  return out + ".</p>\n";
}

/// The critical set with its scores, best first.
std::string critical_table(const HeadsFile& heads) {
  constexpr size_t kMostHeads = 200;
  std::string out =
      "<details><summary>The weakened heads as a table</summary><div class=\"wide\"><table "
      "class=\"sortable\"><caption class=\"hidden\">Weakened heads</caption><thead><tr>" +
      sortable_head("layer") + sortable_head("head") + sortable_head("retrieval score") +
      "</tr></thead><tbody>";
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
        "<p>No heads file was given (<code>--heads heads.json</code>), so that no map is drawn.";
    if (data.manifest && !data.manifest->heads().empty())
      out += " The manifest names these heads (layer-head): <code>" +
             escape_html(data.manifest->heads()) + "</code>.";
    return out + "</p>\n";
  }
  std::string out = how_found(*data.heads);
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
