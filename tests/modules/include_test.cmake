# SPDX-License-Identifier: Apache-2.0
#
# cmake -D compiler=… -D folders=a;b -D header=… -D outcome=success|failure -P include_test.cmake

set(arguments)
foreach(folder IN LISTS folders)
  list(APPEND arguments -I${folder})
endforeach()
execute_process(
  COMMAND sh -c "echo '#include \"${header}\"' | \"$@\"" sh
    ${compiler} -std=c++20 -fsyntax-only ${arguments} -x c++ -
  RESULT_VARIABLE status ERROR_VARIABLE messages)
if(outcome STREQUAL "success" AND NOT status EQUAL 0)
  message(FATAL_ERROR "${header} should be found, but: ${messages}")
endif()
if(outcome STREQUAL "failure" AND NOT messages MATCHES "${header}: No such file")
  message(FATAL_ERROR "${header} should not be found, but the compiler says: ${messages}")
endif()
