// The section that decides: a slider, what it keeps, and the command for it; and the numbers for
// the page's script.
#include <fmt/format.h>

#include <algorithm>

#include "base/json_writer.h"
#include "report/decision.h"
#include "report/html.h"
#include "report/page_parts.h"
#include "text/utf8.h"

namespace air {

namespace {

constexpr size_t kRowBytes = 150'000;  // of the traces' numbers and ids: those that fit, best first
constexpr size_t kTokenBytes = 60'000;  // of all token losses: those of the first traces that fit
constexpr double kFirstShare = 0.1;     // of the traces: what the page proposes when it opens

std::string percent(double part, double whole) {
  return whole > 0 ? short_number(100 * part / whole) + " %" : "n/a";
}

/// A number for the script: few digits.
void append_plain(std::string& out, double value) { out += plain_number(value); }

std::string stop_json(const Threshold& stop) {
  std::string out = fmt::format("[\"{}\",{},{},", flag_number(stop.value), stop.kept, stop.tokens);
  append_plain(out, stop.base_nll);
  for (const int64_t kept : stop.kept_of_group) out += fmt::format(",{}", kept);
  return out + "]";
}

std::string measure_json(const ReportData& data, const KeepMeasure& measure) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("name", measure.name).member("label", measure.label);
  json.member("command", select_command(data, measure.name)).key("stops").begin_list();
  for (const Threshold& stop : measure.stops) json.raw(stop_json(stop));
  json.end_list().end_object();
  return out;
}

/// The numbers of a trace, in the order of kRowKeys.
std::string row_json(const ReportData& data, const Decision& decision, size_t index, int shown) {
  const TraceNumbers& trace = data.traces[index];
  std::string out = fmt::format("[{},", index + 1);
  append_string(out, trace.id);
  out += fmt::format(",{},{},{},", shown, trace.line, trace.trace);
  for (const double value : {trace.influence, trace.divergence, trace.controlled, trace.base_nll,
                             trace.entropy, trace.repetition}) {
    append_plain(out, value);
    out += ',';
  }
  out += fmt::format("{},{},{}", trace.num_tokens, trace.num_steps, decision.group_of[index]);
  for (const KeepMeasure& measure : decision.measures)
    out += fmt::format(",{}", measure.first_stop[index]);
  return out + "]";
}

/// Rows of the best traces while they fit, and those of all traces whose text is shown.
std::string rows_json(const ReportData& data, const Decision& decision) {
  std::vector<int> shown_as(data.traces.size(), -1);
  for (size_t i = 0; i < data.shown.size(); ++i)
    shown_as[data.shown[i].index] = static_cast<int>(i);
  std::string out = "[";
  bool is_full = false;
  for (size_t i = 0; i < data.traces.size(); ++i) {
    if (is_full && shown_as[i] < 0) continue;
    const std::string row = row_json(data, decision, i, shown_as[i]);
    is_full = is_full || out.size() + row.size() > kRowBytes;
    if (is_full && shown_as[i] < 0) continue;
    out += (out.size() > 1 ? ",\n" : "") + row;
  }
  return out + "]";
}

/// The values that cut all steps into eight parts of equally many.
std::vector<double> octiles(std::vector<float> values) {
  std::vector<double> cuts;
  if (values.empty()) return cuts;
  std::sort(values.begin(), values.end());
  for (size_t eighth = 1; eighth < 8; ++eighth)
    cuts.push_back(static_cast<double>(values[values.size() * eighth / 8]));
  return cuts;
}

/// [[begin …], [base loss …], [reference loss …]].
std::string token_losses_json(const ScoredTokens& tokens, std::string_view response) {
  std::string begins, base, ref;
  size_t byte = 0, units = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const size_t begin =
        std::min(response.size(), static_cast<size_t>(std::max<int64_t>(0, tokens.begin[i])));
    for (; byte < begin; ++byte) {
      const auto lead = static_cast<unsigned char>(response[byte]);
      if (!is_continuation_byte(response[byte])) units += lead >= 0xF0 ? 2 : 1;
    }
    const char* comma = i == 0 ? "" : ",";
    begins += fmt::format("{}{}", comma, units);
    base += fmt::format("{}{:.3g}", comma, tokens.base_nll[i]);
    ref += fmt::format("{}{:.3g}", comma, tokens.ref_nll[i]);
  }
  return "[[" + begins + "],[" + base + "],[" + ref + "]]";
}

std::string octiles_json(const StepNumbers& steps) {
  std::string out = "[";
  for (const auto* values : {&steps.influence, &steps.divergence, &steps.base_nll, &steps.weight}) {
    out += out.size() > 1 ? ",[" : "[";
    const std::vector<double> cuts = octiles(*values);
    for (size_t i = 0; i < cuts.size(); ++i) out += (i == 0 ? "" : ",") + plain_number(cuts[i]);
    out += "]";
  }
  return out + "]";
}

/// For each trace that is shown with token losses: where its tokens begin, in UTF-16 units of the
/// response (what the script counts in), and their losses. Tokens of one character are one.
std::string tokens_json(const ReportData& data) {
  std::string out = "{";
  for (size_t i = 0; i < data.shown.size(); ++i) {
    const ShownTrace& shown = data.shown[i];
    if (!shown.tokens) continue;
    const std::string losses = token_losses_json(*shown.tokens, shown.trace.response);
    if (out.size() + losses.size() > kTokenBytes) break;
    out += fmt::format("{}\"{}\":{}", out.size() > 1 ? "," : "", i, losses);
  }
  return out + "}";
}

