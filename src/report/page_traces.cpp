// The section on traces: a table of those that are shown, then each with its steps coloured by
// influence.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/html.h"
#include "report/page_parts.h"

namespace air {

namespace {

constexpr size_t kTotalBytes = 600'000;  // of all traces shown, so that a page stays under 1 MB
constexpr size_t kMostTraceBytes = 40'000;
constexpr size_t kFewestTraceBytes = 2'000;
constexpr size_t kMostIdBytes = 120;
constexpr int kShades = 4;  // style classes s1 … s4 on each side of zero

std::string place_name(ShownPlace place) {
  return place == ShownPlace::kTop ? "top" : place == ShownPlace::kMiddle ? "middle" : "bottom";
}

/// The influence that has the deepest colour: most steps lie below it.
double full_colour(const ReportData& data) {
  std::vector<double> sizes;
  sizes.reserve(data.step_influence.size());
  for (const double value : data.step_influence) sizes.push_back(std::abs(value));
  if (sizes.empty()) return 1;
  const auto at =
      sizes.begin() + static_cast<int64_t>(0.95 * static_cast<double>(sizes.size() - 1));
  std::nth_element(sizes.begin(), at, sizes.end());
  return *at > 0 ? *at : 1;
}

std::string shade(double influence, double full) {
  const auto level =
      static_cast<int>(std::lround(std::clamp(influence / full, -1.0, 1.0) * kShades));
  return level == 0 ? "s0" : fmt::format("{}{}", level < 0 ? 'm' : 'p', std::abs(level));
}

std::string shown_name(const ShownTrace& shown) {
  if (!shown.trace.id.empty()) return isolated_html(cut_utf8(shown.trace.id, kMostIdBytes));
  return "line " + with_thousands(shown.trace.line);
}

std::string cut_note(size_t left_out) {
  return left_out == 0
             ? ""
             : fmt::format("<p class=\"cut\">… cut here: {} more bytes are not shown.</p>",
                           with_thousands(static_cast<int64_t>(left_out)));
}

/// Text up to a budget of HTML bytes, which escapes may fill faster than the text itself.
std::string_view fitting(std::string_view text, size_t budget) {
  std::string_view fit = cut_utf8(text, budget);
  while (!fit.empty() && escape_html(fit).size() > budget) fit = cut_utf8(fit, fit.size() / 2);
  return fit;
}

std::string step_span(const ScoredStep& step, std::string_view text, double full, bool first) {
  return fmt::format(
      "<span class=\"st {}\" tabindex=\"{}\" data-n=\"{} {} {} {} {} {} {}\">{}</span>",
      shade(step.influence, full), first ? 0 : -1, plain_number(step.influence),
      plain_number(step.divergence), plain_number(step.base_nll), plain_number(step.ref_nll),
      plain_number(step.entropy), step.num_tokens, plain_number(step.weight), isolated_html(text));
}

std::string step_row(const ScoredStep& step, size_t number) {
  return "<tr>" + number_cell(static_cast<int64_t>(number)) + number_cell(step.influence) +
         number_cell(step.divergence) + number_cell(step.base_nll) + number_cell(step.num_tokens) +
         number_cell(step.weight) + "</tr>";
}

std::string steps_html(const ScoredTrace& trace, double full, size_t budget) {
  const std::string_view response = trace.response;
  std::string spans, rows;
  size_t shown = 0;
  for (size_t i = 0; i < trace.steps.size(); ++i) {
    const ScoredStep& step = trace.steps[i];
    const std::string_view text = step.text(response);
    constexpr size_t kMarkup = 320;  // of a step's span and table row
    if (spans.size() + rows.size() + kMarkup > budget) break;
    const std::string_view fit = fitting(text, budget - spans.size() - rows.size() - kMarkup / 2);
    spans += step_span(step, fit, full, i == 0);
    rows += step_row(step, i + 1);
    shown += fit.size();
    if (fit.size() < text.size()) break;
  }
  std::string out =
      "<div class=\"steps\" dir=\"auto\" role=\"group\" aria-label=\"Steps of the response; arrow "
      "keys go from one to the next\">" +
      spans + "</div>";
  const auto scored = static_cast<size_t>(trace.steps.empty() ? 0 : trace.steps.back().bytes.end);
  if (trace.truncated)
    out += fmt::format(
        "<p class=\"cut\">… scored up to the {} tokens that --max-length let through.</p>",
        with_thousands(trace.num_tokens));
  out += cut_note((trace.truncated ? scored : response.size()) - shown);
  return out +
         "<details><summary>The steps' numbers</summary><div class=\"wide\"><table "
         "class=\"sortable\"><caption class=\"hidden\">Numbers of the steps</caption><thead><tr>" +
         sortable_head("step") + sortable_head("influence") + sortable_head("divergence") +
         sortable_head("base loss") + sortable_head("tokens") + sortable_head("weight") +
         "</tr></thead><tbody>" + rows + "</tbody></table></div></details>";
}

std::string prompt_html(const ScoredTrace& trace, size_t budget) {
  if (trace.messages.empty()) return "<p class=\"muted\">A document: it has no prompt.</p>";
  std::string out = "<details open><summary>Prompt</summary>";
  for (const ChatMessage& message : trace.messages) {
    if (out.size() >= budget) {
      out += "<p class=\"cut\">… cut here: further messages are not shown.</p>";
      break;
    }
    const std::string_view fit = fitting(message.content, budget - out.size());
    out += fmt::format("<p class=\"message\" dir=\"auto\"><span class=\"role\">{}</span> {}</p>",
                       isolated_html(cut_utf8(message.role, 40)), isolated_html(fit));
    out += cut_note(message.content.size() - fit.size());
  }
  return out + "</details>";
}

std::string trace_article(const ShownTrace& shown, size_t number, double full, size_t budget) {
  const ScoredTrace& trace = shown.trace;
  return fmt::format(
      "<article id=\"t{0}\" class=\"trace\" tabindex=\"-1\"><h3><span class=\"badge "
      "{1}\">{1}</span> <span class=\"muted\">#{2}</span> {3}</h3><p class=\"numbers\">influence "
      "<b>{4}</b> · divergence <b>{5}</b> · base loss <b>{6}</b> · entropy <b>{7}</b> · {8} tokens "
      "· {9} steps</p>{10}{11}</article>\n",
      number, place_name(shown.place), with_thousands(shown.position), shown_name(shown),
      short_number(trace.influence), short_number(trace.divergence), short_number(trace.base_nll),
      short_number(trace.entropy), with_thousands(trace.num_tokens), trace.steps.size(),
      prompt_html(trace, budget / 4), steps_html(trace, full, budget - budget / 4));
}

std::string traces_table(const ReportData& data) {
  std::string out =
      "<div class=\"wide\"><table class=\"sortable\" id=\"trace-table\"><caption "
      "class=\"hidden\">The traces shown below</caption><thead><tr>" +
      sortable_head("place") + sortable_head("trace", false) + sortable_head("influence") +
      sortable_head("divergence") + sortable_head("base loss") + sortable_head("entropy") +
      sortable_head("repetition") + sortable_head("tokens") + sortable_head("steps");
  if (!data.group_field.empty()) out += sortable_head("group", false);
  out += "</tr></thead><tbody>";
  for (size_t i = 0; i < data.shown.size(); ++i) {
    const ShownTrace& shown = data.shown[i];
    const TraceNumbers& numbers = data.traces[shown.index];
    out += "<tr>" + number_cell(shown.position) +
           fmt::format("<th scope=\"row\"><a href=\"#t{}\">{}</a></th>", i, shown_name(shown)) +
           number_cell(numbers.influence) + number_cell(numbers.divergence) +
           number_cell(numbers.base_nll) + number_cell(numbers.entropy) +
           number_cell(numbers.repetition) + number_cell(numbers.num_tokens) +
           number_cell(numbers.num_steps);
    if (!data.group_field.empty())
      out +=
          "<td>" +
          isolated_html(cut_utf8(data.groups[static_cast<size_t>(numbers.group)], kMostIdBytes)) +
          "</td>";
    out += "</tr>";
  }
  return out + "</tbody></table></div>\n";
}

std::string colour_legend(double full) {
  std::string out =
      "<p class=\"legend\"><span class=\"sr\">Colours of the steps: </span><span>influence " +
      short_number(-full) + "</span>";
  for (const char* name : {"m4", "m3", "m2", "m1", "s0", "p1", "p2", "p3", "p4"})
    out += fmt::format("<span class=\"swatch {}\"></span>", name);
  return out + "<span>" + short_number(full) + "</span></p>\n";
}

}  // namespace

std::string traces_section(const ReportData& data) {
  if (data.shown.empty()) return "<p>None is shown (<code>--max-traces 0</code>).</p>\n";
  const double full = full_colour(data);
  const size_t budget =
      std::clamp(kTotalBytes / data.shown.size(), kFewestTraceBytes, kMostTraceBytes);
  std::string out = fmt::format(
      "<p>{} of {} traces, by influence: from the top, the middle and the bottom. Each step is "
      "coloured by its own influence: warm where the weakened model loses, cool where it gains. "
      "Point at a step, or move with the arrow keys, for its numbers.</p>\n",
      data.shown.size(), with_thousands(static_cast<int64_t>(data.traces.size())));
  out += traces_table(data) + colour_legend(full);
  for (size_t i = 0; i < data.shown.size(); ++i)
    out += trace_article(data.shown[i], i, full, budget);
  return out;
}

}  // namespace air
