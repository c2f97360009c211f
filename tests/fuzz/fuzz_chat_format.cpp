// Any bytes as a chat-format file: it is read or it is an Error(kUsage); what is read renders
// conversations or refuses a role.
#include "base/error.h"
#include "fuzz/fuzz_target.h"
#include "text/chat_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const air::ChatFormat format = air::ChatFormat::from_json(
        std::string_view(reinterpret_cast<const char*>(data), size), "format.json");
    format.join_reasoning("\nwhy\n", "\nanswer");
    format.render_prompt({{"user", " q "}});
    format.render_prompt({{"system", ""},
                          {"user", "q"},
                          {"assistant", "<think>\nx</think>\n\na"},
                          {"user", "\u00a0r\x1c"}},
                         "<think>");
  } catch (const air::Error& e) {
    FUZZ_CHECK(e.kind() == air::ErrorKind::kUsage || e.kind() == air::ErrorKind::kInput);
  }
  return 0;
}
