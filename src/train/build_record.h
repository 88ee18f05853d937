/* SPDX-License-Identifier: Apache-2.0
 *
 * build_record.h - the inside of a cop_build, for build.c, which fills it, and assemble.c, which reads it.
 */
#ifndef COP_BUILD_RECORD_H
#define COP_BUILD_RECORD_H

#include "train/build.h"

/* Of the training as a whole; the options of the rule and of the loss stand beside them in a text. by, learn, per: numbers of the rule that are learnt. */
typedef struct cop_general { int32_t update, loss; char layers[4000]; float clip, lr; cop_rates rates, channels; char by[256], learn[64]; int32_t per; bool guard; int32_t saved, errors, rounding; } cop_general;

/* A rule of updates, and above it the one that changes its numbers by their gradient. The lowest changes the weights. */
typedef struct cop_tier {
	const cop_update *rule;
	const void *options;
	float lr;
	const cop_rates *rates;  /* factors of it, by parameter; NULL: none */
	const char *learn;       /* which of the rule's numbers */
	bool per_weight;         /* for each weight by itself, or for all of them together */
	int height;              /* 0: of the weights */
	const struct cop_tier *by; /* NULL: they stay as they are */
} cop_tier;
enum { COP_MOST_LEVELS = 8 };
bool cop__tier_learns(const cop_tier *l, int i); /* is the i-th number of its rule learnt? One that is 0 stays 0 */

/* What rules keep once for all parameters is called "rule." and so on. */
bool cop__is_of_rule(const cop_value *v);
/* The i-th number that is learnt has such a follower at each weight: how the last step's weight changed with it. */
const char *cop__moved_name(int i);

/* What a level changes: parameters, their gradients, guards of those (0: none), and the values afterwards. */
typedef struct cop_moving { cop_vid *w, *dw, *guard, *now; bool *inner; int n; } cop_moving;
cop_status cop__apply_tier(cop_graph *g, const cop_tier *l, const cop_moving *x);

typedef struct cop_made_state { const char *name, *of; cop_type type; const void *init; } cop_made_state;
typedef struct cop_guarded {
	cop_vid v, from;
	cop_handle guard;
	bool *node;          /* of the model: those that v alone needs */
	cop_decide *decide;  /* NULL: the guard is a state */
	void *ud;
	cop_vid times;       /* in the formed graph */
} cop_guarded;
typedef struct cop_named_form { const char *weight; const cop_form *form; const void *options; } cop_named_form;

struct cop_build {
	cop_ctx *cx;
	cop_arena mem;
	cop_graph *model;   /* for the batch, recurrent layers written out */
	cop_graph *formed;  /* the same with each formed weight as its expression, and with guards, once it is made; NULL: there are none */
	cop_graph *teacher[COP_MAX_TEACHERS]; /* as they run, for the same batch */
	int32_t n_teacher;
	cop_general all;
	bool bf16; /* as cop_train_args has it */
	cop_tier level; /* no rule: there is none yet */
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

/* The teacher in front of which stands what makes the network's inputs its own: their scaling as its file says, the order of axes. */
cop_status cop__teacher_view(cop_graph **out, const cop_graph *teacher, const cop_graph *network);
void cop__build_like(cop_build *b, const cop_build *other); /* the same rule, and the same layers; the other one has to stay */
const char *cop__teacher_name(char to[24], int32_t i); /* what begins the names of its values: "teacher", "teacher2", ... */

float cop__own_rate(const cop_rates *rates, const cop_graph *g, const char *name); /* the factor of a weight; its part (pass/parts.h) has that of the weight */
bool cop__is_chosen(const cop_build *b, const char *name); /* by layers=, a latent by its weight */
bool cop__is_trained(const cop_graph *g, const cop_build *b, cop_vid v);
cop_vid cop__read_as(const cop_graph *g, cop_vid w); /* what the network reads where a weight is: that, or what its rule puts there */
cop_status cop__look_ahead(cop_graph **out, const cop_graph *g, const cop_build *b); /* g with each weight that is trained read so */

/* Where a gradient is kept. */
#define COP_GRADIENT "grad"

#endif
