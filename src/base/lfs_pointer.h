// Git LFS pointers: a few lines of text in place of a large file that was not fetched.
#pragma once

#include <string>
#include <string_view>

namespace air {

/// @param bytes of a model's file   @throws Error(kModel) when they are a pointer.
void refuse_lfs_pointer(std::string_view bytes, const std::string& where);

}  // namespace air
