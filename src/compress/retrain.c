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
	if (s->row != &cop_stage_train) a.policies = NULL, a.keep = COP_KEEP_LAST; /* a mean of epochs, or an earlier one, has other weights removed or shared */
	return a;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	cop_train_args a = cop__stage_args(s, m);
	return cop__train(*g, m->train, m->valid, &a, "train", NULL, 0);
}

const cop_stage_row cop_stage_train = {
	.row = COP_ROW("train", "trains on; nothing is removed"),
	.terms = cop__terms_whole, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .run = run,
};
