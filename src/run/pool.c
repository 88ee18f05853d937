/* SPDX-License-Identifier: Apache-2.0
 *
 * pool - a split call is cut into one part for each thread, and whoever is there takes the next part. The caller takes
 * part like the others and goes on as soon as all parts are done, so a helper that the system has put aside costs
 * nothing unless it holds a part: with a barrier instead, two threads on a busy machine were a hundred times slower.
 * Which thread does a part does not matter to the result: kernels are cut along their output (kernel.h).
 *
 * cursor = turn << 8 | next part; a turn is one split call of one run, counted up for ever. A helper claims a part by
 * compare-and-swap on the cursor, and the caller does not leave a turn before its parts are done, so what the cursor
 * names stays valid for who has claimed.
 */
#include "run/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { MAX_THREADS = 64, PATIENCE = 4000 }; /* looks at the cursor, some ten microseconds, before a helper sleeps */

struct cop_pool {
	cop_ctx *cx;
	int threads, started;
	pthread_t thread[MAX_THREADS];
	pthread_mutex_t lock;
	pthread_cond_t wake;
	atomic_int asleep;
	atomic_bool quit;
	_Atomic uint64_t cursor;
	atomic_int done;
	const cop_job *job; /* of this turn */
};

static inline void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void do_part(const cop_job *j, int part, int parts)
{
	cop_call c = j->call;

	c.part = part;
	c.parts = parts;
	if (part && c.work) c.work = (char *)c.work + (size_t)part * j->work_bytes;
	j->fn(&c);
}

/* Takes and does the next part of the turn that the cursor shows; false when there is none. */
static bool take_part(cop_pool *p)
{
	uint64_t at = atomic_load_explicit(&p->cursor, memory_order_acquire);

	if ((int)(at & 255) >= p->threads || !atomic_compare_exchange_strong(&p->cursor, &at, at + 1)) return false;
	do_part(p->job, (int)(at & 255), p->threads);
	atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
	return true;
}

static bool idle(cop_pool *p) { return (int)(atomic_load(&p->cursor) & 255) >= p->threads && !atomic_load(&p->quit); }

static void *help(void *ud)
{
	cop_pool *p = ud;

	while (!atomic_load(&p->quit)) {
		int looks = 0;
		while (!take_part(p) && looks++ < PATIENCE && !atomic_load_explicit(&p->quit, memory_order_relaxed)) pause_cpu();
		if (looks <= PATIENCE) continue;
		pthread_mutex_lock(&p->lock);
		atomic_fetch_add(&p->asleep, 1);
		while (idle(p)) pthread_cond_wait(&p->wake, &p->lock);
		atomic_fetch_sub(&p->asleep, 1);
		pthread_mutex_unlock(&p->lock);
	}
	return NULL;
}

static void wake_all(cop_pool *p)
{
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

static void do_split(cop_pool *p, const cop_job *j)
{
	uint64_t turn = atomic_load_explicit(&p->cursor, memory_order_relaxed) >> 8;

	p->job = j;
	atomic_store_explicit(&p->done, 0, memory_order_relaxed);
	atomic_store(&p->cursor, (turn + 1) << 8);
	if (atomic_load(&p->asleep)) wake_all(p);
	while ((int)(atomic_load_explicit(&p->cursor, memory_order_relaxed) & 255) < p->threads) take_part(p);
	for (int looks = 0; atomic_load_explicit(&p->done, memory_order_acquire) < p->threads; looks++) {
		if (looks < PATIENCE) pause_cpu();
		else sched_yield(); /* the helper that holds a part may want this core */
	}
}

void cop__pool_run(cop_pool *p, const cop_job *job, int32_t n)
{
	for (int32_t i = 0; i < n; i++) {
		if (job[i].guard && !*job[i].guard) continue;
		if (job[i].split && p->threads > 1) do_split(p, &job[i]);
		else do_part(&job[i], 0, 1);
	}
}

cop_status cop__pool_new(cop_pool **out, cop_ctx *cx, int threads)
{
	cop_pool *p = cop__alloc(cx, sizeof *p);

	*out = NULL;
	if (!p) return COP_NOMEM;
	p->cx = cx;
	p->threads = COP_MIN(COP_MAX(threads, 1), MAX_THREADS);
	atomic_store(&p->cursor, (uint64_t)p->threads); /* nothing to take */
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	cop_signals old = cop__signals_wait(); /* helpers leave signals to the thread that called */
	while (p->started < p->threads - 1 && !pthread_create(&p->thread[p->started], NULL, help, p)) p->started++;
	cop__signals_go(&old);
	if (p->started < p->threads - 1) cop__log(cx, COP_LOG_WARN, "only %d of %d threads could be started", p->started + 1, p->threads);
	*out = p;
	return COP_OK;
}

void cop__pool_free(cop_pool *p)
{
	if (!p) return;
	atomic_store(&p->quit, true);
	wake_all(p);
	for (int i = 0; i < p->started; i++) pthread_join(p->thread[i], NULL);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	cop__free(p->cx, p);
}
