# A build whose every access, cast and shift is checked while it runs; what is found ends the process.
set(US_SANITIZE "" CACHE STRING "Build with sanitizers: address,undefined or thread; empty for none")
if(US_SANITIZE)
  add_compile_options(-fsanitize=${US_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${US_SANITIZE})
  set(CMAKE_CXX_FLAGS_RELEASE "-O1")
endif()