std::string fact(const char* id, const char* name) {
  return fmt::format("<div><dt>{}</dt><dd id=\"{}\"></dd></div>", name, id);
}

std::string controls(const Decision& decision) {
  std::string out =
      "<div class=\"js decide\"><div class=\"controls\"><label>Keep by <select id=\"by\">";
  for (const KeepMeasure& measure : decision.measures)
    out += fmt::format("<option value=\"{}\">{}</option>", measure.name, measure.label);
  out +=
      "</select></label><label class=\"grow\"><span>at least <output id=\"least\"></output></span>"
      "<input type=\"range\" id=\"threshold\" min=\"0\" max=\"0\" value=\"0\"></label></div>";
  out += "<dl class=\"facts kept\">" + fact("kept-traces", "traces kept") +
         fact("kept-tokens", "response tokens kept") +
         fact("kept-loss", "base loss of the kept, nats per token") + "</dl>";
  if (!decision.groups.empty())
    out +=
        "<div class=\"wide\"><table id=\"kept-groups\"><caption>Kept, by group</caption>"
        "<thead><tr><th scope=\"col\">group</th><th scope=\"col\" class=\"n\">kept</th>"
        "<th scope=\"col\" class=\"n\">of</th><th scope=\"col\">share</th></tr></thead>"
        "<tbody></tbody></table></div>";
  return out +
         "<p class=\"command\"><code id=\"command\" tabindex=\"0\"></code> "
         "<button type=\"button\" id=\"copy-command\">Copy the command</button></p>"
         "<p class=\"command\"><button type=\"button\" id=\"copy-ids\">Copy the ids</button> "
         "<button type=\"button\" id=\"save-ids\">Save the ids</button> "
         "<span id=\"ids-note\" class=\"muted\"></span></p>"
         "<p id=\"said\" class=\"said\" role=\"status\"></p></div>\n";
}

/// A few thresholds, for readers without scripts and on paper.
std::string threshold_table(const ReportData& data, const Decision& decision) {
  const KeepMeasure& measure = decision.measures.front();
  std::string out = fmt::format(
      "<div class=\"wide\"><table class=\"plain\" id=\"thresholds\"><caption>What stays at some "
      "thresholds of {}</caption><thead><tr><th scope=\"col\" class=\"n\">at least</th><th "
      "scope=\"col\" class=\"n\">traces</th><th scope=\"col\" class=\"n\">share</th><th "
      "scope=\"col\" class=\"n\">tokens</th><th scope=\"col\" class=\"n\">base "
      "loss</th></tr></thead><tbody>",
      measure.label);
  size_t last = measure.stops.size();
  for (const double share : {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0}) {
    const size_t at = stop_of_share(measure, share, data.traces.size());
    if (at == last) continue;
    last = at;
    const Threshold& stop = measure.stops[at];
    out += fmt::format(
        "<tr data-stop=\"{}\"><th scope=\"row\" class=\"n\">{}</th><td class=\"n\">{}</td><td "
        "class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
        at, flag_number(stop.value), with_thousands(stop.kept),
        percent(static_cast<double>(stop.kept), static_cast<double>(data.traces.size())),
        with_thousands(stop.tokens), short_number(stop.base_nll));
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string decide_section(const ReportData& data, const Decision& decision) {
  const KeepMeasure& measure = decision.measures.front();
  const size_t first = stop_of_share(measure, kFirstShare, data.traces.size());
  std::string out =
      "<p class=\"js\">Move the slider, or focus it and use the arrow keys. The command keeps "
      "exactly the traces that are counted here.</p>\n";
  out += controls(decision);
  out += threshold_table(data, decision);
  out += fmt::format("<p class=\"no-js\">The best tenth: <code>{}{}{}</code></p>\n",
                     escape_html(select_command(data, measure.name)),
                     flag_number(measure.stops[first].value), escape_html(select_output(data)));
  return out;
}

std::string script_data(const ReportData& data, const Decision& decision) {
  const size_t first = stop_of_share(decision.measures.front(), kFirstShare, data.traces.size());
  std::string out = fmt::format(
      "{{\"num_traces\":{},\"num_tokens\":{},\"base_nll\":{},\"first\":{},\"has_controls\":{},",
      data.traces.size(), decision.tokens, plain_number(decision.base_nll), first,
      data.has_controls);
  out += "\"output\":";
  append_string(out, select_output(data));
  out += ",\"groups\":[";
  for (size_t i = 0; i < decision.groups.size(); ++i) {
    if (i > 0) out += ',';
    append_string(out, cut_utf8(decision.groups[i], 120));
  }
  out += "],\"measures\":[";
  for (size_t i = 0; i < decision.measures.size(); ++i)
    out += (i == 0 ? "" : ",") + measure_json(data, decision.measures[i]);
  out += "],\"octiles\":" + octiles_json(data.steps);
  out += ",\"tokens\":" + tokens_json(data);
  out += ",\n\"rows\":" + rows_json(data, decision) + "}";
  return data_element(out);
}

std::string data_element(const std::string& json) {
  std::string out = "<script type=\"application/json\" id=\"data\">";
  for (const char c : json) {
    // No "<" of a text can end the element.
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out + "</script>\n";
}

}  // namespace air
