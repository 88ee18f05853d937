/* SPDX-License-Identifier: Apache-2.0
 *
 * defaults - what a network is trained with when nothing else is said: the settings of its row in zoo.def.
 */
#include "zoo/zoo.h"

/* Pictures of three channels and of one differ: letters and digits must not be mirrored. Without labels and a teacher, samples are to be given back, and
 * as they are. */
static const char *augment(const cop_zoo_row *r, const cop_dataset *d, bool teacher)
{
	if (!d || d->x.rank != 3 || !(d->classes || d->targets || teacher)) return "none";
	if (!r->build && (d->targets || COP_MIN(d->x.dim[0], d->x.dim[1]) < 16)) return "none"; /* targets may say what is where, and that is no picture */
	return d->x.dim[2] == 3 ? r->train.colour : d->x.dim[2] == 1 ? r->train.grey : "none";
}

void cop_train_defaults(cop_train_args *a, const char *name, const cop_dataset *data)
{
	const cop_zoo_row *r = cop__zoo_find(name ? name : "");

	if (!a->epochs) a->epochs = r->train.epochs;
	if (!a->batch) a->batch = r->train.batch;
	if (!(a->lr > 0)) a->lr = r->train.lr;
	if (!a->update) a->update = r->train.update;
	if (!a->schedule) a->schedule = r->train.schedule;
	if (!a->augment) a->augment = augment(r, data, a->policies && strstr(a->policies, "distill"));
	if (!(a->smooth > 0)) a->smooth = r->train.smooth;
	if (!a->policies) a->policies = r->train.policies;
}
