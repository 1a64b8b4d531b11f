# Compiler settings of the whole tree: ccache if it is installed, our warnings if
# RLS_DEVELOPER is on, and the sanitizers of RLS_SANITIZE.

find_program(RLS_CCACHE ccache)
if(RLS_CCACHE)
  # CCACHE_BASEDIR and CCACHE_NOHASHDIR let all checkouts share the cache, in any
  # folder. ccache supports precompiled headers only with CCACHE_SLOPPINESS.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
    CCACHE_NOHASHDIR=true CCACHE_SLOPPINESS=pch_defines,time_macros
    ${RLS_CCACHE})
endif()

if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # A unity build includes sources into another source. GCC takes them for headers
  # and warns about types in their anonymous namespaces.
  add_compile_options(-Wno-subobject-linkage)
endif()

add_library(rls_options INTERFACE)
target_include_directories(rls_options INTERFACE ${PROJECT_SOURCE_DIR}/server)
# hiredis asks for this macro. All sources get it, because a precompiled header
# serves only sources with the same macros.
target_compile_definitions(rls_options INTERFACE _FILE_OFFSET_BITS=64)
if(RLS_DEVELOPER)
  target_compile_options(rls_options INTERFACE
    -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Werror
    # Our designated initializers omit members that keep their default.
    -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    target_compile_options(rls_options INTERFACE -Wthread-safety -Wreserved-identifier)
  endif()
endif()
if(RLS_SANITIZE)
  # Tests that measure memory skip the memory of a sanitizer. Tests with random
  # input make fewer rounds: the build without sanitizers has made them all.
  add_compile_definitions(RLS_SANITIZED)
  add_compile_options(-fsanitize=${RLS_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${RLS_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # With the checks of a sanitizer, g++ gives this warning wrongly for Abseil's
    # containers.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
  if(RLS_SANITIZE MATCHES thread)
    # This macro changes the layout of classes in the headers of Protobuf and
    # Abseil. Debian builds the libraries without it.
    add_compile_options(-U__SANITIZE_THREAD__)
    add_compile_definitions(RLS_TSAN)
  endif()
  if(RLS_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

# rls_hardening: what Debian builds its network services with, for the sources of
# server/ and client/ and for our programs. tests/checks/hardening.py reads the
# result. Without it: the sanitizers, which replace it, and the tests, which are
# not optimised.
add_library(rls_hardening INTERFACE)
if(NOT RLS_SANITIZE AND CMAKE_BUILD_TYPE MATCHES "^(Release|RelWithDebInfo)$")
  target_compile_options(rls_hardening INTERFACE
    -fPIE -fstack-protector-strong -fstack-clash-protection
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|i.86")
    target_compile_options(rls_hardening INTERFACE -fcf-protection=full)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    target_compile_options(rls_hardening INTERFACE -mbranch-protection=standard)
  endif()
  target_link_options(rls_hardening INTERFACE
    -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
