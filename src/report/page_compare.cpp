// The page that compares two runs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "report/chart.h"
#include "report/comparison.h"
#include "report/html.h"
#include "report/page_parts.h"

namespace air {

namespace {

constexpr size_t kMostMoved = 20;  // up, and as many down

std::string percent(double share) { return short_number(100 * share) + " %"; }

/// Of the best tenth; at least one trace.
int64_t tenth(const Comparison& comparison) {
  return (static_cast<int64_t>(comparison.traces.size()) + 9) / 10;
}

std::string agreement_in_words(double correlation) {
  return correlation >= 0.9   ? "The two runs rank these traces alike."
         : correlation >= 0.7 ? "The two runs rank these traces much alike."
         : correlation >= 0.4 ? "The two runs agree in part."
                              : "The two runs rank these traces differently.";
}

std::string summary(const Comparison& comparison) {
  const double correlation = comparison.influence_correlation;
  const int64_t count = tenth(comparison);
  std::string out = fmt::format(
      "<div class=\"verdict {}\"><p><strong>{}</strong></p><p>Over the {} traces in both, the "
      "ranks "
      "by influence correlate by {}. Of the best {} of the first run, {} are among the best {} of "
      "the second.</p></div>\n",
      correlation >= 0.7 ? "good" : "care", agreement_in_words(correlation),
      with_thousands(static_cast<int64_t>(comparison.traces.size())), correlation_text(correlation),
      with_thousands(count), percent(comparison.overlap(count)), with_thousands(count));
  out += "<ol class=\"runs\">";
  for (const std::string& input : comparison.inputs) out += "<li>" + isolated_html(input) + "</li>";
  return out + "</ol>\n";
}

std::string warnings(const Comparison& comparison) {
  std::string out;
  const auto warn = [&](const std::string& text) {
    out +=
        "<li class=\"warning\"><span class=\"mark\" aria-hidden=\"true\"></span><span><strong>"
        "Warning.</strong> " +
        text + "</span></li>";
  };
  if (comparison.num_other_texts > 0)
    warn("Traces whose response is another one in the second run: " +
         with_thousands(comparison.num_other_texts) + ". Their scores are not of the same text.");
  if (comparison.only_here[0] + comparison.only_here[1] > 0)
    warn("Traces in the first run only: " + with_thousands(comparison.only_here[0]) +
         ", in the second only: " + with_thousands(comparison.only_here[1]) +
         ". They are left out here.");
  if (!comparison.is_by_id)
    warn("Traces are matched by their lines: ids are missing, or occur twice.");
  return out.empty() ? "" : "<ul class=\"findings\">" + out + "</ul>\n";
}

std::string agreement_section(const Comparison& comparison) {
  std::string out = warnings(comparison);
  out += fmt::format(
      "<div class=\"wide\"><table class=\"plain\" id=\"agreement\"><caption>Agreement</caption>"
      "<thead><tr><th scope=\"col\">of</th><th scope=\"col\">rank correlation</th></tr></thead>"
      "<tbody><tr><th scope=\"row\">influence</th><td>{}</td></tr><tr><th "
      "scope=\"row\">divergence</th><td>{}</td></tr></tbody></table></div>\n",
      correlation_text(comparison.influence_correlation),
      correlation_text(comparison.divergence_correlation));
  out +=
      "<div class=\"wide\"><table class=\"plain\" id=\"overlap\"><caption>How much of the best of "
      "the "
      "one is among the best of the other</caption><thead><tr><th scope=\"col\">best</th><th "
      "scope=\"col\">in both</th><th scope=\"col\">by chance</th></tr></thead><tbody>";
  const auto num_traces = static_cast<double>(comparison.traces.size());
  std::set<int64_t> counts;
  for (const double share : {0.01, 0.05, 0.1, 0.25, 0.5})
    counts.insert(static_cast<int64_t>(std::ceil(share * num_traces)));
  for (const int64_t count : counts)
    out += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>",
                       with_thousands(count), percent(comparison.overlap(count)),
                       percent(static_cast<double>(count) / num_traces));
  out += "</tbody></table></div>\n";
  std::vector<double> x, y;
  for (const ComparedTrace& trace : comparison.traces) {
    x.push_back(static_cast<double>(trace.place[0]));
    y.push_back(static_cast<double>(trace.place[1]));
  }
  return out + "<div class=\"figures\"><figure>" +
         scatter(x, y, false,
                 {"Place in the second run against place in the first", "place in the first run",
                  "place in the second", "places"}) +
         "<figcaption>Each trace's place in the second run against its place in the first; the "
         "best "
         "are at the lower left.</figcaption></figure></div>\n";
}

std::string moved_row(const ComparedTrace& trace) {
  return "<tr><th scope=\"row\">" + isolated_html(cut_utf8(trace.name, 120)) + "</th>" +
         fmt::format("<td class=\"n\" data-v=\"{}\">{}{}</td>", trace.rise(),
                     trace.rise() > 0 ? "+" : "", with_thousands(trace.rise())) +
         number_cell(trace.place[0]) + number_cell(trace.place[1]) +
         number_cell(trace.influence[0]) + number_cell(trace.influence[1]) +
         number_cell(trace.base_nll[0]) + number_cell(trace.base_nll[1]) + "</tr>";
}

std::string moved_section(const Comparison& comparison) {
  std::vector<const ComparedTrace*> order;
  for (const ComparedTrace& trace : comparison.traces) order.push_back(&trace);
  std::ranges::stable_sort(order, std::ranges::greater(), &ComparedTrace::rise);
  std::string rows;
  for (size_t i = 0; i < order.size(); ++i) {
    const bool is_shown = i < kMostMoved || i + kMostMoved >= order.size();
    if (is_shown && order[i]->rise() != 0) rows += moved_row(*order[i]);
  }
  if (rows.empty()) return "<p>No trace changed its place.</p>\n";
  return fmt::format(
             "<p>The traces that rise most in the second run, and those that fall most, up to {} "
             "of "
             "each.</p>\n",
             kMostMoved) +
         "<div class=\"wide\"><table class=\"sortable\" id=\"moved\"><caption "
         "class=\"hidden\">What "
         "moved</caption><thead><tr>" +
         sortable_head("trace", false) + sortable_head("moved", true, Sorted::kDescending) +
         sortable_head("place, 1") + sortable_head("place, 2") + sortable_head("influence, 1") +
         sortable_head("influence, 2") + sortable_head("base loss, 1") +
         sortable_head("base loss, 2") + "</tr></thead><tbody>" + rows + "</tbody></table></div>\n";
}

/// What a manifest says of the run itself, not of how to repeat it.
bool is_of_the_run(const std::string& key) {
  static const std::set<std::string> keys{
      "seconds",           "tokens_per_second",        "flops_per_second",
      "peak_memory_bytes", "peak_device_memory_bytes", "matrix_product_flops_per_second",
      "num_resumed",       "rank_correlation"};
  return keys.contains(key);
}

std::string made_section(const Comparison& comparison) {
  if (!comparison.manifests[0] || !comparison.manifests[1])
    return "<p class=\"muted\">What differs in how the runs were made is not known: a manifest is "
           "missing beside a scored file.</p>\n";
  const Json& first = comparison.manifests[0]->to_json();
  const Json& second = comparison.manifests[1]->to_json();
  std::vector<std::string> keys;
  for (const auto& [key, value] : first.items()) keys.push_back(key);
  for (const auto& [key, value] : second.items())
    if (!first.contains(key)) keys.push_back(key);
  std::string rows;
  const auto cell = [](const Json& manifest, const std::string& key) {
    const auto found = manifest.find(key);
    return found == manifest.end() ? std::string("<td class=\"muted\">not said</td>")
                                   : "<td>" + manifest_value(*found) + "</td>";
  };
  for (const std::string& key : keys) {
    const bool is_same =
        first.contains(key) && second.contains(key) && first.at(key) == second.at(key);
    if (is_same || is_of_the_run(key)) continue;
    rows += "<tr><th scope=\"row\">" + escape_html(key) + "</th>" + cell(first, key) +
            cell(second, key) + "</tr>";
  }
  if (rows.empty()) return "<p>The manifests name the same model, heads and options.</p>\n";
  return "<div class=\"wide\"><table class=\"plain made\"><caption>What the manifests say otherwise"
         "</caption><thead><tr><th scope=\"col\"></th><th scope=\"col\">first run</th><th "
         "scope=\"col\">second run</th></tr></thead><tbody>" +
         rows + "</tbody></table></div>\n";
}

/// What the chart says of its points.
std::string comparison_data(const Comparison& comparison) {
  std::string out = "{\"tips\":[";
  if (scatter_has_points(comparison.traces.size()))
    for (size_t i = 0; i < comparison.traces.size(); ++i) {
      const ComparedTrace& trace = comparison.traces[i];
      if (i > 0) out += ',';
      append_string(
          out, fmt::format("{}\nplace {} \u2192 {}\ninfluence {} \u2192 {}",
                           cut_utf8(trace.name, 120), trace.place[0], trace.place[1],
                           short_number(trace.influence[0]), short_number(trace.influence[1])));
    }
  return data_element(out + "]}");
}

}  // namespace

std::string render_comparison(const Comparison& comparison) {
  return page_of(comparison.title, summary(comparison),
                 {{"agree", "Agreement", agreement_section(comparison)},
                  {"what-moved", "What moved", moved_section(comparison)},
                  {"made", "How they were made", made_section(comparison)}},
                 comparison_data(comparison));
}

}  // namespace air
