// Sections that say what the numbers are: summary, sanity, distributions, groups, manifest.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/chart.h"
#include "report/html.h"
#include "report/page_parts.h"

namespace air {

namespace {

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
}

std::string fact(const std::string& value, const std::string& name) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, value);
}

std::string figure(const std::string& chart, const std::string& caption) {
  return "<figure>" + chart + "<figcaption>" + caption + "</figcaption></figure>\n";
}

/// A bar from the middle: left for negative, right for positive.
std::string correlation_bar(double correlation) {
  const double length = std::abs(correlation) * 30;
  return fmt::format(
      "<svg class=\"rho\" viewBox=\"0 0 64 12\" aria-hidden=\"true\"><path class=\"axis\" d=\"M32 "
      "0v12\"/><path class=\"{}\" d=\"M32 2h{}{:.1f}v8H32z\"/></svg>",
      correlation < 0 ? "negative" : "positive", correlation < 0 ? "-" : "", length);
}

std::string correlation_cell(double correlation, const char* of) {
  return fmt::format(
      "<td class=\"n\" data-of=\"{}\">{}<span class=\"rho-value\">{}</span><span "
      "class=\"rho-words\">{}</span></td>",
      of, correlation_bar(correlation), correlation_text(correlation),
      strength_in_words(correlation));
}

