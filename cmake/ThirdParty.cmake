# SPDX-License-Identifier: Apache-2.0
#
# Libraries from outside. Debian's come from the system, the others from CICLO_DEPS_DIR, where
# `./dev setup` has put what third_party/lock.json pins.

find_package(Python3 REQUIRED COMPONENTS Interpreter)
if(CICLO_TESTS)
  find_package(GTest REQUIRED)
endif()

if(NOT EXISTS ${CICLO_DEPS_DIR}/duckdb/lib/libduckdb.so)
  message(FATAL_ERROR "pinned libraries are missing in ${CICLO_DEPS_DIR}: run ./dev setup")
endif()

add_library(yyjson STATIC ${CICLO_DEPS_DIR}/yyjson/yyjson.c)
target_include_directories(yyjson SYSTEM PUBLIC ${CICLO_DEPS_DIR}/yyjson)
target_compile_options(yyjson PRIVATE -O2 -w)

set(blake3 ${CICLO_DEPS_DIR}/blake3)
add_library(blake3 STATIC
  ${blake3}/blake3.c ${blake3}/blake3_dispatch.c ${blake3}/blake3_portable.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_sources(blake3 PRIVATE
    ${blake3}/blake3_sse2_x86-64_unix.S ${blake3}/blake3_sse41_x86-64_unix.S
    ${blake3}/blake3_avx2_x86-64_unix.S ${blake3}/blake3_avx512_x86-64_unix.S)
else()
  target_compile_definitions(blake3 PRIVATE BLAKE3_USE_NEON=0)
endif()
target_include_directories(blake3 SYSTEM PUBLIC ${blake3})
target_compile_options(blake3 PRIVATE -w $<$<COMPILE_LANGUAGE:C>:-O2>)

add_library(sqlite STATIC ${CICLO_DEPS_DIR}/sqlite/sqlite3.c)
target_include_directories(sqlite SYSTEM PUBLIC ${CICLO_DEPS_DIR}/sqlite)
target_compile_options(sqlite PRIVATE -O2 -w)
# One connection is used by one thread at a time (SQLITE_THREADSAFE=2), and no code here needs
# what is left out.
target_compile_definitions(sqlite PRIVATE
  SQLITE_THREADSAFE=2 SQLITE_DQS=0 SQLITE_DEFAULT_MEMSTATUS=0 SQLITE_OMIT_LOAD_EXTENSION
  SQLITE_OMIT_DEPRECATED SQLITE_OMIT_SHARED_CACHE SQLITE_ENABLE_MATH_FUNCTIONS
  SQLITE_LIKE_DOESNT_MATCH_BLOBS SQLITE_MAX_VARIABLE_NUMBER=65535 SQLITE_DEFAULT_WAL_SYNCHRONOUS=2)

# Undefined behaviour ends a sanitized test of ours; what is in these is not ours to mend.
if(CICLO_SANITIZE MATCHES undefined)
  foreach(library yyjson blake3 sqlite)
    target_compile_options(${library} PRIVATE -fno-sanitize=undefined)
  endforeach()
endif()

add_library(duckdb SHARED IMPORTED)
set_target_properties(duckdb PROPERTIES
  IMPORTED_LOCATION ${CICLO_DEPS_DIR}/duckdb/lib/libduckdb.so
  INTERFACE_INCLUDE_DIRECTORIES ${CICLO_DEPS_DIR}/duckdb/include)

# The program finds these beside itself, in lib/; XGBoost and LightGBM are opened at run time, after
# the OpenMP settings that they read at load have been made.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
file(GLOB bundled ${CICLO_DEPS_DIR}/duckdb/lib/*.so* ${CICLO_DEPS_DIR}/xgboost/lib/*.so*
  ${CICLO_DEPS_DIR}/lightgbm/lib/*.so*)
foreach(library ${bundled})
  get_filename_component(file_name ${library} NAME)
  file(CREATE_LINK ${library} ${CMAKE_BINARY_DIR}/lib/${file_name} SYMBOLIC)
endforeach()
