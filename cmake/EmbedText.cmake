# rls_embed_text(target header CONSTANT file [CONSTANT file]...)
#
# Generates `header`, which defines one string constant of namespace rls for each
# file. The sources of `target` can include the header.
function(rls_embed_text target header)
  set(text "#pragma once\n\n#include \"absl/strings/string_view.h\"\n\nnamespace rls {\n\n")
  while(ARGN)
    list(POP_FRONT ARGN constant file)
    set(path ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    file(READ ${path} content)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    string(APPEND text "inline constexpr absl::string_view ${constant} =\n"
      "    R\"text(${content})text\";\n\n")
  endwhile()
  string(APPEND text "}  // namespace rls\n")
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/embedded/${header}
    CONTENT "${text}")
  target_include_directories(${target}
    PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/embedded)
endfunction()
