/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.h - threads live only here. A list of calls is run in order; the parts of a call that may be split are done by
 * whichever thread takes them, the others by the caller.
 */
#ifndef COP_POOL_H
#define COP_POOL_H

#include "core/core.h"
#include "kernel/kernel.h"

typedef struct cop_job {
	void (*fn)(const cop_call *c);
	cop_call call;           /* part and parts are set by the pool */
	size_t work_bytes;       /* scratch of one part lies at call.work + part * work_bytes */
	const int32_t *guard;    /* skipped while it reads 0 */
	bool split;
} cop_job;

typedef struct cop_pool cop_pool;
/* threads: the caller's among them. A thread that cannot be had is done without. */
cop_status cop__pool_new(cop_pool **out, cop_ctx *cx, int threads);
void cop__pool_free(cop_pool *p);
void cop__pool_run(cop_pool *p, const cop_job *job, int32_t n);

#endif
