// The report as one HTML file: no network, its only script and style named by their hashes.
#pragma once

#include <string>

#include "report/report_data.h"

namespace air {

/// The whole page. The same data give the same bytes.
std::string render_page(const ReportData& data);

}  // namespace air
