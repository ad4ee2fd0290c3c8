// A pool of spinning threads. Its tasks are numbered; whoever is free takes the next number.
#include "CVectorKernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#define APUS_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define APUS_PAUSE() __asm__ volatile("yield")
#else
#define APUS_PAUSE() ((void)0)
#endif

enum { maximum_threads = 256, spins_before_sleep = 2000 };

static struct {
  void (*body)(void *context, size_t task);
  void *context;
  size_t tasks;
} job;
static atomic_size_t next_task;

// Generation of the job (upper half), whether it may still be joined, and the workers inside it. A worker enters by
// adding itself while the gate is open; the caller, out of tasks, shuts it and waits for those inside alone. So nobody
// waits for a worker the system has not got round to waking, and a job is written only while nobody reads it.
static _Atomic uint64_t gate;
static const uint64_t generation_one = (uint64_t)1 << 32, open_bit = (uint64_t)1 << 31;

static atomic_int sleepers;
static atomic_bool stopping;

static pthread_mutex_t sleep_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake_up = PTHREAD_COND_INITIALIZER;

// Held by the thread that uses the pool; whoever finds it taken runs its tasks alone.
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t threads[maximum_threads];
static uint32_t birth_generation[maximum_threads];
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

static uint32_t generation_now(void) { return (uint32_t)(atomic_load(&gate) >> 32); }

// Waits for a generation other than `seen`: spins for a while, then sleeps.
static uint32_t next_generation(uint32_t seen) {
  uint32_t now;
  for (int spin = 0; spin < spins_before_sleep; spin++) {
    if ((now = generation_now()) != seen) return now;
    APUS_PAUSE();
  }
  pthread_mutex_lock(&sleep_lock);
  atomic_fetch_add(&sleepers, 1);
  while ((now = generation_now()) == seen) pthread_cond_wait(&wake_up, &sleep_lock);
  atomic_fetch_sub(&sleepers, 1);
  pthread_mutex_unlock(&sleep_lock);
  return now;
}

static bool enter(uint32_t generation) {
  uint64_t now = atomic_load(&gate);
  while ((uint32_t)(now >> 32) == generation && (now & open_bit)) {
    if (atomic_compare_exchange_weak(&gate, &now, now + 1)) return true;
  }
  return false;
}

static void *work(void *birth) {
  uint32_t seen = *(uint32_t *)birth;
  for (;;) {
    seen = next_generation(seen);
    if (atomic_load(&stopping)) return NULL;
    if (!enter(seen)) continue;
    run_tasks();
    atomic_fetch_sub(&gate, 1);
  }
}

// A new generation, with the gate open or shut.
static void publish(uint64_t state) {
  // Sequentially consistent, like the sleeper's increment: either we see the sleeper, or it sees the new generation.
  atomic_store(&gate, (((uint64_t)generation_now() << 32) + generation_one) | state);
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
  publish(0);
  for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
  started = 0;
  atomic_store(&stopping, false);
}

// The child of a fork has no workers, and its locks may be copies of taken ones: start afresh.
static void forget_workers(void) {
  started = 0;
  inside_task = false;
  atomic_store(&gate, (uint64_t)generation_now() << 32);
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
    birth_generation[started] = generation_now();
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
  publish(open_bit);
  run_tasks();
  atomic_fetch_and(&gate, ~open_bit);
  for (int spin = 0; (atomic_load(&gate) & (open_bit - 1)) != 0; spin++) {
    if (spin < spins_before_sleep) APUS_PAUSE();
    else sched_yield();
  }
  pthread_mutex_unlock(&pool_lock);
}
