# Compiler settings of the whole tree: ccache where it is present, our warnings
# where a preset asks for them, sanitizers where a preset names them.

find_program(RLS_CCACHE ccache)
if(RLS_CCACHE)
  # What one checkout has compiled serves every other, wherever it lies; with
  # precompiled headers ccache works only under this sloppiness.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
    CCACHE_NOHASHDIR=true CCACHE_SLOPPINESS=pch_defines,time_macros
    ${RLS_CCACHE})
endif()

if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # It takes the sources that a unity build includes for headers.
  add_compile_options(-Wno-subobject-linkage)
endif()

add_library(rls_options INTERFACE)
target_include_directories(rls_options INTERFACE ${PROJECT_SOURCE_DIR}/server)
if(RLS_DEVELOPER)
  target_compile_options(rls_options INTERFACE
    -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Werror
    # Designated initializers leave the rest at its default on purpose.
    -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(rls_options INTERFACE -Wthread-safety -Wreserved-identifier)
  endif()
endif()
if(RLS_SANITIZE)
  # For tests that measure memory, where a sanitizer's own would be counted, and for
  # those that play at random, which need not play as long once more.
  add_compile_definitions(RLS_SANITIZED)
  add_compile_options(-fsanitize=${RLS_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${RLS_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # Its checks hide from g++ what it needs to know for this warning, which
    # then finds Abseil's containers at fault.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  if(RLS_SANITIZE MATCHES thread)
    # Protobuf's and Abseil's headers change the layout of their classes under
    # this macro; the libraries that Debian ships were built without it.
    add_compile_options(-U__SANITIZE_THREAD__)
    add_compile_definitions(RLS_TSAN)
  endif()
  if(RLS_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()
