#ifndef UNITSCOPE_BACKEND_H
#define UNITSCOPE_BACKEND_H

#include <stddef.h>

#include "unitscope/iou_counts.h"
#include "unitscope/mask_backward.h"
#include "unitscope/mask_forward.h"
#include "unitscope/max_pool.h"
#include "unitscope/max_pool_backward.h"
#include "unitscope/mi_gradient.h"
#include "unitscope/mi_loss.h"
#include "unitscope/pool2d.h"
#include "unitscope/signal_rule.h"
#include "unitscope/status.h"
#include "unitscope/template_scores.h"
#include "unitscope/top_quantile.h"
#include "unitscope/unpool.h"
#include "unitscope/argmax_maps.h"
#include "unitscope/cosine_similarity.h"
#include "unitscope/map_moments.h"
#include "unitscope/matmul.h"
#include "unitscope/graph_em_step.h"
#include "unitscope/sgd_step.h"
#include "unitscope/adam_step.h"
#include "unitscope/lasso.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every kernel, in the order of kernels.def. */
typedef enum us_kernel {
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) US_KERNEL_##NAME,
#include "unitscope/kernels.def"
#undef US_KERNEL
  US_KERNEL_COUNT,
  US_KERNEL_WIDTH = 0x7fffffff
} us_kernel;

/* "max_pool" for US_KERNEL_MAX_POOL; NULL outside the enum. */
US_API const char* us_kernel_name(us_kernel kernel);

/* "cpu", "cuda"; NULL outside the enum. */
US_API const char* us_backend_name(us_backend backend);

/*
 * US_OK if the back end works on this machine, else US_UNAVAILABLE with every reason in the message: the library that
 * was not found, the driver that did not answer. The first call for US_BACKEND_CUDA loads the file that the environment
 * variable UNITSCOPE_CUDA_LIBRARY names, else libunitscope_cuda.so beside this library.
 */
US_API us_status us_backend_available(us_backend backend);

/* The device in words: the instruction set for the CPU, the card's name for CUDA. Empty if it is not available. */
US_API const char* us_backend_device(us_backend backend);

/* US_OK if the back end is available and has the kernel. */
US_API us_status us_backend_supports(us_backend backend, us_kernel kernel);

/*
 * Memory of a back end, for callers that have no allocator of their own: device memory for US_BACKEND_CUDA, host memory
 * for US_BACKEND_CPU. `stream` as in us_execution. us_memory_copy copies between host and the back end's memory;
 * us_synchronize waits until everything queued on the stream is done and reports what went wrong in it.
 */
typedef enum us_copy { US_COPY_TO_DEVICE = 0, US_COPY_TO_HOST = 1, US_COPY_WIDTH = 0x7fffffff } us_copy;
US_API us_status us_memory_allocate(us_backend backend, size_t bytes, void** memory);
US_API us_status us_memory_free(us_backend backend, void* memory);
US_API us_status us_memory_copy(const us_execution* execution, us_copy direction, void* to, const void* from,
                                size_t bytes);
US_API us_status us_synchronize(const us_execution* execution);

/*
 * What a back end is: the functions it implements. A kernel it lacks is NULL. Arguments have been checked before a
 * function of the table is called. Exported as one function by a back end that lives in a library of its own:
 *   const us_backend_table* us_cuda_backend_table(int32_t abi_version, void (*set_error)(const char*))
 * which answers NULL if it was built for another US_ABI_VERSION.
 */
typedef struct us_backend_table {
  int32_t abi_version;
  us_status (*available)(void);
  const char* (*device)(void);
  us_status (*allocate)(size_t bytes, void** memory);
  us_status (*release)(void* memory);
  us_status (*copy)(const us_execution* execution, us_copy direction, void* to, const void* from, size_t bytes);
  us_status (*synchronize)(const us_execution* execution);
#define US_SIGNATURE(...) , __VA_ARGS__
#define US_KERNEL(stem, NAME, SIGNATURE, ARGUMENTS) us_status (*stem)(const us_execution* execution US_SIGNATURE SIGNATURE);
#include "unitscope/kernels.def"
#undef US_KERNEL
#undef US_SIGNATURE
} us_backend_table;

typedef const us_backend_table* (*us_backend_entry)(int32_t abi_version, void (*set_error)(const char* message));

#ifdef __cplusplus
}
#endif

#endif
