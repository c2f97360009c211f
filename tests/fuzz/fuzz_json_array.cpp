// Fuzzes the reader of JSON arrays: of an array that is JSON, each element is a line that says the
// same; of anything else, errors of input at most.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "base/json_array_source.h"
#include "fuzz/fuzz_target.h"

namespace {

class TextSource : public air::ByteSource {
 public:
  explicit TextSource(std::string_view text) : text_(text) {}
  size_t read(char* out, size_t size) override {
    const size_t count = std::min({size, text_.size(), size_t{7}});
    text_.copy(out, count);
    text_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view text_;
};

std::string lines_of(std::string_view text) {
  air::JsonArraySource source(std::make_unique<TextSource>(text), "fuzz");
  std::string lines;
  char piece[16];
  while (const size_t count = source.read(piece, sizeof piece)) lines.append(piece, count);
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '[') return 0;
  if (text.find('\0') != std::string_view::npos) return 0;  // nlohmann takes it for the end
  const air::Json array = air::Json::parse(text, nullptr, /*allow_exceptions=*/false);
  try {
    std::string lines = lines_of(text);
    if (!array.is_array()) return 0;
    size_t count = 0;
    for (std::string_view rest = lines; !rest.empty(); ++count) {
      const size_t end = rest.find('\n');
      FUZZ_CHECK(end != std::string_view::npos && count < array.size());
      FUZZ_CHECK(air::Json::parse(rest.substr(0, end)) == array[count]);
      rest.remove_prefix(end + 1);
    }
    FUZZ_CHECK(count == array.size());
  } catch (const air::Error& e) {
    FUZZ_CHECK(e.kind() == air::ErrorKind::kInput && !array.is_array());
  }
  return 0;
}
