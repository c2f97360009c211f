// The sections of the report.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/report_data.h"
#include "report/sanity.h"

namespace air {

/// Files that the build puts into the program: src/report/page.css and page.js.
extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;

std::string summary_section(const ReportData& data);
std::string sanity_section(const ReportData& data, const std::vector<Correlation>& correlations);
std::string heads_section(const ReportData& data);
std::string distributions_section(const ReportData& data,
                                  const std::vector<Correlation>& correlations);
std::string groups_section(const ReportData& data);
std::string traces_section(const ReportData& data);
std::string manifest_section(const ReportData& data);

/// A column of a table that sorts when its head is pressed.
std::string sortable_head(std::string_view name, bool numeric = true,
                          std::string_view explanation = "");

/// A table cell that shows a number and sorts by it.
std::string number_cell(double value);
std::string number_cell(int64_t value);

/// "ρ = −0.87".
std::string correlation_text(double correlation);

}  // namespace air
