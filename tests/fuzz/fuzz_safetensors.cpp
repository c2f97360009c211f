// Any bytes as a safetensors file: tensors whose bytes lie in the file, or an Error(kModel).
#include <numeric>

#include "base/error.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/memory_file.h"
#include "model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const MemoryFile memory({reinterpret_cast<const char*>(data), size});
  try {
    const air::SafetensorsFile file(memory.path());
    for (const auto& [name, entry] : file.entries()) {
      const std::string_view bytes = file.bytes(name);
      const unsigned sum = std::accumulate(bytes.begin(), bytes.end(), 0U);
      FUZZ_CHECK(sum == 0 || bytes.size() == entry.end - entry.begin);  // all were read
      try {
        FUZZ_CHECK(file.tensor(name).nbytes() == bytes.size());
      } catch (const air::Error& e) {
        FUZZ_CHECK(e.kind() == air::ErrorKind::kModel);
      }
    }
  } catch (const air::Error& e) {
    FUZZ_CHECK(e.kind() == air::ErrorKind::kModel);
  }
  return 0;
}
