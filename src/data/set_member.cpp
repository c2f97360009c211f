#include "data/set_member.h"

#include <algorithm>

#include "data/record_value.h"

namespace air {

namespace {

/// The members but those of that name, as they are written, with the commas between them.
std::string other_members(std::string_view line, const RecordValue& record, std::string_view name) {
  std::string out;
  size_t begin = record.begin + 1;
  for (const auto& member : record.members) {
    const size_t end = line.find_first_of(",}", member.value.end);
    if (member.name != name) {
      if (!out.empty()) out += ',';
      out += line.substr(begin, end - begin);
    }
    begin = end + 1;
  }
  return out;
}

}  // namespace

std::string set_member(std::string_view line, std::string_view name, std::string_view json) {
  const RecordValue record = parse_record_line(line);
  const bool is_there = std::ranges::any_of(
      record.members, [&](const RecordMember& member) { return member.name == name; });
  const size_t open = record.begin + 1, brace = record.end - 1;
  std::string out;
  out.reserve(line.size() + name.size() + json.size() + 8);
  out += line.substr(0, open);
  const size_t kept = out.size();
  if (is_there)
    out += other_members(line, record, name);
  else
    out += line.substr(open, brace - open);
  if (!record.members.empty() && out.size() > kept) out += ',';
  return out.append("\"").append(name).append("\":").append(json).append(line.substr(brace));
}

}  // namespace air
