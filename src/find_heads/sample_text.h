// A page of ordinary prose, for checks that need text and were given none.
#pragma once

#include <string_view>

namespace air {

std::string_view sample_text();

}  // namespace air
