#include "model/safetensors.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/lfs_pointer.h"

namespace air {

namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the limit of the reference implementation

// Sorted: a list of keys, which Json keeps, is searched from its beginning for each of many
// tensors.
using Header = nlohmann::json;

std::optional<uint64_t> bytes_of_dtype(const std::string& dtype) {
  static const std::map<std::string, uint64_t> kSizes = {
      {"F64", 8}, {"I64", 8}, {"U64", 8},     {"F32", 4},     {"I32", 4},
      {"U32", 4}, {"F16", 2}, {"BF16", 2},    {"I16", 2},     {"U16", 2},
      {"I8", 1},  {"U8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"BOOL", 1}};
  const auto it = kSizes.find(dtype);
  return it == kSizes.end() ? std::nullopt : std::optional(it->second);
}

std::optional<at::ScalarType> scalar_type_of(const std::string& dtype) {
  static const std::map<std::string, at::ScalarType> kTypes = {
      {"F64", at::kDouble},    {"F32", at::kFloat}, {"F16", at::kHalf},
      {"BF16", at::kBFloat16}, {"U8", at::kByte},   {"F8_E4M3", at::kFloat8_e4m3fn}};
  const auto it = kTypes.find(dtype);
  return it == kTypes.end() ? std::nullopt : std::optional(it->second);
}

/// Looks for a name that an object has twice, which JSON parsers silently merge. Stops at the
/// first, and at what is no JSON.
class NamesTwice : public nlohmann::json_sax<Header> {
 public:
  std::optional<std::string> found;

  bool start_object(size_t) override {
    names_.emplace_back();
    return true;
  }
  bool key(string_t& name) override {
    if (names_.back().insert(name).second) return true;
    found = name;
    return false;
  }
  bool end_object() override {
    names_.pop_back();
    return true;
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  std::vector<std::set<std::string>> names_;
};

/// Parses the header and refuses names that appear twice.
Header parse_header(std::string_view header, const std::string& where) {
  check_json_depth(header, where, ErrorKind::kModel);
  NamesTwice names;
  Header::sax_parse(header, &names);
  if (names.found)
    throw Error(ErrorKind::kModel, where,
                "the safetensors header names \"" + *names.found + "\" twice");
  Header json = Header::parse(header, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded())
    throw Error(ErrorKind::kModel, where, "the safetensors header is not valid JSON");
  if (!json.is_object())
    throw Error(ErrorKind::kModel, where, "the safetensors header is not an object");
  return json;
}

/// A JSON number that is a whole one and not negative.
std::optional<uint64_t> length_of(const Header& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<uint64_t>();
}

SafetensorsFile::Entry parse_entry(const std::string& name, const Header& json, uint64_t data_size,
                                   const std::string& file) {
  const auto refuse = [&](const std::string& what) -> Error {
    return Error(ErrorKind::kModel, file, "tensor \"" + name + "\": " + what);
  };
  if (!json.is_object()) throw refuse("its entry is not an object");
  for (const auto& [key, value] : json.items())
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      throw refuse("unknown key \"" + key + "\"");
  if (!json.contains("dtype") || !json["dtype"].is_string()) throw refuse("no dtype");
  if (!json.contains("shape") || !json["shape"].is_array()) throw refuse("no shape");
  if (!json.contains("data_offsets") || !json["data_offsets"].is_array() ||
      json["data_offsets"].size() != 2)
    throw refuse("no data_offsets of two numbers");

  SafetensorsFile::Entry entry;
  entry.dtype = json["dtype"].get<std::string>();
  const auto item_size = bytes_of_dtype(entry.dtype);
  if (!item_size) throw refuse("unknown dtype \"" + entry.dtype + "\"");
  uint64_t size = *item_size;
  for (const Header& dimension : json["shape"]) {
    const auto length = length_of(dimension);
    if (!length || *length > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      throw refuse("a dimension that is not a length");
    if (__builtin_mul_overflow(size, *length, &size)) throw refuse("its shape overflows");
    entry.shape.push_back(*length);
  }
  const auto begin = length_of(json["data_offsets"][0]);
  const auto end = length_of(json["data_offsets"][1]);
  if (!begin || !end || *begin > *end) throw refuse("data_offsets that are not a range");
  if (*end > data_size) throw refuse("its data lie outside the file (truncated?)");
  if (*end - *begin != size)
    throw refuse("its shape needs " + std::to_string(size) + " bytes, its data_offsets give " +
                 std::to_string(*end - *begin));
  entry.begin = *begin;
  entry.end = *end;
  return entry;
}

/// The ranges must tile the data section: no overlap, no hole, nothing after the last one.
void check_layout(const std::map<std::string, SafetensorsFile::Entry>& entries, uint64_t data_size,
                  const std::string& file) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const auto& [name, entry] : entries) ranges.emplace_back(entry.begin, entry.end);
  std::sort(ranges.begin(), ranges.end());
  uint64_t at = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != at)
      throw Error(ErrorKind::kModel, file,
                  std::string("tensors ") + (begin < at ? "overlap" : "leave a hole") +
                      " at data byte " + std::to_string(std::min(begin, at)));
    at = end;
  }
  if (at != data_size)
    throw Error(ErrorKind::kModel, file,
                std::to_string(data_size - at) + " bytes after the last tensor");
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : file_(path, ErrorKind::kModel) {
  const std::string where = path.string();
  const std::string_view bytes = file_.view();
  refuse_lfs_pointer(bytes, where);
  uint64_t header_size = 0;
  if (bytes.size() < sizeof header_size)
    throw Error(ErrorKind::kModel, where, "too short for a safetensors file");
  std::memcpy(&header_size, bytes.data(),
              sizeof header_size);  // little-endian, as every machine that air runs on
  if (header_size > kMaxHeader)
    throw Error(ErrorKind::kModel, where,
                "not a safetensors file: a header of " + std::to_string(header_size) + " bytes");
  if (header_size > bytes.size() - sizeof header_size)
    throw Error(ErrorKind::kModel, where,
                "the safetensors header is longer than the file (truncated?)");
  header_ = bytes.substr(sizeof header_size, header_size);
  data_ = bytes.substr(sizeof header_size + header_size);
  if (!header_.starts_with('{'))
    throw Error(ErrorKind::kModel, where, "the safetensors header does not begin with {");
  const Header json = parse_header(header_, where);
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      bool strings = value.is_object();
      if (strings)
        for (const auto& [key, text] : value.items()) strings = strings && text.is_string();
      if (!strings) throw Error(ErrorKind::kModel, where, "__metadata__ is not a map of strings");
      continue;
    }
    entries_.emplace(name, parse_entry(name, value, data_.size(), where));
  }
  check_layout(entries_, data_.size(), where);
}

std::string_view SafetensorsFile::bytes(const std::string& name) const {
  const Entry& entry = entries_.at(name);
  return data_.substr(entry.begin, entry.end - entry.begin);
}

at::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const Entry& entry = entries_.at(name);
  const auto type = scalar_type_of(entry.dtype);
  if (!type)
    throw Error(
        ErrorKind::kModel, path().string(),
        "tensor \"" + name + "\" has dtype " + entry.dtype + ", air reads F32, F16, BF16 and F64",
        "quantised weights must be dequantised first");
  const std::string_view data = bytes(name);
  const auto options = at::TensorOptions().dtype(*type);
  const auto address = reinterpret_cast<uintptr_t>(data.data());
  if (address % *bytes_of_dtype(entry.dtype) == 0)
    return at::from_blob(const_cast<char*>(data.data()), entry.shape, options);
  at::Tensor copy =
      at::empty(entry.shape, options);  // a header whose length is not a multiple of the item's
  if (!data.empty()) std::memcpy(copy.data_ptr(), data.data(), data.size());
  return copy;
}

}  // namespace air
