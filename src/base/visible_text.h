// Text of others for a terminal: control characters are shown, not obeyed.
#pragma once

#include <string>
#include <string_view>

namespace air {

/// The text with every control character but the line end written out (\x1b, \x9b): names of files
/// and contents of records must not move the cursor, set colours or fake a message.
std::string visible_text(std::string_view text);

}  // namespace air
