/* SPDX-License-Identifier: Apache-2.0
 *
 * pictures.h - what tests of the search look at: small pictures of classes that are easy to tell apart, and a search over them that has not begun.
 */
#ifndef TESTS_SEARCH_PICTURES_H
#define TESTS_SEARCH_PICTURES_H

#include "help.h"
#include "search/search.h"

enum { SIDE = 8, CLASSES = 2, N = 96 };

static volatile bool stop;
static bool stop_at_sample; /* at the next one */

/* Dark and bright pictures, or any number of random classes. */
static inline cop_status picture(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;

	stop |= stop_at_sample;
	*label = i % d->classes;
	for (int64_t k = 0; k < cop_type_count(&d->x); k++)
		x[k] = cop__rand_unit(3, (uint32_t)i, (uint64_t)k) * 0.5f + 0.5f * (float)*label;
	return COP_OK;
}

static inline void pictures(cop_dataset *d, int32_t rank, const int32_t *dim, int32_t classes, int32_t count)
{
	*d = (cop_dataset){.name = "pictures",
	        .x = cop__type(COP_F32, rank, dim),
	        .count = count,
	        .classes = classes,
	        .get = picture,
	        .ud = d};
}

static inline cop_searcher searcher(
        cop_ctx *cx, const cop_search_args *s, cop_train_args *a, cop_dataset *d, cop_search_result *r)
{
	cop_searcher z = {.cx = cx, .s = s, .given = a, .a = a, .train = d, .valid = d, .few = *d, .r = r};

	z.few.count = 4;
	OK(cx, cop_target_find(&z.t, cx, "cortex-m4"));
	z.t.ram = z.t.flash = 0;
	return z;
}

#endif
