/* SPDX-License-Identifier: Apache-2.0
 *
 * mezo - training without gradients (Malladi et al. 2023): the network runs forward twice in a step, with all weights moved by eps along a random direction z and by as much
 * against it. The difference of the losses over 2 eps is the slope g along z, and the weights move by -rate g z. z is drawn again from (seed, name,
 * step, number) whenever it is wanted, and never kept. Nothing is kept for a way back: a step takes the memory of inference.
 *
 * `last` names weights that move by their gradient in the same step (ElasticZO, Sugiura and Matsutani 2025): only what their gradient needs is
 * planned. It is that of the second run.
 */
#include "train/update/mezo.h"

#include "train/build_record.h"
#include "train/update/made.h"

#include <math.h>

static const cop_option table[] = {
	COP_OPT_REAL(cop_mezo, eps, 1e-8, 1000, "1e-3", "how far weights are moved to both sides"),
	COP_OPT_REAL(cop_mezo, decay, 0, 1e30, "0", "weight decay, apart from the slope; not for biases and batch norm"),
	COP_OPT_WORD(cop_mezo, draw, "normal|signs", "normal", "what a direction is made of: normal numbers, or 1 and -1, which are drawn much faster (Spall 1992)"),
	COP_OPT_WHOLE(cop_mezo, seed, 0, 2147483647, "1", "of the directions"),
	COP_OPT_NAMES(cop_mezo, last, "", "weights that move by their gradient, such as those of the last layer"),
	COP_OPT_END,
};

float cop__mezo_along(const cop_mezo *o, const char *name, int64_t step, int64_t i)
{
	const uint32_t stream = cop__hash_text(name);
	const uint64_t at = (uint64_t)step << 32;

	if (o->draw == COP_DRAW_NORMAL) return cop__rand_normal((uint64_t)o->seed, stream, at | (uint64_t)i);
	return cop__rand((uint64_t)o->seed, stream, at | (uint64_t)(i / 32)) >> (i % 32) & 1 ? 1.0f : -1.0f;
}

/* Of `last` alone. */
static cop_vid build(const cop_param *p, const void *o)
{
	const cop_mezo *a = o;
	const cop_vid d = cop__made_decayed(p, p->dw, p->w, cop__param_decay(p, a->decay));

	return cop__made_set(p, p->w, cop__made(p, OP_sub, p->w, cop__made(p, OP_mul, d, cop__param_lr(p))));
}

const cop_update cop_update_mezo = {
	.row = {"mezo", "no gradients: moves along a random direction by the slope between two runs", "Malladi et al. 2023, arXiv 2305.17333", table, sizeof(cop_mezo)}, .build = build, .zeroth = true};

/* ---- a step ---- */

/* w += along times the direction */
static cop_status move(const cop_zeroth *z, int64_t step, float along)
{
	const cop_build *b = z->b;

	for (int32_t k = 0; k < b->n_moved; k++) {
		cop_tensor t;
		COP_TRY(z->named(z->t, b->moved[k], &t));
		float *w = t.data;
		for (int64_t i = 0, n = cop_type_count(&t.type); i < n; i++) w[i] += along * cop__mezo_along(z->o, b->moved[k], step, i);
	}
	return COP_OK;
}

/* Back to where they were, and by the slope on. */
static cop_status go(const cop_zeroth *z, int64_t step, float slope, float lr)
{
	const cop_build *b = z->b;

	for (int32_t k = 0; k < b->n_moved; k++) {
		cop_tensor t;
		COP_TRY(z->named(z->t, b->moved[k], &t));
		float *w = t.data;
		const float rate = lr * cop__own_rate(&b->all.rates, b->model, b->moved[k]), keep = 1 - (t.type.rank > 1 ? rate * z->o->decay : 0);
		for (int64_t i = 0, n = cop_type_count(&t.type); i < n; i++) w[i] = keep * w[i] + (keep * z->o->eps - rate * slope) * cop__mezo_along(z->o, b->moved[k], step, i);
	}
	return COP_OK;
}

/* guard=yes: such a loss changes no weight. */
static bool refuses(const cop_zeroth *z, float loss) { return z->b->all.guard && !isfinite(loss); }

cop_status cop__zeroth_step(const cop_zeroth *z, float *loss)
{
	const float eps = z->o->eps;
	float up, down;
	cop_tensor step;

	COP_TRY(z->named(z->t, "step", &step));
	int32_t *done = step.data;
	COP_TRY(move(z, *done, eps));
	COP_TRY(z->run(z->t, 0, &up)); /* what moves by its gradient does so in the second run */
	COP_TRY(move(z, *done, -2 * eps));
	COP_TRY(z->run(z->t, refuses(z, up) ? 0 : z->lr, &down));
	const bool back = refuses(z, up) || refuses(z, down);
	COP_TRY(go(z, *done, back ? 0 : (up - down) / (2 * eps), back ? 0 : z->lr));
	++*done;
	*loss = 0.5f * (up + down);
	return COP_OK;
}
