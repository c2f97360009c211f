// The sections of the report.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "report/decision.h"
#include "report/report_data.h"
#include "report/sanity.h"

namespace air {

/// Files that the build puts into the program: src/report/page.css and page.js.
extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;

/// A part of the page.
struct Section {
  const char* id;
  const char* name;
  std::string html;
};

/// The whole file. @param summary  what stands above the sections' names.
std::string page_of(const std::string& title, const std::string& summary,
                    const std::vector<Section>& sections, const std::string& script_data);

/// The verdict and the facts: the first screen.
std::string summary_section(const ReportData& data, const std::vector<Correlation>& correlations);
std::string decide_section(const ReportData& data, const Decision& decision);
std::string sanity_section(const ReportData& data, const std::vector<Correlation>& correlations);
std::string heads_section(const ReportData& data);
std::string distributions_section(const ReportData& data,
                                  const std::vector<Correlation>& correlations);
std::string groups_section(const ReportData& data);
std::string traces_section(const ReportData& data);
std::string manifest_section(const ReportData& data);

/// The numbers that the script works with, in an element that is not run.
std::string script_data(const ReportData& data, const Decision& decision);

/// JSON as an element that is not run; `id="data"`.
std::string data_element(const std::string& json);

/// A value of a manifest: nested ones as they are in the file.
std::string manifest_value(const Json& value);

enum class Sorted { kNo, kAscending, kDescending };
/// A column of a table that sorts when its head is pressed.
/// @param sorted  how the rows lie when the page opens.
std::string sortable_head(std::string_view name, bool numeric = true, Sorted sorted = Sorted::kNo);

/// Text with its flags (--by) and backquoted commands as code that is not broken across lines.
std::string text_with_flags(std::string_view text);

/// A table cell that shows a number and sorts by it.
std::string number_cell(double value);
std::string number_cell(int64_t value);

/// "ρ = −0.87".
std::string correlation_text(double correlation);

}  // namespace air
