#include "base/json.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/lfs_pointer.h"

namespace air {

Json parse_json(std::string_view text, const std::string& where, ErrorKind kind) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    throw Error(kind, where, "not valid JSON at byte " + std::to_string(e.byte));
  } catch (const Json::exception& e) {
    throw Error(kind, where, std::string("not valid JSON: ") + e.what());
  }
}

std::string read_file(const std::filesystem::path& path, ErrorKind kind) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) throw Error(kind, path.string(), std::strerror(errno));
  std::string text;
  char chunk[1 << 16];
  size_t count;
  while ((count = std::fread(chunk, 1, sizeof chunk, file.get())) > 0) text.append(chunk, count);
  if (std::ferror(file.get())) throw Error(kind, path.string(), std::strerror(errno));
  if (kind == ErrorKind::kModel) refuse_lfs_pointer(text, path.string());
  return text;
}

Json read_json_file(const std::filesystem::path& path, ErrorKind kind) {
  return parse_json(read_file(path, kind), path.string(), kind);
}

void append_number(std::string& out, double value) {
  AIR_CHECK(std::isfinite(value));
  char digits[32];
  const auto result = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, result.ptr);
}

void append_number(std::string& out, int64_t value) { out += std::to_string(value); }

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\u%04x", c);
          out += escape;
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

}  // namespace air
