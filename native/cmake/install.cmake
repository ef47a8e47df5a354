# What `cmake --install` gives to a C or C++ program.
include(GNUInstallDirs)
install(TARGETS unitscope_static unitscope_shared
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${US_INCLUDE_DIR}/unitscope DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(US_HAS_CUDA)
  install(TARGETS unitscope_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
