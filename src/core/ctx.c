/* SPDX-License-Identifier: Apache-2.0
 *
 * ctx - the context: allocator, first error, log sink. Everything else hangs on one of these;
 * there is no global state.
 */
#include "core/core.h"

#include <stdlib.h>
#include <time.h>

double cop__now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *libc_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
	(void)ud, (void)osize;
	if (nsize) return realloc(p, nsize);
	free(p);
	return NULL;
}

cop_status cop_ctx_new(cop_ctx **out, const cop_alloc *alloc)
{
	if (!out) return COP_ARG;
	const cop_alloc libc = {libc_alloc, NULL};
	const cop_alloc *a = alloc ? alloc : &libc;
	cop_ctx *cx = a->fn(a->ud, NULL, 0, sizeof *cx);

	*out = NULL;
	if (!cx) return COP_NOMEM;
	*cx = (cop_ctx){.alloc = *a, .isa = cop__cpu_isa()};
	cop_status st = cop__isa_from_env(cx);
	*out = cx; /* handed out even then, so that the sentence can be read */
	return st;
}

void cop_ctx_free(cop_ctx *cx)
{
	if (!cx) return;
	cop_alloc a = cx->alloc;
	a.fn(a.ud, cx, sizeof *cx, 0);
}

void cop_ctx_log(cop_ctx *cx, cop_level upto, cop_log_fn *fn, void *ud)
{
	if (!cx) return;
	cx->log = fn;
	cx->log_ud = ud;
	cx->log_level = upto;
}

void cop_ctx_stop(cop_ctx *cx, const volatile bool *flag) { if (cx) cx->stop = flag; }
