/* SPDX-License-Identifier: Apache-2.0
 *
 * soft - cross-entropy of logits with a distribution over the classes, -sum t log p: for mixed samples, weighted classes and a teacher's answers.
 * distill - the same of a teacher's logits, both softened by a temperature T and multiplied by T^2, which keeps the size of gradients.
 */
#include "op/axes.h"
#include "train/build.h"

static cop_vid soft(cop_graph *g, const void *o, cop_vid y, cop_vid target)
{
	(void)o;
	return cop__apply(g, OP_softxent, NULL, VIDS(y, target));
}

const cop_loss cop_loss_soft = {.row = {"soft", "cross-entropy of logits with a distribution over the classes", NULL, NULL, 0}, .logits = true, .build = soft};

typedef struct options { float temperature; } options;

static const cop_option table[] = {
	COP_OPT_REAL(options, temperature, 0.01, 1000, "4", "logits are divided by it: the higher, the more the teacher's small answers count"),
	COP_OPT_END,
};

static cop_vid times(cop_graph *g, cop_vid v, const char *name, float by)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	return by == 1 || !v ? v : cop__apply(g, OP_mul, &none, VIDS(v, cop__scalar(g, name, by)));
}

static cop_vid distill(cop_graph *g, const void *o, cop_vid y, cop_vid target)
{
	const options *a = o;
	char down[40], up[40];

	cop__format(down, sizeof down, "distill.1/%g", (double)a->temperature);
	cop__format(up, sizeof up, "distill.%g^2", (double)a->temperature);
	cop_vid p = cop__apply(g, OP_softmax, NULL, VIDS(times(g, target, down, 1 / a->temperature)));
	cop_vid loss = p ? cop__apply(g, OP_softxent, NULL, VIDS(times(g, y, down, 1 / a->temperature), p)) : 0;
	return times(g, loss, up, a->temperature * a->temperature);
}

const cop_loss cop_loss_distill = {
	.row = {"distill", "cross-entropy with a teacher's softened answers", "Hinton et al. 2015, arXiv 1503.02531", table, sizeof(options)}, .logits = true, .build = distill};
