#ifndef UNITSCOPE_STATUS_H
#define UNITSCOPE_STATUS_H

#include <stdint.h>

#if defined(__GNUC__)
#define US_API __attribute__((visibility("default")))
#else
#define US_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a struct, an enum, the list of kernels or the meaning of an argument changes. */
#define US_ABI_VERSION 3

typedef enum us_status {
  US_OK = 0,
  US_INVALID_ARGUMENT = 1, /* params, sizes or pointers that can never work */
  US_BAD_INPUT = 2,        /* data that contradicts the params, such as a switch outside its window */
  US_UNSUPPORTED = 3,      /* well formed, but outside what this back end can do */
  US_UNAVAILABLE = 4,      /* the back end cannot be used on this machine */
  US_OUT_OF_MEMORY = 5,
  US_INTERNAL = 6 /* a failure of the device or of this library */
} us_status;

/* The US_ABI_VERSION the library was built with. */
US_API int32_t us_abi_version(void);

/*
 * The first call of a program: `if (us_check_abi(US_ABI_VERSION) != US_OK)` puts the number that it was compiled with
 * beside the library's. US_UNSUPPORTED if they differ; then call nothing but us_last_error_message. The library's soname
 * is libunitscope.so.<US_ABI_VERSION>, so only a program that opens a file by name can meet another.
 */
US_API us_status us_check_abi(int32_t abi_version);

/* The name of a status, such as "invalid-argument". Never NULL. */
US_API const char* us_status_name(us_status status);

/*
 * What went wrong in the calling thread's most recent call that returned something other than US_OK: one line. Empty
 * if nothing has. The pointer is valid until the thread's next call into the library.
 */
US_API const char* us_last_error_message(void);

#ifdef __cplusplus
}
#endif

#endif
