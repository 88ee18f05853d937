/* SPDX-License-Identifier: Apache-2.0
 *
 * weights - integers for the weights of a layer: symmetric, without the least one (-127 .. 127, -7 .. 7), a scale for
 * each output channel or one for all. Layers are rounded one after the other, each with the inputs that the rounded
 * ones before it make: what is learned makes up for their errors, and the bias takes back the shift of a result's mean.
 */
#include "compress/quantize/blocks.h"

#include <math.h>

static double squared_error(const float *w, int64_t n, int32_t k, float scale, int32_t most, const float *matters)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++) {
		double e = (double)(scale * (float)cop__round_weight(w[i], scale, most) - w[i]);
		sum += e * e * (matters ? (double)matters[i % k] : 1);
	}
	return sum;
}

/* Weights that are whole multiples of one step, as the stage `steps` leaves them: the step, so that they keep their few
 * values. 0: they are not, or it takes more than `most` multiples. Multiples of the step that batch norm was folded
 * into are off by the rounding of floats. */
static float common_step(const float *w, int64_t n, int32_t most)
{
	enum { LEAST_MULTIPLE = 4 };
	float least = INFINITY;

	for (int64_t i = 0; i < n; i++)
		if (w[i] != 0) least = fminf(least, fabsf(w[i]));
	for (int m = 1; m <= LEAST_MULTIPLE && isfinite(least); m++) {
		double step = (double)least / m, with = 0, squares = 0;
		int64_t i = 0;
		for (; i < n; i++) {
			double q = round((double)w[i] / step);
			if (fabs(q) > most || fabs((double)w[i] / step - q) > 1e-3) break;
			with += (double)w[i] * q, squares += q * q;
		}
		if (i == n) return (float)(with / squares);
	}
	return 0;
}

float cop__weight_scale(const float *w, int32_t rows, int32_t k, int32_t most, bool least_squares, const float *matters)
{
	enum { STEPS = 80 };
	int64_t n = (int64_t)rows * k;
	float max = 0, best = common_step(w, n, most);
	double least = INFINITY;

	if (best > 0) return best;
	for (int64_t i = 0; i < n; i++) max = fmaxf(max, fabsf(w[i]));
	best = max / (float)most;
	if (!least_squares || max <= 0) return best;
	for (int s = STEPS; s > STEPS / 4; s--) {
		float scale = max / (float)most * (float)s / STEPS;
		double e = squared_error(w, n, k, scale, most, matters);
		if (e < least) least = e, best = scale;
	}
	return best;
}

/* matters [groups,k], or NULL. */
static void scales(cop_quantizer *z, cop_qlayer *l, const float *w, const float *b, float x_scale, int32_t most,
	const float *matters)
{
	bool squares = z->range != COP_RANGE_MINMAX;
	int32_t per_group = l->o / l->groups;
	float all = z->a->per_tensor ? cop__weight_scale(w, l->o, l->k, most, squares, NULL) : 0, largest = 0;

	for (int32_t o = 0; o < l->o; o++) {
		l->scale[o] = z->a->per_tensor ? all : cop__weight_scale(w + (size_t)o * (size_t)l->k, 1, l->k, most, squares,
			matters ? matters + o / per_group * l->k : NULL);
		largest = fmaxf(largest, l->scale[o]);
	}
	for (int32_t o = 0; o < l->o; o++) { /* a row of zeros takes any scale; a bias must fit 31 bits */
		if (!(l->scale[o] > 0)) l->scale[o] = largest > 0 ? largest : 1;
		if (b) l->scale[o] = fmaxf(l->scale[o], fabsf(b[o]) / x_scale * ldexpf(1, -30));
	}
}

/* How much the error of each weight counts: the mean square of what it meets. */
static void diagonal(float *matters, const cop_moments *m)
{
	for (int32_t i = 0; i < m->groups * m->k; i++)
		matters[i] = fmaxf(m->h[((size_t)i * (size_t)m->k) + (size_t)(i % m->k)], 0) + 1e-12f;
}

/* What the errors before this layer add to the gradient of a row: M w. */
static void carried(float *d, const float *m, const float *w, int32_t k)
{
	for (int32_t i = 0; i < k; i++) {
		double sum = 0;
		for (int32_t j = 0; j < k; j++) sum += (double)m[(size_t)i * (size_t)k + (size_t)j] * (double)w[j];
		d[i] = (float)sum;
	}
}

/* Group by group: the rows of one have one matrix, and one factor of it. */
static cop_status make_good(cop_quantizer *z, cop_qlayer *l, const float *w, const cop_moments *m, int32_t most)
{
	size_t k = (size_t)l->k;
	int32_t per_group = l->o / l->groups;
	float *d = cop__alloc(z->cx, sizeof *d * k);
	cop_status st = d ? COP_OK : COP_NOMEM;

	for (int32_t group = 0; !st && group < l->groups; group++) {
		cop_gptq f;
		st = cop__gptq_open(&f, z->cx, m->h + (size_t)group * k * k, l->k);
		for (int32_t o = group * per_group; !st && o < (group + 1) * per_group; o++) {
			carried(d, m->m + (size_t)group * k * k, w + (size_t)o * k, l->k);
			cop__gptq(l->q + (size_t)o * k, &f, w + (size_t)o * k, l->scale[o], d, most);
		}
		cop__gptq_close(&f, z->cx);
	}
	cop__free(z->cx, d);
	return st;
}

