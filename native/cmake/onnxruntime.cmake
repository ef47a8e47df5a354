# The operators of the domain `unitscope` for ONNX Runtime: objects for the addon, which brings its own binding, and the
# library that any program with an ONNX Runtime can register.
set(operator_sources custom_operator computation operator_node shape_inference
  operators/list operators/pool_attributes
  operators/relu_grad operators/max_pool_grad operators/split_relu_grad operators/global_average_pool_grad
  operators/phase_interleave operators/conv_weight_grad)
list(TRANSFORM operator_sources PREPEND ${US_SOURCE_DIR}/ort/)
list(TRANSFORM operator_sources APPEND .cpp)
add_library(us_operators OBJECT ${operator_sources})
target_include_directories(us_operators PRIVATE ${US_SOURCE_DIR} ${US_INCLUDE_DIR})
target_link_libraries(us_operators PRIVATE us_compile_options)

add_library(unitscope_onnxruntime MODULE ${US_SOURCE_DIR}/ort/register.cpp $<TARGET_OBJECTS:us_operators> ${US_OBJECTS})
target_include_directories(unitscope_onnxruntime PRIVATE ${US_SOURCE_DIR} ${US_INCLUDE_DIR})
target_link_libraries(unitscope_onnxruntime PRIVATE us_compile_options Threads::Threads ${CMAKE_DL_LIBS})
us_seal(unitscope_onnxruntime onnxruntime)

# The binding with these operators, for what is linked with the kernels (US_OBJECTS or the static library). ONNX
# Runtime's own library is opened at run time, so nothing of it is needed to build.
set(ort_sources buffer_pool elements environment library model_bytes run runtime self_check session work_queue)
list(TRANSFORM ort_sources PREPEND ${US_SOURCE_DIR}/ort/)
list(TRANSFORM ort_sources APPEND .cpp)
add_library(us_onnxruntime STATIC ${ort_sources} $<TARGET_OBJECTS:us_operators>)
target_include_directories(us_onnxruntime PUBLIC ${US_SOURCE_DIR} ${US_INCLUDE_DIR})
target_link_libraries(us_onnxruntime PRIVATE us_compile_options PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
