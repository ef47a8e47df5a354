# The binding to ONNX Runtime. The library itself is opened at run time, so nothing of it is needed to build.
set(ort_sources buffer_pool elements environment library model_bytes run runtime self_check session work_queue)
list(TRANSFORM ort_sources PREPEND ${US_SOURCE_DIR}/ort/)
list(TRANSFORM ort_sources APPEND .cpp)
add_library(us_onnxruntime STATIC ${ort_sources})
target_include_directories(us_onnxruntime PUBLIC ${US_SOURCE_DIR})
target_link_libraries(us_onnxruntime PRIVATE us_compile_options PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
