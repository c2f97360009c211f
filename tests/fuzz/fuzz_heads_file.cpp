// Any bytes as a heads file, of air or in a published form: its heads, or an Error(kModel). What is
// read and written is read back the same.
#include <algorithm>

#include "base/error.h"
#include "fuzz/fuzz_target.h"
#include "heads/heads_file.h"
#include "heads/heads_import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const air::HeadsFile file = air::parse_heads_file(text, "heads.json");
    for (const air::Head head : file.heads) FUZZ_CHECK(file.model.grid.contains(head));
    const std::string written = air::to_json(file);
    FUZZ_CHECK(air::to_json(air::parse_heads_file(written, "heads.json")) == written);
  } catch (const air::Error& e) {
    FUZZ_CHECK(e.kind() == air::ErrorKind::kModel);
  }
  try {
    const air::PublishedHeads published = air::parse_published_heads(text);
    FUZZ_CHECK(!published.heads.empty());
    FUZZ_CHECK(published.scores.empty() || published.scores.size() == published.heads.size());
  } catch (const air::Error& e) {
    FUZZ_CHECK(e.kind() == air::ErrorKind::kModel || e.kind() == air::ErrorKind::kUsage);
  }
  return 0;
}
