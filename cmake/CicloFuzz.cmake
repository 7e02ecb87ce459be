# SPDX-License-Identifier: Apache-2.0
#
# ciclo_fuzz(NAME DEPS module …)
#
# tests/fuzz/NAME.cc defines LLVMFuzzerTestOneInput over the modules it names;
# tests/fuzz/corpus/NAME holds inputs that must keep working, among them each that once failed. In
# the fuzz preset (clang) the program NAME_fuzz is a libFuzzer; elsewhere it replays the corpus and
# a bounded number of random mutations of it, as the test fuzz.NAME.

function(ciclo_fuzz name)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  add_executable(${name}_fuzz ${CMAKE_CURRENT_SOURCE_DIR}/${name}.cc)
  foreach(dep ${ARG_DEPS})
    string(REPLACE "/" "_" dep ${dep})
    target_link_libraries(${name}_fuzz PRIVATE ciclo_${dep})
  endforeach()
  target_compile_options(${name}_fuzz PRIVATE ${CICLO_WARNINGS})
  ciclo_precompile(${name}_fuzz)
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  if(CICLO_FUZZ)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    # New inputs go to the first folder, the committed ones are only read.
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/corpus/${name})
    add_test(NAME fuzz.${name}
      COMMAND ${name}_fuzz -runs=20000 -max_total_time=60 -timeout=10 -rss_limit_mb=4096
        -artifact_prefix=${CMAKE_BINARY_DIR}/corpus/${name}-
        ${CMAKE_BINARY_DIR}/corpus/${name} ${corpus})
  else()
    target_sources(${name}_fuzz PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/replay_main.cc)
    add_test(NAME fuzz.${name} COMMAND ${name}_fuzz ${corpus})
  endif()
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()
