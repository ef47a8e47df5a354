# A file compiled for one instruction set must define no function that other files share: the linker keeps one copy, and
# could keep the one that this processor cannot run. Such functions are weak symbols.
#   cmake -DNM=nm -DOBJECTS=list -P shared_functions.cmake
if("${OBJECTS}" STREQUAL "")
  message(FATAL_ERROR "no object files given")
endif()
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --defined-only --format=posix ${object}
    OUTPUT_VARIABLE table COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+ [WwVvu] [^\n]*" shared "${table}")
  # A pointer to the exception handler's personality is the same for every instruction set.
  list(FILTER shared EXCLUDE REGEX "^DW\\.ref\\.")
  if(NOT shared STREQUAL "")
    list(JOIN shared "\n  " shared)
    message(FATAL_ERROR "${object} defines what the linker may share:\n  ${shared}")
  endif()
endforeach()
