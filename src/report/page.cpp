#include "report/page.h"

#include <fmt/format.h>

#include "report/html.h"
#include "report/page_parts.h"
#include "report/sha256.h"

namespace air {

namespace {

std::string head(const std::string& title) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\" class=\"no-script\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src {}; "
      "script-src {}; img-src data:; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta "
      "name=\"color-scheme\" content=\"light dark\">\n"
      "<meta name=\"generator\" content=\"air report\">\n<link rel=\"icon\" "
      "href=\"data:,\">\n<title>{}</title>\n<style>{}</style>\n</head>\n",
      csp_hash(kPageStyle), csp_hash(kPageScript), escape_html(title), kPageStyle);
}

}  // namespace

std::string page_of(const std::string& title, const std::string& summary,
                    const std::vector<Section>& sections, const std::string& script_data) {
  std::string out = head(title);
  out +=
      "<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header "
      "class=\"top\">\n<h1>" +
      isolated_html(title) + "</h1>\n";
  out += summary + "<nav aria-label=\"Sections\"><ul>";
  for (const Section& section : sections)
    out += fmt::format("<li><a href=\"#{}\">{}</a></li>", section.id, section.name);
  out += "</ul></nav>\n</header>\n<main id=\"main\">\n";
  for (const Section& section : sections)
    out += fmt::format(
        "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 "
        "id=\"{0}-title\">{1}</h2>\n{2}</section>\n",
        section.id, section.name, section.html);
  out += "</main>\n<div id=\"tip\" role=\"tooltip\" hidden></div>\n" + script_data + "<script>";
  out.append(kPageScript);
  return out + "</script>\n</body>\n</html>\n";
}

std::string render_page(const ReportData& data) {
  const std::vector<Correlation> all = correlations(data);
  const Decision decision = make_decision(data);
  std::vector<Section> sections;
  sections.push_back({"decide", "What to keep", decide_section(data, decision)});
  sections.push_back({"sanity", "What the scores say", sanity_section(data, all)});
  sections.push_back({"traces", "Traces", traces_section(data)});
  if (!data.group_field.empty()) sections.push_back({"groups", "Groups", groups_section(data)});
  sections.push_back({"distributions", "Distributions", distributions_section(data, all)});
  sections.push_back({"heads", "Heads", heads_section(data)});
  sections.push_back({"manifest", "How it was made", manifest_section(data)});
  return page_of(data.title, summary_section(data, all), sections, script_data(data, decision));
}

}  // namespace air
