// A pool of spinning threads. Its tasks are numbered; whoever is free takes the next number.
#include "CVectorKernels.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#define APUS_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define APUS_PAUSE() __asm__ volatile("yield")
#else
#define APUS_PAUSE() ((void)0)
#endif

enum { maximum_threads = 256, spins_before_sleep = 2000 };

// What the workers see. A job is published by raising `generation`; its fields are plain, because they are written
// before the generation is released and while every worker has reported the previous one as done.
static struct {
  void (*body)(void *context, size_t task);
  void *context;
  size_t tasks;
} job;

static atomic_size_t next_task;
static atomic_uint generation;
static atomic_size_t workers_done;
static atomic_int sleepers;
static atomic_bool stopping;

static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake_up = PTHREAD_COND_INITIALIZER;

// Held by the thread that uses the pool; whoever finds it taken runs its tasks alone.
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t threads[maximum_threads];
static unsigned birth_generation[maximum_threads];
static size_t started;                  // workers running; under `pool_lock`
static atomic_size_t wanted_threads;    // the caller included; 0 = not yet decided

static _Thread_local bool inside_task;

static void run_tasks(void) {
  bool outer = inside_task;
  inside_task = true;
  for (;;) {
    size_t task = atomic_fetch_add_explicit(&next_task, 1, memory_order_relaxed);
    if (task >= job.tasks) break;
    job.body(job.context, task);
  }
  inside_task = outer;
}

// Waits for a generation other than `seen`: spins for a while, then sleeps.
static unsigned next_generation(unsigned seen) {
  for (int spin = 0; spin < spins_before_sleep; spin++) {
    unsigned now = atomic_load_explicit(&generation, memory_order_acquire);
    if (now != seen) return now;
    APUS_PAUSE();
  }
  pthread_mutex_lock(&sleep_lock);
  atomic_fetch_add(&sleepers, 1);
  unsigned now;
  while ((now = atomic_load(&generation)) == seen) pthread_cond_wait(&wake_up, &sleep_lock);
  atomic_fetch_sub(&sleepers, 1);
  pthread_mutex_unlock(&sleep_lock);
  return now;
}

static void *work(void *birth) {
  unsigned seen = *(unsigned *)birth;
  for (;;) {
    seen = next_generation(seen);
    if (atomic_load(&stopping)) return NULL;
    run_tasks();
    atomic_fetch_add_explicit(&workers_done, 1, memory_order_release);
  }
}

static void publish(void) {
  // Sequentially consistent, like the sleeper's increment: either we see the sleeper, or it sees the new generation.
  atomic_fetch_add(&generation, 1);
  if (atomic_load(&sleepers) > 0) {
    pthread_mutex_lock(&sleep_lock);
    pthread_cond_broadcast(&wake_up);
    pthread_mutex_unlock(&sleep_lock);
  }
}

// Under `pool_lock`.
static void stop_workers(void) {
  if (started == 0) return;
  atomic_store(&stopping, true);
  publish();
  for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
  started = 0;
  atomic_store(&stopping, false);
}

// The child of a fork has no workers, and its locks may be copies of taken ones: start afresh.
static void forget_workers(void) {
  started = 0;
  inside_task = false;
  atomic_store(&sleepers, 0);
  atomic_store(&stopping, false);
  pthread_mutex_init(&pool_lock, NULL);
  pthread_mutex_init(&sleep_lock, NULL);
  pthread_cond_init(&wake_up, NULL);
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, forget_workers); }

// Under `pool_lock`.
static void start_workers(size_t count) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch_forks);
  while (started < count) {
    birth_generation[started] = atomic_load(&generation);
    if (pthread_create(&threads[started], NULL, work, &birth_generation[started]) != 0) break;
    started++;
  }
}

static size_t default_threads(void) {
  const char *text = getenv("APUS_NUM_THREADS");
  long count = text ? strtol(text, NULL, 10) : 0;
  if (count <= 0) count = sysconf(_SC_NPROCESSORS_ONLN);
  if (count < 1) count = 1;
  return count > maximum_threads ? maximum_threads : (size_t)count;
}

size_t apus_thread_count(void) {
  size_t count = atomic_load(&wanted_threads);
  if (count != 0) return count;
  size_t none = 0;
  count = default_threads();
  return atomic_compare_exchange_strong(&wanted_threads, &none, count) ? count : none;
}

void apus_set_thread_count(size_t count) {
  if (count < 1) count = 1;
  if (count > maximum_threads) count = maximum_threads;
  atomic_store(&wanted_threads, count);
  if (inside_task) return;  // the pool is ours: it will be resized by the next call
  pthread_mutex_lock(&pool_lock);
  if (started != count - 1) stop_workers();
  pthread_mutex_unlock(&pool_lock);
}

void apus_parallel(size_t tasks, void (*body)(void *context, size_t task), void *context) {
  size_t count = apus_thread_count();
  if (tasks < 2 || count < 2 || inside_task || pthread_mutex_trylock(&pool_lock) != 0) {
    for (size_t task = 0; task < tasks; task++) body(context, task);
    return;
  }
  if (started > count - 1) stop_workers();
  start_workers(count - 1);
  job.body = body;
  job.context = context;
  job.tasks = tasks;
  atomic_store_explicit(&next_task, 0, memory_order_relaxed);
  atomic_store_explicit(&workers_done, 0, memory_order_relaxed);
  publish();
  run_tasks();
  // Every worker must have seen this generation before the next may be written.
  for (int spin = 0; atomic_load_explicit(&workers_done, memory_order_acquire) < started; spin++) {
    if (spin < spins_before_sleep) {
      APUS_PAUSE();
    } else {
      struct timespec moment = {0, 50000};
      nanosleep(&moment, NULL);
    }
  }
  pthread_mutex_unlock(&pool_lock);
}
