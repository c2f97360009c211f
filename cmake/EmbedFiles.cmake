# embed_files(TARGET HEADER FILE:NAME …): writes the texts of files of src/ into a source file of the target, which defines
# the std::string_view NAME that HEADER declares in namespace air.
function(embed_files target header)
  set(source "#include \"${header}\"\n\nnamespace air {\n")
  foreach(file_and_name IN LISTS ARGN)
    string(REPLACE ":" ";" file_and_name "${file_and_name}")
    list(GET file_and_name 0 file)
    list(GET file_and_name 1 name)
    set(path "${PROJECT_SOURCE_DIR}/src/${file}")
    set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${path}")
    file(READ "${path}" text)
    string(APPEND source "\nconst std::string_view ${name} = R\"air_file(${text})air_file\";\n")
  endforeach()
  string(APPEND source "\n}  // namespace air\n")
  set(output "${PROJECT_BINARY_DIR}/generated/${target}_files.cpp")
  file(GENERATE OUTPUT "${output}" CONTENT "${source}")  # does not touch a file that is as it should be
  target_sources(${target} PRIVATE "${output}")
endfunction()
