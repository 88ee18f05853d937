/* SPDX-License-Identifier: Apache-2.0
 *
 * report.h - between the files of the report: the history as plain structures, pictures, and the page.
 */
#ifndef COP_REPORT_H
#define COP_REPORT_H

#include "core/core.h"

enum { COP_REPORT_BINS = 65 };

typedef struct cop_story_side {
	double accuracy, parameters, nonzero, macs, file_bytes, flash_bytes, ram_bytes, energy_nj, microseconds;
} cop_story_side;
typedef struct cop_story_stage {
	const char *stage, *why;
	double accuracy[2], loss[2], bytes[2], seconds; /* accuracy below 0: not known */
	bool kept;
} cop_story_stage;
typedef struct cop_story_order { /* of a recipe with order: search */
	const char *order;
	double accuracy, loss, lost, bytes, kept, seconds; /* accuracy below 0: not known */
	bool fits, best;
	cop_story_stage *stage;
	int32_t n_stage;
} cop_story_order;
typedef struct cop_story_point { /* an epoch */
	const char *stage;
	double epoch, loss, accuracy, mse, rate, seconds; /* accuracy, mse: -1 not known; rate, seconds: 0 */
	double flops, backward, published, step_ms;       /* of a step, as parts of one that trains all (cop_epoch); -1: not known */
} cop_story_point;
typedef struct cop_story_layer {
	const char *name;
	double count, nonzero, range, bytes;
	double bin[2][COP_REPORT_BINS]; /* before, after */
} cop_story_layer;

/* What compress/history.h writes; texts and arrays hang in mem. */
typedef struct cop_story {
	cop_arena mem;
	const char *recipe, *data, *date, *command; /* "": not told */
	double seed;                                /* -1: not told */
	cop_story_side before, after;
	cop_story_stage *stage;
	cop_story_order *order;
	cop_story_point *point;
	cop_story_layer *layer;
	int32_t n_stage, n_order, n_point, n_layer;
	bool logged; /* the points are those of a training log */
	bool log_costs; /* which says what steps cost */
} cop_story;

/* What `coppice check` measured; 0: not counted there. */
typedef struct cop_board { double runs, instructions, fixed, stack, ram, fast, code, weights, flash; } cop_board;
cop_status cop__board_read(cop_board *out, cop_ctx *cx, const char *json, size_t size);
void cop__html_board(cop_text *t, const cop_board *b);
cop_status cop__story_read(cop_story *out, cop_ctx *cx, const char *json, size_t size);
void cop__story_free(cop_story *s);

/* The table of `coppice train --log` as the points of a story (log_read.c); they replace those of a history, which has less. */
cop_status cop__log_read(cop_story *out, const char *text, size_t size);
void cop__story_none(cop_story *out, cop_ctx *cx); /* of a network that was only trained */
bool cop__story_stage_begins(const cop_story *s, int32_t i); /* with point i? */
int32_t cop__story_best(const cop_story *s); /* the point of the best score; -1: none has one */

/* Pictures of a story as SVG elements to be put into a page, drawn by gnuplot. why: the sentence that stands in their
 * place when there are none. */
enum { COP_MAX_PICTURES = 24 };
typedef struct cop_picture {
	const char *title, *note;
	char *svg;
} cop_picture;
typedef struct cop_pictures {
	cop_ctx *cx;
	cop_arena mem;
	cop_picture at[COP_MAX_PICTURES];
	int n;
	char why[200];
} cop_pictures;
cop_status cop__pictures_draw(cop_pictures *out, cop_ctx *cx, const cop_story *s);
void cop__pictures_free(cop_pictures *p);

/* ---- pieces of the page ---- */
void cop__html_begin(cop_text *t, const char *title); /* up to the title as the first line */
void cop__html_end(cop_text *t);
void cop__html_text(cop_text *t, const char *s); /* escaped */
void cop__html_stages(cop_text *t, const cop_story *s);
void cop__html_orders(cop_text *t, const cop_story *s); /* nothing where there are none */
void cop__html_compare(
        cop_text *t, const cop_story_side *before, const cop_story_side *after); /* before NULL: one column */
void cop__html_cards(cop_text *t, const cop_story_side *before, const cop_story_side *after);
void cop__html_training(cop_text *t, const cop_story *s);
void cop__html_layers(cop_text *t, const cop_graph *g);
/* 1234567 -> "1,234,567"; 1.2 kB and the like */
void cop__html_count(char out[32], double v);
void cop__html_bytes(char out[32], double v);

#endif
