# embed_build_info(TARGET): gives TARGET the version and the commit (src/cli/version.h).
# The commit is looked up at every build, and the one source file that holds it is written anew only when it has changed.
function(embed_build_info target)
  set(output "${PROJECT_BINARY_DIR}/generated/build_info.cpp")
  add_custom_target(air_build_info BYPRODUCTS "${output}" COMMENT "Looking up the commit"
    COMMAND "${CMAKE_COMMAND}" -D "SOURCE=${PROJECT_SOURCE_DIR}" -D "OUTPUT=${output}" -D "VERSION=${PROJECT_VERSION}"
      -P "${PROJECT_SOURCE_DIR}/cmake/WriteBuildInfo.cmake")
  target_sources(${target} PRIVATE "${output}")
  add_dependencies(${target} air_build_info)
endfunction()
