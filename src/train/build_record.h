/* SPDX-License-Identifier: Apache-2.0
 *
 * build_record.h - the inside of a cop_build, for build.c, which fills it, and assemble.c, which reads it.
 */
#ifndef COP_BUILD_RECORD_H
#define COP_BUILD_RECORD_H

#include "train/build.h"

/* Of the training as a whole; the options of the rule and of the loss stand beside them in a text. */
typedef struct cop_general { int32_t update, loss; char layers[128]; float clip, lr; } cop_general;

typedef struct cop_made_state { const char *name, *of; cop_type type; const void *init; } cop_made_state;
typedef struct cop_guarded { cop_vid v; cop_handle guard; bool *node; /* of the model: those that v alone needs */ } cop_guarded;
typedef struct cop_named_form { const char *weight; const cop_form *form; const void *options; } cop_named_form;

struct cop_build {
	cop_ctx *cx;
	cop_arena mem;
	cop_graph *model;   /* for the batch, recurrent layers written out */
	cop_graph *formed;  /* the same with each formed weight as its expression, and with guards, once it is made; NULL: there are none */
	cop_graph *teacher[COP_MAX_TEACHERS]; /* as they run, for the same batch */
	int32_t n_teacher;
	cop_general all;
	const cop_update *rule;
	const void *rule_options;
	cop_term *term;
	int32_t n_term, cap_term;
	cop_named_form *form;
	int32_t n_form, cap_form;
	cop_made_state *state;
	int32_t n_state, cap_state;
	cop_guarded *guarded;
	int32_t n_guarded, cap_guarded;
	const char **name;    /* of handles, from 1 */
	int32_t n_name, cap_name;
	const char **gradient; /* weights whose gradient is kept */
	int32_t n_gradient, cap_gradient;
};

const char *cop__teacher_name(char to[24], int32_t i); /* what begins the names of its values: "teacher", "teacher2", ... */

/* Where a gradient is kept. */
#define COP_GRADIENT "grad"

#endif
