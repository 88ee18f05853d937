/* SPDX-License-Identifier: Apache-2.0
 *
 * retrain - the stage that trains on, and what every stage that trains asks for.
 */
#include "compress/compress.h"

extern const cop_stage_row cop_stage_train;

cop_train_args cop__stage_args(const cop_stage *s, const cop_means *m)
{
	cop_train_args a = *m->a;

	if (s->training.epochs) a.epochs = s->training.epochs;
	if (s->training.lr > 0) a.lr = s->training.lr;
	if (*s->training.update) a.update = s->training.update;
	if (*s->training.schedule) a.schedule = s->training.schedule;
	if (s->row == &cop_stage_train) return a;
	a.policies = *m->teachers ? m->teachers : NULL; /* a mean of epochs, or an earlier one, has other weights removed or shared */
	a.keep = COP_KEEP_LAST;
	return a;
}

typedef struct train_options { char policies[256]; } train_options;
static const cop_option options[] = {
	COP_OPT_TEXT(train_options, policies, NULL, "what acts on the way, from `coppice policies`, else the command line's: `\"lasso:coupled=0.01\"`"),
	COP_OPT_END,
};

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const train_options *o = (const void *)s->own.bytes;
	cop_train_args a = cop__stage_args(s, m);

	if (*o->policies) a.policies = o->policies;
	return cop__train(*g, m->train, m->valid, &a, "train", NULL, 0);
}

const cop_stage_row cop_stage_train = {
	.row = {"train", "trains on; nothing is removed", NULL, options, sizeof(train_options)},
	.terms = cop__terms_whole, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .bears_rounding = true, .run = run,
};
