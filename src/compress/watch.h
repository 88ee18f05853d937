/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.h - a network that runs over samples while somebody looks at its values: calibration, and what the filters of layers see.
 */
#ifndef COP_WATCH_H
#define COP_WATCH_H

#include "pass/pass.h"
#include "run/deploy.h"

/* A session of a network for a batch that hands out every value. */
typedef struct cop_watched_input {
	cop_tensor to;
	cop_parts part;  /* where samples lie in it */
	int64_t each;    /* numbers of a sample */
	float *samples;  /* [batch,each] as they were read */
	float *placed;   /* NULL, or as they lie in the input */
} cop_watched_input;
typedef struct cop_watch { cop_graph *g; cop_host host; int32_t *index; cop_watched_input *x; int32_t batch; cop_ctx *cx; } cop_watch;

/* each: numbers of a sample of the first input; 0: not known. w->batch is 1 where samples cannot go side by side. */
cop_status cop__watch_new(cop_watch *w, const cop_graph *g, int32_t batch, int64_t each, int threads);
void cop__watch_free(cop_watch *w);
cop_status cop__watch_value(cop_watch *w, cop_vid v, cop_tensor *out); /* of g; data NULL when it is not watched */
/* Samples i .. i+batch of the sets (one for each input) into the session, fewer at the end: the rest repeats the last. */
cop_status cop__watch_load(cop_watch *w, cop_dataset *const *sets, int32_t i, int32_t end, int32_t *got);

#endif
