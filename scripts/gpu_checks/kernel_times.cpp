// When each kernel and each copy of a program began and ended on the GPU, by CUPTI, which every
// CUDA build of torch brings. Both LD_PRELOAD and CUDA_INJECTION64_PATH name this library: the
// driver starts it, and the program's end, by _exit too, writes the file that KERNEL_TIMES names:
// lines of begin, end (nanoseconds) and name, separated by tabs, in the order of their begins.
#include <cupti.h>
#include <cxxabi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

// As CUPTI itself writes them, whatever version cuda.h has.
#if CUPTI_API_VERSION >= 130000
using KernelRecord = CUpti_ActivityKernel10;
#else
using KernelRecord = CUpti_ActivityKernel9;
#endif

constexpr size_t kBufferBytes = 8 << 20;

bool is_watched = false;

struct Span {
  uint64_t begin, end;
  const std::string* name;
};

// Never destroyed: records may come while the program ends.
struct Records {
  std::mutex mutex;
  std::map<std::string, std::string> names;  // as compiled: as written
  std::vector<Span> spans;

  const std::string* name_of(const char* mangled) {
    std::string& name = names[mangled];
    if (name.empty()) {
      int status = 0;
      const std::unique_ptr<char, void (*)(void*)> text(
          abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
      name = status == 0 ? text.get() : mangled;
    }
    return &name;
  }
};

Records& records() {
  static auto* all = new Records;
  return *all;
}

void CUPTIAPI give_buffer(uint8_t** buffer, size_t* size, size_t* max_records) {
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(8, kBufferBytes));
  *size = kBufferBytes;
  *max_records = 0;
}

void CUPTIAPI take_buffer(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t valid) {
  Records& all = records();
  const std::lock_guard lock(all.mutex);
  for (CUpti_Activity* record = nullptr;
       cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS;) {
    if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
      const auto* kernel = reinterpret_cast<const KernelRecord*>(record);
      all.spans.push_back({kernel->start, kernel->end, all.name_of(kernel->name)});
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
      const auto* copy = reinterpret_cast<const CUpti_ActivityMemcpy6*>(record);
      const char* name = copy->copyKind == CUPTI_ACTIVITY_MEMCPY_KIND_HTOD   ? "[copy to the GPU]"
                         : copy->copyKind == CUPTI_ACTIVITY_MEMCPY_KIND_DTOH ? "[copy from the GPU]"
                                                                             : "[copy]";
      all.spans.push_back({copy->start, copy->end, all.name_of(name)});
    }
  }
  std::free(buffer);
}

/// Says on stderr what CUPTI refuses.
bool succeeds(const char* what, CUptiResult result) {
  const char* text = nullptr;
  if (result != CUPTI_SUCCESS && cuptiGetResultString(result, &text) == CUPTI_SUCCESS)
    std::fprintf(stderr, "kernel_times: %s: %s\n", what, text);
  return result == CUPTI_SUCCESS;
}

void write_spans() {
  if (!is_watched) return;
  is_watched = false;
  cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
  const char* path = std::getenv("KERNEL_TIMES");
  std::FILE* file = path == nullptr ? nullptr : std::fopen(path, "w");
  if (file == nullptr) return;
  Records& all = records();
  const std::lock_guard lock(all.mutex);
  std::sort(all.spans.begin(), all.spans.end(),
            [](const Span& a, const Span& b) { return a.begin < b.begin; });
  for (const Span& span : all.spans)
    std::fprintf(file, "%llu\t%llu\t%s\n", static_cast<unsigned long long>(span.begin),
                 static_cast<unsigned long long>(span.end), span.name->c_str());
  std::fclose(file);
}

}  // namespace

extern "C" int InitializeInjection() {
  records();
  if (!succeeds("callbacks", cuptiActivityRegisterCallbacks(give_buffer, take_buffer))) return 0;
  for (const CUpti_ActivityKind kind :
       {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, CUPTI_ACTIVITY_KIND_MEMCPY})
    if (!succeeds("records", cuptiActivityEnable(kind))) return 0;
  is_watched = true;
  return std::atexit(write_spans) == 0;
}

extern "C" void _exit(int code) {
  write_spans();
  ::syscall(SYS_exit_group, code);
  __builtin_unreachable();
}
