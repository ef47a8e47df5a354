#ifndef UNITSCOPE_EXECUTION_H
#define UNITSCOPE_EXECUTION_H

#include "unitscope/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The enums that callers pass end with a value of 31 bits, so that any number a caller may pass is a value of the type. */
typedef enum us_backend {
  US_BACKEND_CPU = 0,
  US_BACKEND_CUDA = 1,
  US_BACKEND_COUNT,
  US_BACKEND_WIDTH = 0x7fffffff
} us_backend;

/*
 * Where and how a kernel runs. For US_BACKEND_CPU the kernel's pointers are host memory and the call returns when the
 * result is there. For US_BACKEND_CUDA they are memory of the current device and the call only queues work on `stream`.
 */
typedef struct us_execution {
  us_backend backend;
  int32_t threads; /* CPU threads, the calling one included; 0 means all processors */
  void* stream;    /* a cudaStream_t; NULL is the default stream */
} us_execution;

#ifdef __cplusplus
}
#endif

#endif
