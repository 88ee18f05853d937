/* SPDX-License-Identifier: Apache-2.0
 *
 * history.h - what a run of a recipe writes down: the typed result, the curve of its training and its layers. At the end they are one JSON
 * object that the report draws from.
 *
 *   {"recipe", "before": F, "after": F, "stages": [{"stage", "accuracy": [a, b], "bytes": [a, b], "kept", "why", "seconds"}],
 *    "curve": [{"stage", "epoch", "loss", "accuracy"}], "layers": [{"name", "count", "nonzero", "range", "before": [H], "after": [H]}]}
 * and with order: search "order": that of the best, "orders": [{"order", "accuracy", "loss", "test", "lost", "bytes", "kept", "fits", "seconds", "stages"}].
 * F: accuracy (of the test set, a fraction), parameters, nonzero, macs, file_bytes, flash_bytes, ram_bytes, energy_nj,
 * microseconds (of one sample, one thread).
 * H: a histogram of 65 bins over -range .. range, zeros left out.
 */
#ifndef COP_HISTORY_H
#define COP_HISTORY_H

#include "graph/graph.h"

typedef struct cop_history {
	cop_ctx *cx;
	cop_compress_result result;
	cop_text curve, layers;
	cop_text orders; /* of a recipe with order: search: what each did */
	cop_text epochs; /* those of the curve as they were told */
	void (*progress)(void *ud, const cop_epoch *e); /* the caller's, called on */
	void *ud;
} cop_history;

/* Puts itself between a->progress and its caller, to note the curve; *a must live as long. */
void cop__history_begin(cop_history *h, cop_ctx *cx, const char *recipe, cop_train_args *a);
/* Another object of the list `orders`: what the stages did in this order. */
void cop__history_order(cop_text *t, const cop_order_result *o, const cop_compress_result *r);
cop_status cop__history_layers(cop_history *h, const cop_graph *before, const cop_graph *after);
/* All that is known so far as one text, and back: it travels in the checkpoint, so that a stage is in it once. */
cop_status cop__history_pack(cop_text *t, const cop_history *h);
cop_status cop__history_unpack(cop_history *h, const char *text, size_t size, const char *file);
cop_status cop__history_end(cop_history *h, cop_write_fn *write, void *ud); /* write NULL: nothing is written */
void cop__history_free(cop_history *h);

#endif
