// The verb `air score`.
#pragma once

#include "cli/verb.h"

namespace air {

Verb add_score(CLI::App& root);

}  // namespace air
