#include "data/record_value.h"
#include "data/trace_record.h"

namespace air {

std::string splice_air(std::string_view line, std::string_view air_json) {
  const RecordValue record = parse_record_line(line, "");
  std::string out;
  out.reserve(line.size() + air_json.size() + 8);
  for (const auto& [name, value] : record.members)
    if (name == "air")
      return out.append(line.substr(0, value.begin))
          .append(air_json)
          .append(line.substr(value.end));
  const size_t brace = record.end - 1;
  out.append(line.substr(0, brace));
  if (!record.members.empty()) out += ',';
  return out.append("\"air\":").append(air_json).append(line.substr(brace));
}

}  // namespace air
