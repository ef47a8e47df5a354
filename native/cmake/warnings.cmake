# What every target of ours is compiled with. Results must not depend on the instruction set, so a multiplication and an
# addition are never contracted to one rounding behind our back.
add_library(us_compile_options INTERFACE)
target_compile_options(us_compile_options INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -ffp-contract=off>)
