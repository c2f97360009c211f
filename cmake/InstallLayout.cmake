# Where an installed air lies, and where it looks for its libraries. All places are relative to the program, so that the prefix
# may be moved; only a libtorch that lies elsewhere is named by its full path.
#   cmake --install    PREFIX/bin/air       PREFIX/libexec/air-torch      PREFIX/lib/air/…     torch: see AIR_TORCH_FOLDERS
#   the wheel          air_select/bin/air   air_select/libexec/air-torch  air_select/lib/…     torch: the package beside air_select
# libexec is always the folder beside that of air: what is relative to one program is relative to the other.
include(GNUInstallDirs)
get_filename_component(_torch_lib "${LibTorch_c10_LIBRARY}" DIRECTORY)

string(REGEX MATCH "^[0-9]+\\.[0-9]+" LibTorch_MINOR_VERSION "${LibTorch_VERSION}")

if(SKBUILD)
  set(AIR_PROGRAM_FOLDER air_select/bin)
  set(AIR_LIBRARY_FOLDER air_select/lib)
  set(AIR_LICENSE_FOLDER air_select/licenses)
  set(_share "${SKBUILD_DATA_DIR}/share")  # PREFIX/share of the environment
  set(_library_path "$ORIGIN/../lib")
  set(_torch_folders "$ORIGIN/../../torch/lib")
  file(STRINGS "${PROJECT_SOURCE_DIR}/pyproject.toml" _dependency REGEX "^dependencies = ")
  if(NOT _dependency MATCHES "\"torch==${LibTorch_MINOR_VERSION}\\.\\*\"")
    message(FATAL_ERROR "built against torch ${LibTorch_VERSION}, the wheel must depend on torch==${LibTorch_MINOR_VERSION}.*; pyproject.toml says "
      "${_dependency}")
  endif()
  file(WRITE "${PROJECT_BINARY_DIR}/generated/torch_version.txt" "${LibTorch_MINOR_VERSION}\n")
  install(FILES "${PROJECT_BINARY_DIR}/generated/torch_version.txt" DESTINATION air_select)
  file(GLOB _integrations CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/integrations/*.py")
  install(FILES ${_integrations} DESTINATION .)  # import air_ray
else()
  set(AIR_PROGRAM_FOLDER "${CMAKE_INSTALL_BINDIR}")
  set(AIR_LIBRARY_FOLDER "${CMAKE_INSTALL_LIBDIR}/air")
  set(AIR_LICENSE_FOLDER "${CMAKE_INSTALL_DOCDIR}/licenses")
  set(_share "${CMAKE_INSTALL_DATADIR}")
  file(RELATIVE_PATH _library_path "/${AIR_PROGRAM_FOLDER}" "/${AIR_LIBRARY_FOLDER}")
  set(_library_path "$ORIGIN/${_library_path}")
  # A torch put (or linked) into the prefix; that of the environment when the prefix is one; the one of this build.
  set(_torch_folders "$ORIGIN/../lib/torch/lib")
  if(_torch_lib MATCHES "/lib/(python3[^/]*/site-packages/torch/lib)$")
    list(APPEND _torch_folders "$ORIGIN/../lib/${CMAKE_MATCH_1}")
  endif()
  list(APPEND _torch_folders "${_torch_lib}")
endif()
set(AIR_TORCH_FOLDERS "" CACHE STRING "Folders with libtorch_cpu.so where an installed air looks, in order; empty: the usual ones")
if(AIR_TORCH_FOLDERS)
  set(_torch_folders "${AIR_TORCH_FOLDERS}")
endif()
set(AIR_INSTALL_RPATH "${_library_path}" ${_torch_folders})

cmake_path(GET AIR_PROGRAM_FOLDER PARENT_PATH AIR_TORCH_PROGRAM_FOLDER)
cmake_path(APPEND AIR_TORCH_PROGRAM_FOLDER libexec)

function(install_program target folder)
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "${AIR_INSTALL_RPATH}")
  install(TARGETS ${target} RUNTIME DESTINATION "${folder}")
endfunction()

# Shell completions and the manual page, which the program itself makes. Where it cannot run at build time, they are left out.
function(install_generated target)
  set(_folder "${PROJECT_BINARY_DIR}/share")
  set(_script "${PROJECT_SOURCE_DIR}/cmake/GenerateShare.cmake")
  add_custom_command(TARGET ${target} POST_BUILD VERBATIM
    COMMAND ${CMAKE_COMMAND} "-DPROGRAM=$<TARGET_FILE:${target}>" "-DFOLDER=${_folder}" -P "${_script}")
  install(FILES "${_folder}/air.bash" DESTINATION "${_share}/bash-completion/completions" RENAME air OPTIONAL)
  install(FILES "${_folder}/_air" DESTINATION "${_share}/zsh/site-functions" OPTIONAL)
  install(FILES "${_folder}/air.fish" DESTINATION "${_share}/fish/vendor_completions.d" OPTIONAL)
  install(FILES "${_folder}/air.1" DESTINATION "${_share}/man/man1" OPTIONAL)
endfunction()
