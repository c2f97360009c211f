// The verb `air show`.
#pragma once

#include "cli/verb.h"

namespace air {

Verb add_show(CLI::App& root);

}  // namespace air
