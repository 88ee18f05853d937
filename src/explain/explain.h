/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.h - between the files of explain: a network as it is looked at, and the rows of maps.
 */
#ifndef COP_EXPLAIN_H
#define COP_EXPLAIN_H

#include "core/options.h"
#include "data/fit.h"
#include "op/op.h"
#include "run/deploy.h"

enum { COP_WHY = sizeof ((cop_explanation *)0)->why[0] };

/* A sample as a picture: element (y, x, c) of [h, w, c], or of [c, h, w]. */
typedef struct cop_frame { int32_t h, w, c; bool channels_first; } cop_frame;
static inline int64_t cop__frame_at(const cop_frame *f, int32_t y, int32_t x, int32_t c)
{
	return f->channels_first ? ((int64_t)c * f->h + y) * f->w + x : ((int64_t)y * f->w + x) * f->c + c;
}

/* A graph of one sample with its session. Outputs are counted from 1; 0: it does not have it. */
typedef struct cop_view {
	cop_graph *g;
	cop_host host;
	int32_t scores;          /* one for each class, in front of a softmax */
	int32_t dx;              /* gradient of the score for the input */
	int32_t feature, pull;   /* what the last convolution over positions puts out, and the gradient of the score for it */
} cop_view;

/* A sample, and the network that looks at it. */
typedef struct cop_look {
	cop_ctx *cx;
	cop_arena mem;
	cop_dataset *made;       /* the fitted set, where it was made here */
	const cop_fit *fit;
	cop_frame frame;
	int32_t each, outputs;   /* numbers of a sample, and of the answer */
	float *sample;           /* [each], as the data set has it */
	float *taken, *scores;   /* room: a sample as the network takes it, its answer */
	cop_graph *form;         /* the network for one sample, as deployed; in floats, where it has such a form */
	cop_view forward, back;
	char refused[COP_WHY];   /* why there is no way back; "": there is one */
} cop_look;

cop_status cop__look_open(cop_look *l, const cop_graph *model, cop_dataset *d, const cop_explain_args *a); /* form, and the sample */
cop_status cop__look_ready(cop_look *l, int threads);       /* plans the views of form as it is then */
void cop__look_close(cop_look *l);                          /* after a failure, too */
cop_status cop__look_scores(cop_look *l, const float *sample); /* into l->scores */
cop_status cop__look_back(cop_look *l, int32_t output);     /* one way forward and back, for the score of that output */
const float *cop__view_output(const cop_view *v, int32_t output, const cop_type **t); /* NULL: it does not have it */

/* A kind of map. draw fills map [h, w], which is zeros; or says in why [COP_WHY] that there is none. */
typedef struct cop_map_row {
	cop_row row;
	bool gradients;          /* it reads those of cop__look_back */
	cop_status (*draw)(float *map, cop_look *l, const cop_explain_args *a, int32_t output, char *why);
} cop_map_row;
#define MAP(name, NAME) extern const cop_map_row cop_map_##name;
#include "explain/map.def"
#undef MAP

/* Replaces the last n weights of a graph by random numbers of the same mean and deviation. Returns how many weights it has;
 * layer: the name of the first that was replaced. */
cop_status cop__randomise(cop_graph *g, int32_t n, uint64_t seed, int32_t *weights, char layer[64]);

#endif
