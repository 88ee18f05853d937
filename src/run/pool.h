/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.h - threads live only here. A list of calls is run in order; a call that may be split is done by all
 * threads together, the others by the first.
 */
#ifndef COP_POOL_H
#define COP_POOL_H

#include "kernel/kernel.h"

typedef struct cop_job {
	void (*fn)(const cop_call *c);
	cop_call call;           /* part and parts are set by the pool */
	size_t work_bytes;       /* scratch of one part lies at call.work + part * work_bytes */
	const int32_t *guard;    /* skipped while it reads 0 */
	bool split;
} cop_job;

void cop__pool_run(const cop_job *job, int32_t n, int threads);
int cop__pool_threads(int wanted); /* 1 where threads are not built in */

#endif
