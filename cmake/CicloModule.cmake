# SPDX-License-Identifier: Apache-2.0
#
# ciclo_module(NAME DEPS a b … EXTERNAL lib …)
#
# One folder of src/ as one static library. The folder sees its own headers and those of the modules
# that it names in DEPS, through an include view that holds nothing else: what a module does not
# name, it cannot include. A module can name only what was declared before it, so no cycle can be
# written.
# Sources are all *.cc of the folder; *_test.cc become the test program NAME_test.
# A folder such as api/mlflow is the module api_mlflow, included as "api/mlflow/…".

set(CICLO_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
    -Wcast-qual -Wformat=2 -Wimplicit-fallthrough)
# A designated initializer leaves the other members at their defaults, which is what is meant.
list(APPEND CICLO_WARNINGS -Wno-missing-field-initializers)
# g++ 12 reports false positives of these inside the C++ library when it optimises.
list(APPEND CICLO_WARNINGS -Wno-maybe-uninitialized -Wno-restrict
  -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(REMOVE_ITEM CICLO_WARNINGS -Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds
    -Wno-stringop-overflow -Wno-stringop-overread)
endif()
if(CICLO_WERROR)
  list(APPEND CICLO_WARNINGS -Werror)
endif()

find_package(Threads REQUIRED)

function(ciclo_include_view target path)
  set(view ${CMAKE_BINARY_DIR}/views/${target})
  get_filename_component(parent ${view}/${path} DIRECTORY)
  file(MAKE_DIRECTORY ${parent})
  if(NOT EXISTS ${view}/${path})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${path} ${view}/${path} SYMBOLIC)
  endif()
  target_include_directories(${target} PUBLIC ${view})
endfunction()

function(ciclo_precompile target)
  if(NOT CICLO_PCH)
    return()
  endif()
  if(TARGET ciclo_pch)
    target_precompile_headers(${target} REUSE_FROM ciclo_pch)
  endif()
endfunction()

function(ciclo_module name)
  cmake_parse_arguments(ARG "" "PATH" "DEPS;EXTERNAL" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "ciclo_module(${name}): unexpected ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  string(REPLACE "/" "_" target ${name})
  set(folder ${CMAKE_SOURCE_DIR}/src/${name})
  foreach(dep ${ARG_DEPS})
    string(REPLACE "/" "_" dep_target ${dep})
    if(NOT TARGET ciclo_${dep_target})
      message(FATAL_ERROR
        "module ${name} names ${dep}, which is not declared above it in src/CMakeLists.txt")
    endif()
    list(APPEND dep_targets ciclo_${dep_target})
  endforeach()

  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${folder}/*.cc ${folder}/*.h)
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  set(tests ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  if(NOT sources)
    file(WRITE ${CMAKE_BINARY_DIR}/generated/empty.cc "")
    set(sources ${CMAKE_BINARY_DIR}/generated/empty.cc)
  endif()
  add_library(ciclo_${target} STATIC ${sources})
  set_target_properties(ciclo_${target} PROPERTIES LINKER_LANGUAGE CXX)
  ciclo_include_view(ciclo_${target} ${name})
  target_link_libraries(ciclo_${target}
    PUBLIC ${dep_targets} PRIVATE ${ARG_EXTERNAL} Threads::Threads)
  target_compile_options(ciclo_${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${CICLO_WARNINGS}>)
  ciclo_precompile(ciclo_${target})

  file(GLOB schemas CONFIGURE_DEPENDS ${folder}/schema/*.sql)
  if(schemas)
    ciclo_embed_schema(ciclo_${target} ${target} ${schemas})
  endif()

  if(CICLO_TESTS AND tests)
    add_executable(${target}_test ${tests})
    target_link_libraries(${target}_test
      PRIVATE ciclo_${target} ${ARG_EXTERNAL} GTest::gtest GTest::gtest_main)
    target_compile_options(${target}_test PRIVATE ${CICLO_WARNINGS})
    ciclo_precompile(${target}_test)
    add_test(NAME unit.${target} COMMAND ${target}_test --gtest_brief=1)
    set_tests_properties(unit.${target} PROPERTIES LABELS unit TIMEOUT 600)
  endif()
endfunction()

# Numbered migrations become one generated file that defines `ciclo::MODULE::schema()`; the module
# declares it in its store header. See tools/embed.py.
function(ciclo_embed_schema target module)
  set(out ${CMAKE_BINARY_DIR}/generated/${module}_schema.cc)
  add_custom_command(
    OUTPUT ${out}
    COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/embed.py schema ${module} ${out} ${ARGN}
    DEPENDS ${CMAKE_SOURCE_DIR}/tools/embed.py ${ARGN}
    VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()

# The files below `folder` become `NAMESPACE::files()`, which the module declares in `header`. A
# folder that is not there gives an empty list.
function(ciclo_embed_files target namespace header folder)
  string(REPLACE "::" "_" name ${namespace})
  set(out ${CMAKE_BINARY_DIR}/generated/${name}_files.cc)
  string(REPLACE ".cc" ".S" assembly ${out})
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${folder}/*)
  add_custom_command(
    OUTPUT ${out} ${assembly}
    COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/embed.py files
      ${namespace} ${out} ${header} ${folder}
    DEPENDS ${CMAKE_SOURCE_DIR}/tools/embed.py ${files}
    VERBATIM)
  target_sources(${target} PRIVATE ${out} ${assembly})
endfunction()
