/*
 * unitscope's kernels in a C program: the feature maps of two units are masked around their parts, on every back end
 * that works here, and compared with the equation. Built by CMakeLists.txt, or without CMake:
 *
 *   cc -std=c11 main.c $(pkg-config --cflags --libs unitscope) -o embed
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <unitscope/unitscope.h>

enum { UNITS = 2, SIZE = 14, CELLS = SIZE * SIZE };

static const float kBeta[UNITS] = {4.0f, 2.0f};
static const int kPart[UNITS] = {3 * SIZE + 5, 13 * SIZE + 13};

/* One line for what went wrong, and the end: an example has nothing to clean up after. */
static void require(us_status status, const char* what) {
  if (status == US_OK) return;
  fprintf(stderr, "%s: %s (%s)\n", what, us_last_error_message(), us_status_name(status));
  exit(1);
}

/* Memory of the back end. A program that has memory there already, from its own allocator or framework, passes that. */
static void* allocate(const us_execution* where, size_t bytes, const void* content) {
  void* memory = NULL;
  require(us_memory_allocate(where->backend, bytes, &memory), "allocating");
  if (content != NULL) require(us_memory_copy(where, US_COPY_TO_DEVICE, memory, content, bytes), "copying in");
  return memory;
}

static void mask_on(us_backend backend, const float* x, float* y, int32_t* mu) {
  /* For CUDA `stream` is a cudaStream_t: calls only queue work on it, in order. NULL is the default stream. */
  const us_execution where = {.backend = backend, .threads = 0, .stream = NULL};
  const us_mask_params params = {.batch = 1, .channels = UNITS, .size = SIZE, .height = 1.0f};
  const size_t map_bytes = UNITS * CELLS * sizeof *x;

  float* there_x = allocate(&where, map_bytes, x);
  float* there_beta = allocate(&where, sizeof kBeta, kBeta);
  float* there_y = allocate(&where, map_bytes, NULL);
  int32_t* there_mu = allocate(&where, UNITS * sizeof *mu, NULL);

  require(us_mask_forward(&where, &params, US_MASK_ARGMAX, there_x, there_beta, there_y, there_mu), "masking");
  require(us_memory_copy(&where, US_COPY_TO_HOST, y, there_y, map_bytes), "copying out");
  require(us_memory_copy(&where, US_COPY_TO_HOST, mu, there_mu, UNITS * sizeof *mu), "copying out");
  require(us_synchronize(&where), "waiting");

  void* const memory[] = {there_x, there_beta, there_y, there_mu};
  for (size_t i = 0; i < sizeof memory / sizeof *memory; ++i) require(us_memory_free(backend, memory[i]), "freeing");
}

/*
 * y = max(x * T, 0) with T = max(1 - beta * |cell - part|_1 / size, -1). beta*d, size - beta*d, the quotient and the
 * product round once each, so y is within 4 * 2^-24 = 2 FLT_EPSILON of terms that sum to |x| * (1 + beta*d/size).
 */
static int agrees(const float* x, const float* y, const int32_t* mu) {
  for (int unit = 0; unit < UNITS; ++unit) {
    if (mu[unit] != kPart[unit]) return 0;
    for (int cell = 0; cell < CELLS; ++cell) {
      const int at = unit * CELLS + cell;
      const int distance = abs(cell / SIZE - kPart[unit] / SIZE) + abs(cell % SIZE - kPart[unit] % SIZE);
      const double fall = (double)kBeta[unit] * distance / SIZE;
      const double product = x[at] * (fall < 2.0 ? 1.0 - fall : -1.0);
      const double error = y[at] - (product > 0.0 ? product : 0.0);
      if (!(fabs(error) <= 2 * FLT_EPSILON * fabs(x[at]) * (1.0 + fall))) return 0;
    }
  }
  return 1;
}

int main(void) {
  require(us_check_abi(US_ABI_VERSION), "unitscope");

  float x[UNITS * CELLS];
  for (int i = 0; i < UNITS * CELLS; ++i) x[i] = (float)(i * 37 % 101) / 101.0f;
  for (int unit = 0; unit < UNITS; ++unit) x[unit * CELLS + kPart[unit]] = 2.0f;

  int wrong = 0;
  for (int b = 0; b < US_BACKEND_COUNT; ++b) {
    const us_backend backend = (us_backend)b;
    if (us_backend_available(backend) != US_OK) {
      printf("%s: not run: %s\n", us_backend_name(backend), us_last_error_message());
      continue;
    }
    float y[UNITS * CELLS];
    int32_t mu[UNITS];
    mask_on(backend, x, y, mu);
    const int right = agrees(x, y, mu);
    printf("%s (%s): parts at cells %d and %d, masks %s\n", us_backend_name(backend), us_backend_device(backend),
           (int)mu[0], (int)mu[1], right ? "as the equation says" : "WRONG");
    wrong += !right;
  }

  /* What cannot be is an error with a reason, never a crash. */
  const us_execution cpu = {.backend = US_BACKEND_CPU};
  const us_mask_params params = {.batch = 1, .channels = UNITS, .size = SIZE, .height = 1.0f};
  int32_t mu[UNITS];
  const us_status status = us_mask_forward(&cpu, &params, US_MASK_ARGMAX, x, kBeta, x, mu);
  printf("in place: %s: %s\n", us_status_name(status), us_last_error_message());
  wrong += status != US_INVALID_ARGUMENT;
  return wrong == 0 ? 0 : 1;
}
