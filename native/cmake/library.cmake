# The C library, static and shared: core (checks, dispatch, threads) and the CPU kernels once per instruction set.
find_package(Threads REQUIRED)

set(US_SOURCE_DIR ${CMAKE_CURRENT_LIST_DIR}/../src)
set(US_INCLUDE_DIR ${CMAKE_CURRENT_LIST_DIR}/../include)

set(core_sources error pool2d thread_pool dispatch cuda_loader template_mask mutual_information iou_counts top_quantile
  maps products
  graph_em_step optimizers lasso)
list(TRANSFORM core_sources PREPEND ${US_SOURCE_DIR}/core/)
list(TRANSFORM core_sources APPEND .cpp)

# The functions of src/cpu/signal_kernels.def.
set(US_SIGNAL_KERNELS mask_signal split_signal spread_signal interleave_phases unpool_blocks tap_products)
set(cpu_kernel_sources ${US_KERNELS} ${US_SIGNAL_KERNELS} kernel_set)
list(TRANSFORM cpu_kernel_sources PREPEND ${US_SOURCE_DIR}/cpu/)
list(TRANSFORM cpu_kernel_sources APPEND .cpp)

set(US_OBJECTS "")
function(us_add_objects name)
  add_library(${name} OBJECT ${ARGN})
  target_include_directories(${name} PRIVATE ${US_SOURCE_DIR} ${US_INCLUDE_DIR})
  target_link_libraries(${name} PRIVATE us_compile_options)
  set(US_OBJECTS ${US_OBJECTS} $<TARGET_OBJECTS:${name}> PARENT_SCOPE)
endfunction()

us_add_objects(us_core ${core_sources} ${US_SOURCE_DIR}/cpu/backend.cpp)

function(us_add_instruction_set isa)
  us_add_objects(us_cpu_${isa} ${cpu_kernel_sources})
  target_compile_definitions(us_cpu_${isa} PRIVATE US_ISA=${isa} US_ISA_NAME="${isa}")
  # Vectors of an instruction set's own width cross no boundary of a library, so how they are passed is no one's business.
  target_compile_options(us_cpu_${isa} PRIVATE -Wno-psabi ${ARGN})
  set(US_OBJECTS ${US_OBJECTS} PARENT_SCOPE)
endfunction()

us_add_instruction_set(baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  us_add_instruction_set(avx2 -mavx2 -mfma)
  target_compile_definitions(us_core PRIVATE US_HAS_AVX2)
  # The sources are the same for every width, so two widths are enough for the sanitizers, which compile slowly.
  if(NOT US_SANITIZE)
    us_add_instruction_set(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
    target_compile_definitions(us_core PRIVATE US_HAS_AVX512)
  endif()
endif()

function(us_add_library name kind)
  add_library(${name} ${kind} ${US_OBJECTS})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${US_INCLUDE_DIR}>)
  target_link_libraries(${name} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  set_target_properties(${name} PROPERTIES OUTPUT_NAME unitscope)
endfunction()

us_add_library(unitscope_static STATIC)
us_add_library(unitscope_shared SHARED)
# The number in libunitscope.so.N is the binary interface's, so a program never starts with a library of another.
file(STRINGS ${US_INCLUDE_DIR}/unitscope/status.h US_ABI_VERSION REGEX "^#define US_ABI_VERSION [0-9]+$")
string(REGEX REPLACE "[^0-9]" "" US_ABI_VERSION "${US_ABI_VERSION}")
set_target_properties(unitscope_shared PROPERTIES SOVERSION ${US_ABI_VERSION})
# What leaves a library is what its list of symbols names. The C++ library is linked in and hidden, and what of it is
# not used is left out, for it would ask for a newer C library, as would an unwinder of its own. Pooled threads outlive
# a dlclose, so the code they run must too.
function(us_seal target symbols)
  if(UNIX AND NOT APPLE)
    set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${symbols}.map)
    # The sanitizers watch exceptions through the C++ library of the process.
    if(NOT US_SANITIZE)
      target_link_options(${target} PRIVATE -static-libstdc++)
    endif()
    target_link_options(${target} PRIVATE -Wl,--gc-sections
      -Wl,-z,nodelete -Wl,--exclude-libs,ALL -Wl,--version-script=${map})
    set_target_properties(${target} PROPERTIES LINK_DEPENDS ${map})
  endif()
endfunction()
us_seal(unitscope_shared library)
