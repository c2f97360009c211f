// A temporary file that has no name.
#pragma once

namespace air {

/// A file for reading and writing in TMPDIR (else /tmp) that has no name: it is gone when it is
/// closed. @throws Error(kResource).
int open_unnamed_file();

}  // namespace air
