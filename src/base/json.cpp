#include "base/json.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "base/lfs_pointer.h"

namespace air {

namespace {

constexpr size_t kMaxFileSize = size_t{1} << 30;

// Json keeps the order of keys and looks for each from the first: n keys of an object take n²
// comparisons. As many as an object of so many keys takes are a second's work.
constexpr int64_t kMaxKeys = 20'000;
constexpr int64_t kMaxKeyComparisons = kMaxKeys * kMaxKeys / 2;

/// What reading a text would take; also of one that is not JSON.
struct JsonCost {
  int depth = 0;  ///< the deepest level of brackets and braces outside strings
  int64_t key_comparisons = 0;
};

JsonCost cost_of(std::string_view text) {
  JsonCost cost;
  std::vector<int64_t> num_keys(1);  // of the objects that are open; a key is a colon there
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == ':') {
      cost.key_comparisons += num_keys.back()++;
    } else if (c == '{' || c == '[') {
      cost.depth = std::max(cost.depth, ++depth);
      num_keys.push_back(0);
    } else if (c == '}' || c == ']') {
      --depth;
      if (num_keys.size() > 1) num_keys.pop_back();
    }
  }
  return cost;
}

/// What is wrong with a text that takes too much; null: nothing.
const char* excess_of(const JsonCost& cost) {
  static const std::string kNested =
      "JSON that is nested more than " + std::to_string(kMaxJsonDepth) + " levels deep";
  static const std::string kKeys =
      "JSON whose objects have too many keys (" + std::to_string(kMaxKeys) + " in one, at most)";
  if (cost.depth > kMaxJsonDepth) return kNested.c_str();
  return cost.key_comparisons > kMaxKeyComparisons ? kKeys.c_str() : nullptr;
}

/// A file that is open for reading.
class OpenFile {
 public:
  OpenFile(const std::filesystem::path& path, ErrorKind kind, int how)
      : path_(path.string()), kind_(kind), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | how)) {
    if (fd_ < 0) throw Error(kind_, path_, std::strerror(errno));
  }
  ~OpenFile() { ::close(fd_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  void require_regular() const {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) throw Error(kind_, path_, std::strerror(errno));
    if (!S_ISREG(info.st_mode)) throw Error(kind_, path_, "not a regular file");
  }

  std::string read_all() const {
    std::string text;
    char chunk[1 << 16];
    for (;;) {
      const ssize_t count = ::read(fd_, chunk, sizeof chunk);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw Error(kind_, path_, std::strerror(errno));
      if (count == 0) break;
      if (text.size() > kMaxFileSize) throw Error(kind_, path_, "larger than 1 GiB");
      text.append(chunk, static_cast<size_t>(count));
    }
    if (kind_ == ErrorKind::kModel) refuse_lfs_pointer(text, path_);
    return text;
  }

 private:
  std::string path_;
  ErrorKind kind_;
  int fd_;
};

/// Python writes numbers that JSON does not have by their names, Infinity and NaN: as transformers
/// 5 writes them, {"__float__": "Infinity"}.
std::string with_tagged_numbers(std::string text) {
  constexpr std::array<std::string_view, 3> kNames = {"-Infinity", "Infinity", "NaN"};
  if (text.find("Infinity") == std::string::npos && text.find("NaN") == std::string::npos)
    return text;
  std::string tagged;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto* const name =
        in_string ? kNames.end()
                  : std::find_if(kNames.begin(), kNames.end(), [&](std::string_view candidate) {
                      return text.compare(i, candidate.size(), candidate) == 0;
                    });
    if (name != kNames.end()) {
      tagged += "{\"__float__\": \"" + std::string(*name) + "\"}";
      i += name->size() - 1;
      continue;
    }
    tagged += text[i];
    if (in_string && text[i] == '\\' && i + 1 < text.size())
      tagged += text[++i];
    else if (text[i] == '"')
      in_string = !in_string;
  }
  return tagged;
}

}  // namespace

void check_json_depth(std::string_view text, const std::string& where, ErrorKind kind) {
  if (const char* excess = excess_of({.depth = cost_of(text).depth}))
    throw Error(kind, where, excess);
}

Json parse_json(std::string_view text, const std::string& where, ErrorKind kind) {
  if (const char* excess = excess_of(cost_of(text))) throw Error(kind, where, excess);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    throw Error(kind, where, "not valid JSON at byte " + std::to_string(e.byte));
  } catch (const Json::exception& e) {
    throw Error(kind, where, std::string("not valid JSON: ") + e.what());
  }
}

std::optional<Json> try_parse_json(std::string_view text) {
  if (excess_of(cost_of(text)) != nullptr) return std::nullopt;
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json.is_discarded() ? std::nullopt : std::optional(std::move(json));
}

std::string read_file(const std::filesystem::path& path, ErrorKind kind) {
  return OpenFile(path, kind, 0).read_all();
}

std::string read_model_file(const std::filesystem::path& path) {
  const OpenFile file(path, ErrorKind::kModel, O_NONBLOCK);  // a pipe is opened without its writer
  file.require_regular();
  return file.read_all();
}

Json read_json_file(const std::filesystem::path& path, ErrorKind kind) {
  return parse_json(kind == ErrorKind::kModel ? with_tagged_numbers(read_model_file(path))
                                              : read_file(path, kind),
                    path.string(), kind);
}

std::optional<int64_t> whole_number(const Json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  if (value.is_number_unsigned() &&
      value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    return std::nullopt;
  return value.get<int64_t>();
}

void append_number(std::string& out, double value) {
  AIR_CHECK(std::isfinite(value));
  if (value == 0 && std::signbit(value)) {
    out += "-0.0";  // "-0" is an integer to some readers, ours among them, and has no sign
    return;
  }
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
