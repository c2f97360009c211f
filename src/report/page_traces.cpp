// The section on traces: a table, then those whose text is shown, folded, with their steps coloured
// by rank.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "report/html.h"
#include "report/page_parts.h"
#include "scored/eighths.h"

namespace air {

namespace {

constexpr size_t kTotalBytes = 380'000;  // of all traces shown, so that a page stays under 1 MB
constexpr size_t kMostTraceBytes = 40'000;
constexpr size_t kFewestTraceBytes = 2'000;
constexpr size_t kMostIdBytes = 120;

/// Style classes, from the lowest eighth to the highest.
constexpr std::array<const char*, 8> kShades{"m4", "m3", "m2", "m1", "p1", "p2", "p3", "p4"};

std::string place_name(ShownPlace place) {
  return place == ShownPlace::kTop ? "top" : place == ShownPlace::kMiddle ? "middle" : "bottom";
}

/// The shade of each step by the rank of its influence within the trace; the page's script offers
/// other numbers, and ranks over all traces.
std::vector<const char*> shades(const std::vector<ScoredStep>& steps) {
  std::vector<double> influence;
  for (const ScoredStep& step : steps) influence.push_back(step.influence);
  std::vector<const char*> all;
  for (const int eighth : eighths(influence)) all.push_back(kShades[static_cast<size_t>(eighth)]);
  return all;
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

std::string step_span(const ScoredStep& step, std::string_view text, const char* shade,
                      bool first) {
  return fmt::format(
      "<span class=\"st {}\" tabindex=\"{}\" data-l=\"{}\" data-n=\"{} {} {} {} {} {} "
      "{}\">{}</span>",
      shade, first ? 0 : -1, short_number(step.influence), plain_number(step.influence),
      plain_number(step.divergence), plain_number(step.base_nll), plain_number(step.ref_nll),
      plain_number(step.entropy), step.num_tokens, plain_number(step.weight), isolated_html(text));
}

std::string step_row(const ScoredStep& step, size_t number) {
  return "<tr>" + number_cell(static_cast<int64_t>(number)) + number_cell(step.influence) +
         number_cell(step.divergence) + number_cell(step.base_nll) + number_cell(step.num_tokens) +
         number_cell(step.weight) + "</tr>";
}

std::string steps_html(const ScoredTrace& trace, size_t budget) {
  const std::string_view response = trace.response;
  const std::vector<const char*> step_shades = shades(trace.steps);
  std::string spans, rows;
  size_t shown = 0;
  for (size_t i = 0; i < trace.steps.size(); ++i) {
    const ScoredStep& step = trace.steps[i];
    const std::string_view text = step.text(response);
    constexpr size_t kMarkup = 350;  // of a step's span and table row
    if (spans.size() + rows.size() + kMarkup > budget) break;
    const std::string_view fit = fitting(text, budget - spans.size() - rows.size() - kMarkup / 2);
    spans += step_span(step, fit, step_shades[i], i == 0);
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
        "<p class=\"cut\">… scored up to the {} tokens that <code "
        "class=\"flag\">--max-length</code> "
        "let through.</p>",
        with_thousands(trace.num_tokens));
  if (trace.num_excluded > 0)
    out += fmt::format(
        "<p class=\"muted\">{} of the {} tokens repeat what the response said before. The numbers "
        "leave them out; a step without other tokens shows the trace's.</p>",
        with_thousands(trace.num_excluded), with_thousands(trace.num_tokens));
  out += cut_note((trace.truncated ? scored : response.size()) - shown);
  return out +
         "<details><summary>The steps' numbers</summary><div class=\"wide\"><table "
         "class=\"sortable\"><caption class=\"hidden\">Numbers of the steps</caption><thead><tr>" +
         sortable_head("step", true, Sorted::kAscending) + sortable_head("influence") +
         sortable_head("divergence") + sortable_head("base loss") + sortable_head("tokens") +
         sortable_head("weight") + "</tr></thead><tbody>" + rows +
         "</tbody></table></div></details>";
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

std::string trace_article(const ReportData& data, const ShownTrace& shown, size_t number,
                          size_t budget) {
  const ScoredTrace& trace = shown.trace;
  const TraceNumbers& numbers = data.traces[shown.index];
  const std::string controlled = trace.controlled ? fmt::format(" · beyond random heads <b>{}</b>",
                                                                short_number(*trace.controlled))
                                                  : "";
  return fmt::format(
      "<details id=\"trace-{0}\" class=\"trace\"><summary><h3><span class=\"badge "
      "{1}\">{1}</span> <span class=\"muted\">#{2}</span> {3}</h3><span "
      "class=\"numbers\">influence <b>{4}</b> · divergence <b>{5}</b>{6} · base loss <b>{7}</b> · "
      "entropy <b>{8}</b> · repetition <b>{9}</b> · {10} tokens · {11} steps</span></summary><div "
      "id=\"t{0}\" tabindex=\"-1\">{12}{13}</div></details>\n",
      number, place_name(shown.place), with_thousands(shown.position), shown_name(shown),
      short_number(trace.influence), short_number(trace.divergence), controlled,
      short_number(trace.base_nll), short_number(trace.entropy), short_number(numbers.repetition),
      with_thousands(trace.num_tokens), trace.steps.size(), prompt_html(trace, budget / 4),
      steps_html(trace, budget - budget / 4));
}

/// Controls of the table, for the script: what is searched, which group, kept or not.
std::string table_controls(const ReportData& data) {
  std::string out =
      "<div class=\"js controls\"><label class=\"grow\"><span>Search</span><input type=\"search\" "
      "id=\"search\" placeholder=\"an id, or words of a text that is shown\"></label>";
  if (!data.group_field.empty())
    out += fmt::format(
        "<label><span>{}</span><select id=\"group\"><option "
        "value=\"\">all</option></select></label>",
        escape_html(cut_utf8(data.group_field, 60)));
  return out +
         "<label><span>At the threshold</span><select id=\"which\"><option value=\"\">all</option>"
         "<option value=\"kept\">kept</option><option value=\"dropped\">dropped</option></select>"
         "</label></div><p class=\"js muted\" id=\"count\" role=\"status\"></p>\n";
}

std::string traces_table(const ReportData& data) {
  std::string out =
      "<div class=\"wide\"><table class=\"sortable\" id=\"trace-table\"><caption "
      "class=\"hidden\">Traces</caption><thead><tr>" +
      sortable_head("place", true, Sorted::kAscending) + sortable_head("trace", false) +
      sortable_head("influence") + sortable_head("divergence");
  if (data.has_controls) out += sortable_head("beyond random");
  out += sortable_head("base loss") + sortable_head("entropy") + sortable_head("repetition") +
         sortable_head("tokens") + sortable_head("steps");
  if (!data.group_field.empty()) out += sortable_head("group", false);
  out += "</tr></thead><tbody>";
  for (size_t i = 0; i < data.shown.size(); ++i) {
    const ShownTrace& shown = data.shown[i];
    const TraceNumbers& numbers = data.traces[shown.index];
    out += "<tr>" + number_cell(shown.position) +
           fmt::format("<th scope=\"row\"><a href=\"#t{}\">{}</a></th>", i, shown_name(shown)) +
           number_cell(numbers.influence) + number_cell(numbers.divergence);
    if (data.has_controls) out += number_cell(numbers.controlled);
    out += number_cell(numbers.base_nll) + number_cell(numbers.entropy) +
           number_cell(numbers.repetition) + number_cell(numbers.num_tokens) +
           number_cell(numbers.num_steps);
    if (!data.group_field.empty())
      out +=
          "<td>" +
          isolated_html(cut_utf8(data.groups[static_cast<size_t>(numbers.group)], kMostIdBytes)) +
          "</td>";
    out += "</tr>";
  }
  return out +
         "</tbody></table></div>\n<p class=\"js\"><button type=\"button\" id=\"more\" hidden>Show "
         "more</button></p>\n";
}

/// What the colours say, and for the script which number they are of.
std::string colour_controls(const ReportData& data) {
  const bool has_tokens = std::ranges::any_of(
      data.shown, [](const ShownTrace& shown) { return shown.tokens.has_value(); });
  std::string out =
      "<div class=\"js controls\"><label><span>Colour by</span><select id=\"colour\"><option "
      "value=\"0\">influence</option><option value=\"1\">divergence</option><option "
      "value=\"2\">base loss</option><option value=\"3\">training weight</option></select></label>"
      "<label><span>ranked</span><select id=\"scope\"><option value=\"trace\">within the trace"
      "</option><option value=\"all\">over all traces</option></select></label>"
      "<label class=\"check\"><input type=\"checkbox\" id=\"numbers\" checked> numbers in the "
      "text</label>";
  if (has_tokens)
    out += "<label class=\"check\"><input type=\"checkbox\" id=\"tokens\"> single tokens</label>";
  out +=
      "<button type=\"button\" id=\"open-all\">Open all</button> <button type=\"button\" "
      "id=\"close-all\">Close all</button></div>\n<p class=\"legend\"><span>lowest eighth</span>";
  for (const char* name : kShades) out += fmt::format("<span class=\"swatch {}\"></span>", name);
  return out +
         "<span>highest eighth, by <span id=\"legend-of\">influence within the "
         "trace</span></span></p>\n";
}

}  // namespace

std::string traces_section(const ReportData& data) {
  std::string out;
  const std::string all = with_thousands(static_cast<int64_t>(data.traces.size()));
  if (data.shown.empty())
    out += "<p>The text of none is shown (<code class=\"flag\">--max-traces 0</code>).</p>\n";
  else
    out += fmt::format(
        "<p>The text of {} of {} traces is shown: from the top, the middle and the bottom of the "
        "ranking. Open one to see its steps, coloured by rank: warm where the number is high, cool "
        "where it is low. Point at a step, or move with the arrow keys, for its numbers.</p>\n",
        data.shown.size(), all);
  out += table_controls(data) + traces_table(data);
  if (data.shown.empty()) return out;
  out += colour_controls(data) + "<div id=\"texts\" class=\"numbered\">\n";
  const size_t budget =
      std::clamp(kTotalBytes / data.shown.size(), kFewestTraceBytes, kMostTraceBytes);
  for (size_t i = 0; i < data.shown.size(); ++i)
    out += trace_article(data, data.shown[i], i, budget);
  return out + "</div>\n";
}

}  // namespace air
