// The verb `air score`.
#pragma once

#include "air/cli/verb.h"

namespace air {

Verb add_score(CLI::App& root);

}  // namespace air