static cop_status learn(cop_quantizer *z, cop_qlayer *l, const float *w, const cop_moments *m, int32_t most)
{
	enum { STEPS = 1000 };
	size_t k = (size_t)l->k;
	float *d = cop__alloc(z->cx, sizeof *d * k);
	cop_status st = d ? COP_OK : COP_NOMEM;

	for (int32_t o = 0; !st && o < l->o; o++) {
		size_t at = (size_t)(o / (l->o / l->groups)) * k * k;
		carried(d, m->m + at, w + (size_t)o * k, l->k);
		st = cop__adaround(l->q + (size_t)o * k, z->cx, w + (size_t)o * k, l->scale[o], l->k, m->h + at, d, most, STEPS);
	}
	cop__free(z->cx, d);
	return st;
}

/* The mean of a result goes back to what it was: E[W x] - E[W^ x^] (Nagel 2019). */
static void correct(cop_qlayer *l, const float *w, const cop_moments *m)
{
	for (int32_t o = 0; o < l->o; o++) {
		const float *mean = m->mean + o / (l->o / l->groups) * l->k, *shift = m->shift + o / (l->o / l->groups) * l->k;
		double lost = 0;
		for (int32_t i = 0; i < l->k; i++) {
			size_t at = (size_t)o * (size_t)l->k + (size_t)i;
			lost += (double)w[at] * (double)(mean[i] - shift[i]) - (double)(l->scale[o] * (float)l->q[at]) * (double)mean[i];
		}
		l->bias[o] += (float)lost;
	}
}

static cop_status room(cop_quantizer *z, cop_qlayer *l)
{
	if (l->q) return COP_OK;
	l->q = cop__arena_get(&z->mem, (size_t)l->o * (size_t)l->k);
	l->scale = cop__arena_get(&z->mem, sizeof *l->scale * (size_t)l->o);
	l->bias = cop__arena_get(&z->mem, sizeof *l->bias * (size_t)l->o);
	return l->q && l->scale && l->bias ? COP_OK : COP_NOMEM;
}

/* The weights as they are now, into the rough network. */
static cop_status show(const cop_quantizer *z, cop_nid n)
{
	const cop_qlayer *l = &z->layer[n];
	cop_vid bias = cop__arg(z->rough, n, 2);
	float *w = cop__own(z->rough, cop__arg(z->rough, n, 1)), *b = bias ? cop__own(z->rough, bias) : NULL;

	if (!w || (bias && !b)) return COP_NOMEM;
	for (size_t i = 0; i < (size_t)l->o * (size_t)l->k; i++) w[i] = l->scale[i / (size_t)l->k] * (float)l->q[i];
	if (bias) memcpy(b, l->bias, sizeof *b * (size_t)l->o); /* without one the shift stays, to be made up for later */
	return COP_OK;
}

static cop_status one_layer(cop_quantizer *z, cop_nid n, cop_moments *m)
{
	cop_qlayer *l = &z->layer[n];
	const cop_graph *g = z->g;
	cop_vid bias = cop__arg(g, n, 2);
	const float *w = cop__floats(g, cop__arg(g, n, 1)), *b = cop__floats(g, bias);
	int32_t most = (1 << (l->bits - 1)) - 1;
	bool products = z->round && l->k <= COP_MOST_PRODUCTS, rough = products || z->a->bias_correct;
	float *matters = NULL;

	COP_TRY(room(z, l));
	if (rough) COP_TRY(cop__moments(m, z, n, products));
	if (products && z->a->bias_correct) cop__moments_center(m);
	if (products && !(matters = cop__alloc(z->cx, sizeof *matters * (size_t)(l->groups * l->k)))) return COP_NOMEM;
	if (matters) diagonal(matters, m);
	scales(z, l, w, b, z->act[cop__arg(g, n, 0)].scale, most, matters);
	cop__free(z->cx, matters);
	for (size_t i = 0; i < (size_t)l->o * (size_t)l->k; i++)
		l->q[i] = (int8_t)cop__round_weight(w[i], l->scale[i / (size_t)l->k], most);
	if (products) COP_TRY(z->round == COP_ROUND_ADAROUND ? learn(z, l, w, m, most) : make_good(z, l, w, m, most));
	for (int32_t o = 0; o < l->o; o++) l->bias[o] = b ? b[o] : 0;
	if (z->a->bias_correct) correct(l, w, m);
	l->q_bits = l->bits;
	return rough && !z->apart ? show(z, n) : COP_OK;
}

cop_status cop__quantize_weights(cop_quantizer *z)
{
	bool rough = z->round || z->a->bias_correct;
	cop_status st = COP_OK;

	if (rough) st = cop__pass_copy(&z->rough, z->g);
	if (!st && rough) st = cop__watch_new(&z->exact, z->g, z->batch, z->each, z->a->threads);
	for (cop_nid n = 1; !st && n <= (cop_nid)z->g->n_node; n++) {
		cop_moments m = {0};
		if (z->layer[n].bits && z->g->node[n].op != OP_rnn) st = one_layer(z, n, &m);
		cop__moments_free(&m, z->cx);
	}
	cop__watch_free(&z->exact);
	cop_graph_free(z->rough);
	z->rough = NULL;
	return !st && z->round >= COP_ROUND_BLOCK && !z->apart ? cop__learn_blocks(z) : st;
}
