# What `cmake --install` gives to a program: headers, libraries, a CMake package and a pkg-config file. Both find
# everything from where they lie themselves, so the whole folder can be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set_target_properties(unitscope_shared PROPERTIES EXPORT_NAME unitscope)
set_target_properties(unitscope_static PROPERTIES EXPORT_NAME static)
install(TARGETS unitscope_static unitscope_shared EXPORT unitscope-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${US_INCLUDE_DIR}/unitscope DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# A program names it to its ONNX Runtime.
install(TARGETS unitscope_onnxruntime LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
# It is loaded from the folder of the library that asks for it.
if(US_HAS_CUDA)
  install(TARGETS unitscope_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()

# The static library holds C++, and may be linked by a C compiler: what that must add to the link.
set(US_CXX_RUNTIME ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
if(CMAKE_C_IMPLICIT_LINK_LIBRARIES)
  list(REMOVE_ITEM US_CXX_RUNTIME ${CMAKE_C_IMPLICIT_LINK_LIBRARIES})
endif()
list(REMOVE_DUPLICATES US_CXX_RUNTIME)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/unitscope)
set(generated ${CMAKE_CURRENT_BINARY_DIR}/package)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/unitscope-config.cmake.in ${generated}/unitscope-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 a new minor version may break what the last one promised.
write_basic_package_version_file(${generated}/unitscope-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${generated}/unitscope-config.cmake ${generated}/unitscope-config-version.cmake
  DESTINATION ${package_dir})
install(EXPORT unitscope-targets NAMESPACE unitscope:: DESTINATION ${package_dir})

# A library folder may be called lib, lib64 or lib/x86_64-linux-gnu.
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_prefix ${pc_prefix})
file(RELATIVE_PATH pc_libdir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH pc_includedir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
set(pc_private ${US_CXX_RUNTIME} ${CMAKE_DL_LIBS})
list(TRANSFORM pc_private PREPEND -l)
list(APPEND pc_private ${CMAKE_THREAD_LIBS_INIT})
list(JOIN pc_private " " pc_private)
configure_file(${CMAKE_CURRENT_LIST_DIR}/unitscope.pc.in ${generated}/unitscope.pc @ONLY)
install(FILES ${generated}/unitscope.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
