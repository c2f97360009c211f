// Any bytes as a tokenizer.model: it loads or it is an Error(kModel); what loads encodes any text
// in order.
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/memory_file.h"
#include "support/temporary_folder.h"
#include "text/sentencepiece_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto folder = [] {
    keep_folders_in_memory();
    return std::make_unique<air::test::TemporaryFolder>();
  }();
  static const std::string kText =
      "A text's words, 123 e\u0301 <s> \u6f22\u5b57 👩‍👩‍👧\n\n  end\t";
  folder->write("tokenizer.model", {reinterpret_cast<const char*>(data), size});
  try {
    const air::SentencePieceTokenizer tokenizer(folder->path());
    const air::Encoding encoding = tokenizer.encode(kText, true);
    FUZZ_CHECK(encoding.ids.size() == encoding.begin.size());
    for (const int64_t begin : encoding.begin)
      FUZZ_CHECK(begin >= -1 && begin <= static_cast<int64_t>(kText.size()));
    for (const int32_t id : encoding.ids) FUZZ_CHECK(id >= 0 && id < tokenizer.vocab_size());
  } catch (const air::Error& e) {
    FUZZ_CHECK(e.kind() == air::ErrorKind::kModel || e.kind() == air::ErrorKind::kInput);
  }
  return 0;
}
