/* SPDX-License-Identifier: Apache-2.0
 *
 * mezo - training without gradients (Malladi et al. 2023): the network runs forward twice in a step, with all weights moved by eps along a random direction z and by as much
 * against it. The difference of the losses over 2 eps is the slope g along z, and the weights move by -rate g z. z is drawn again from (seed, name,
 * step, number) whenever it is wanted, and never kept. Nothing is kept for a way back: a step takes the memory of inference.
 *
 * `last` names weights that move by their gradient in the same step (ElasticZO, Sugiura and Matsutani 2025): only what their gradient needs is
 * planned. It is that of the second run.
 *
 * Here are the options, and what moves by its gradient; train/zeroth.c puts the step together.
 */
#include "train/update/mezo.h"
#include "train/update/made.h"

static const cop_option table[] = {
	COP_OPT_REAL(cop_mezo, eps, 1e-8, 1000, "1e-3", "how far weights are moved to both sides"),
	COP_OPT_REAL(cop_mezo, decay, 0, 1e30, "0", "weight decay, apart from the slope; not for biases and batch norm"),
	COP_OPT_WORD(cop_mezo, draw, "normal|signs", "normal", "what a direction is made of: normal numbers, or 1 and -1, which are drawn much faster (Spall 1992)"),
	COP_OPT_WHOLE(cop_mezo, seed, 0, 2147483647, "1", "of the directions"),
	COP_OPT_NAMES(cop_mezo, last, "", "weights that move by their gradient, such as those of the last layer"),
	COP_OPT_END,
};

/* Of `last` alone. */
static cop_vid build(const cop_param *p, const void *o)
{
	const cop_mezo *a = o;
	const cop_vid d = cop__made_decayed(p, p->dw, p->w, cop__param_decay(p, a->decay));

	return cop__made_set(p, p->w, cop__made(p, OP_sub, p->w, cop__made(p, OP_mul, d, cop__param_lr(p))));
}

const cop_update cop_update_mezo = {
	.row = {"mezo", "no gradients: moves along a random direction by the slope between two runs", "Malladi et al. 2023, arXiv 2305.17333", table, sizeof(cop_mezo)}, .build = build, .zeroth = true};