std::string correlation_table(const ReportData& data,
                              const std::vector<Correlation>& correlations) {
  std::string out =
      "<div class=\"wide\"><table class=\"plain rho-table\"><caption>Spearman rank correlations "
      "over all "
      "traces</caption><thead><tr><th scope=\"col\">with</th><th scope=\"col\">influence</th><th "
      "scope=\"col\">divergence</th>";
  if (data.has_controls) out += "<th scope=\"col\">beyond random heads</th>";
  out += "</tr></thead><tbody>";
  for (const Correlation& correlation : correlations) {
    out += fmt::format("<tr><th scope=\"row\">{}</th>{}{}", correlation.baseline->name,
                       correlation_cell(correlation.with_influence, "influence"),
                       correlation_cell(correlation.with_divergence, "divergence"));
    if (data.has_controls)
      out += correlation_cell(correlation.with_controlled, "beyond random heads");
    out += "</tr>";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string manifest_value(const Json& value) {
  if (value.is_string()) return isolated_html(value.get<std::string>());
  if (value.is_number_float()) return short_number(value.get<double>());
  if (value.is_number_integer()) return with_thousands(value.get<int64_t>());
  return "<code>" + escape_html(value.dump(-1, ' ', false, Json::error_handler_t::replace)) +
         "</code>";
}

std::string correlation_text(double correlation) {
  const std::string digits = fmt::format("{:.2f}", std::abs(correlation));
  return std::string("ρ = ") + (correlation < 0 && digits != "0.00" ? "\u2212" : "") + digits;
}

std::string sortable_head(std::string_view name, bool numeric, Sorted sorted) {
  return fmt::format("<th scope=\"col\"{}{}><button type=\"button\">{}</button></th>",
                     numeric ? " class=\"n\"" : "",
                     sorted == Sorted::kNo          ? ""
                     : sorted == Sorted::kAscending ? " aria-sort=\"ascending\""
                                                    : " aria-sort=\"descending\"",
                     name);
}

std::string text_with_flags(std::string_view text) {
  std::string out;
  size_t at = 0;
  while (at < text.size()) {
    const size_t flag = text.find("--", at), tick = text.find('`', at);
    const size_t begin = std::min(flag, tick);
    out += escape_html(text.substr(at, begin - at));
    if (begin == std::string_view::npos) break;
    const size_t first = begin == tick ? begin + 1 : begin;
    size_t end = begin == tick ? text.find('`', first)
                               : text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", first);
    if (end == std::string_view::npos) end = text.size();
    out += "<code class=\"flag\">" + escape_html(text.substr(first, end - first)) + "</code>";
    at = begin == tick ? end + 1 : end;
  }
  return out;
}

std::string number_cell(double value) {
  return fmt::format("<td class=\"n\" data-v=\"{}\">{}</td>", plain_number(value),
                     short_number(value));
}

std::string number_cell(int64_t value) {
  return fmt::format("<td class=\"n\" data-v=\"{}\">{}</td>", value, with_thousands(value));
}

std::string summary_section(const ReportData& data, const std::vector<Correlation>& correlations) {
  int64_t tokens = 0;
  for (const TraceNumbers& trace : data.traces) tokens += trace.num_tokens;
  const Verdict words = verdict(data, correlations);
  std::string out =
      fmt::format("<div class=\"verdict {}\"><p><strong>{}</strong></p><p>{}</p></div>\n",
                  words.level == Verdict::Level::kGood   ? "good"
                  : words.level == Verdict::Level::kCare ? "care"
                                                         : "bad",
                  escape_html(words.headline), text_with_flags(words.text));
  const auto median = [&](double (*value)(const TraceNumbers&)) {
    return short_number(quantile(column(data, value), 0.5));
  };
  out += "<dl class=\"facts\">";
  out += fact(with_thousands(static_cast<int64_t>(data.traces.size())), "traces");
  out += fact(with_thousands(static_cast<int64_t>(data.steps.size())), "steps");
  out += fact(with_thousands(tokens), "response tokens");
  out += fact(median([](const TraceNumbers& t) { return t.influence; }), "median influence");
  out += fact(median([](const TraceNumbers& t) { return t.divergence; }),
              "median divergence, nats per token");
  if (data.has_controls)
    out += fact(median([](const TraceNumbers& t) { return t.controlled; }),
                "median beyond random heads, nats per token");
  out += fact(median([](const TraceNumbers& t) { return t.base_nll; }),
              "median base loss, nats per token");
  return out + "</dl>\n";
}

std::string sanity_section(const ReportData& data, const std::vector<Correlation>& correlations) {
  std::string out =
      "<p><strong>Influence</strong> is how much more a trace costs the model when its retrieval "
      "heads are weakened, relative to what it costs the whole model; <strong>divergence</strong> "
      "is the same in nats per token, not divided. They are measurements of one model, not grades: "
      "scores of different domains are not comparable.</p>\n<ul class=\"findings\">";
  for (const Finding& finding : findings(data, correlations))
    out += fmt::format(
        "<li class=\"{}\"><span class=\"mark\" aria-hidden=\"true\"></span><span>{}{}</span></li>",
        finding.warning ? "warning" : "fine", finding.warning ? "<strong>Warning.</strong> " : "",
        text_with_flags(finding.text));
  return out + "</ul>\n" + correlation_table(data, correlations);
}

std::string distributions_section(const ReportData& data,
                                  const std::vector<Correlation>& correlations) {
  const auto influence = column(data, [](const TraceNumbers& t) { return t.influence; });
  const auto divergence = column(data, [](const TraceNumbers& t) { return t.divergence; });
  std::string out =
      "<p>Values beyond the outermost half percent stand at the edges. Point at a chart, or focus "
      "it and use the arrow keys, to read it.</p>\n<div class=\"figures\">";
  out += figure(histogram(influence, false,
                          {"Distribution of influence over traces", "influence of a trace",
                           "traces", "h-influence"}),
                "Influence of the traces");
  out += figure(histogram({data.steps.influence.begin(), data.steps.influence.end()}, false,
                          {"Distribution of influence over steps", "influence of a step", "steps",
                           "h-steps"}),
                "Influence of the steps");
  out += figure(histogram(divergence, false,
                          {"Distribution of divergence over traces", "divergence, nats per token",
                           "traces", "h-divergence"}),
                "Divergence of the traces");
  if (data.has_controls)
    out += figure(histogram(column(data, [](const TraceNumbers& t) { return t.controlled; }), false,
                            {"Distribution of the divergence beyond random heads",
                             "beyond random heads, nats per token", "traces", "h-controlled"}),
                  "Divergence beyond that of random heads");
  out += figure(place_profile(data.profile, {"Mean divergence by place in the trace",
                                             "place in the response, %", "divergence", "place"}),
                "Where in the response the divergence lies, nats per token");
  for (const Correlation& correlation : correlations) {
    const Baseline& baseline = *correlation.baseline;
    const std::string name = baseline.name;
    const bool logarithmic = name == "length";
    const std::string label = name == "length"       ? "length, tokens"
                              : name == "repetition" ? "repetition, bytes per deflated byte"
                                                     : name + ", nats per token";
    out += figure(scatter(column(data, baseline.value), influence, logarithmic,
                          {"Influence against " + name, label, "influence",
                           "s-" + name.substr(0, name.find(' '))}),
                  "Influence against " + name + " <span class=\"muted\">(" +
                      correlation_text(correlation.with_influence) +
                      "; line: median of each tenth)</span>");
  }
  return out + "</div>\n";
}

std::string groups_section(const ReportData& data) {
  constexpr size_t kMostGroups = 50;
  struct Group {
    std::vector<double> influence, divergence, base_nll;
    int64_t tokens = 0;
  };
  std::vector<Group> groups(data.groups.size());
  for (const TraceNumbers& trace : data.traces) {
    Group& group = groups[static_cast<size_t>(trace.group)];
    group.influence.push_back(trace.influence);
    group.divergence.push_back(trace.divergence);
    group.base_nll.push_back(trace.base_nll);
    group.tokens += trace.num_tokens;
  }
  std::vector<size_t> order(groups.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return groups[a].influence.size() > groups[b].influence.size();
  });

  std::string out = fmt::format(
      "<p>By the field <code>{}</code>, {} values. Scores of different domains are not comparable: "
      "select within groups (<code class=\"flag\">--group-by</code>).</p>\n",
      escape_html(data.group_field), with_thousands(static_cast<int64_t>(groups.size())));
  out +=
      "<div class=\"wide\"><table class=\"sortable\"><caption class=\"hidden\">Scores by "
      "group</caption><thead><tr>" +
      sortable_head("group", false) + sortable_head("traces", true, Sorted::kDescending) +
      sortable_head("tokens") + sortable_head("influence, median") +
      sortable_head("lowest 10 % below") + sortable_head("highest 10 % above") +
      sortable_head("divergence, median") + sortable_head("base loss, median") +
      "</tr></thead><tbody>";
  for (size_t i = 0; i < std::min(order.size(), kMostGroups); ++i) {
    const Group& group = groups[order[i]];
    out +=
        "<tr><th scope=\"row\">" + isolated_html(cut_utf8(data.groups[order[i]], 120)) + "</th>" +
        number_cell(static_cast<int64_t>(group.influence.size())) + number_cell(group.tokens) +
        number_cell(quantile(group.influence, 0.5)) + number_cell(quantile(group.influence, 0.1)) +
        number_cell(quantile(group.influence, 0.9)) + number_cell(quantile(group.divergence, 0.5)) +
        number_cell(quantile(group.base_nll, 0.5)) + "</tr>";
  }
  out += "</tbody></table></div>\n";
  if (order.size() > kMostGroups)
    out += fmt::format("<p class=\"muted\">The {} largest of {} groups.</p>\n", kMostGroups,
                       with_thousands(static_cast<int64_t>(order.size())));
  return out;
}

std::string manifest_section(const ReportData& data) {
  std::string out = "<dl class=\"manifest\"><div><dt>scored files</dt><dd>";
  for (size_t i = 0; i < data.inputs.size(); ++i)
    out += (i > 0 ? ", " : "") + isolated_html(data.inputs[i]);
  out += "</dd></div>";
  if (data.manifest)
    for (const auto& [key, value] : data.manifest->to_json().items())
      out +=
          fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(key), manifest_value(value));
  out += "</dl>\n";
  if (!data.manifest)
    out +=
        "<p class=\"muted\">No manifest lies beside the scored file; <code "
        "class=\"flag\">--manifest FILE</code> "
        "names one.</p>\n";
  return out;
}

}  // namespace air
