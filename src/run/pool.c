/* SPDX-License-Identifier: Apache-2.0
 *
 * pool - OpenMP, and nothing else of it anywhere. Threads meet at a barrier before and after every split call;
 * calls that only the first thread does follow one another without.
 */
#include "run/pool.h"

#ifdef _OPENMP
#include <omp.h>
#endif

static void one(const cop_job *j, int part, int parts)
{
	cop_call c = j->call;

	if (j->guard && !*j->guard) return;
	c.part = part;
	c.parts = parts;
	if (part && c.work) c.work = (char *)c.work + (size_t)part * j->work_bytes;
	j->fn(&c);
}

int cop__pool_threads(int wanted)
{
#ifdef _OPENMP
	return wanted > 1 ? wanted : 1;
#else
	(void)wanted;
	return 1;
#endif
}

#ifdef _OPENMP
static void all(const cop_job *job, int32_t n, int part, int parts)
{
	for (int32_t i = 0; i < n; i++) {
		bool split = job[i].split;
		if (split || !part) one(&job[i], split ? part : 0, split ? parts : 1);
		if (split || (i + 1 < n && job[i + 1].split)) {
#pragma omp barrier
		}
	}
}
#endif

void cop__pool_run(const cop_job *job, int32_t n, int threads)
{
#ifdef _OPENMP
	bool any = false;
	for (int32_t i = 0; threads > 1 && i < n; i++) any |= job[i].split;
	if (any) {
#pragma omp parallel num_threads(threads)
		all(job, n, omp_get_thread_num(), omp_get_num_threads());
		return;
	}
#endif
	(void)threads;
	for (int32_t i = 0; i < n; i++) one(&job[i], 0, 1);
}
