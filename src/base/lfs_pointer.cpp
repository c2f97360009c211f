#include "base/lfs_pointer.h"

#include "base/error.h"

namespace air {

void refuse_lfs_pointer(std::string_view bytes, const std::string& where) {
  if (!bytes.starts_with("version https://git-lfs.github.com/spec/")) return;
  throw Error(ErrorKind::kModel, where, "a Git LFS pointer, not the file itself",
              "fetch the files: git lfs install && git lfs pull in that folder, or hf download "
              "OWNER/NAME --local-dir DIR");
}

}  // namespace air
