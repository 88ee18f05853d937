/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz.h - a context with little memory: a short file may describe a large network, which is then refused for want of it.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "graph/graph.h"

#include <stdio.h>
#include <stdlib.h>

enum { FUZZ_MEMORY = 32 << 20 };

static void *fuzz_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
	size_t *used = ud;

	if (nsize > FUZZ_MEMORY || *used - osize + nsize > FUZZ_MEMORY) return NULL;
	void *q = nsize ? realloc(p, nsize) : (free(p), NULL);
	if (q || !nsize) *used += nsize - osize;
	return q;
}

/* used: 0 at first, and again when the context and all that hung on it have been freed. */
static inline cop_status fuzz_ctx(cop_ctx **cx, size_t *used)
{
	*used = 0;
	return cop_ctx_new(cx, &(cop_alloc){fuzz_alloc, used});
}

#endif
