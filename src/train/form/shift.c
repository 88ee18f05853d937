/* SPDX-License-Identifier: Apache-2.0
 *
 * shift - a weight whose numbers are 0 or +-2^p, with p among a few neighbouring exponents.
 *
 *   together   w = pow2(v); the slope of w by v is 1 (the Q form of DeepShift)
 *   apart      w = s 2^(top + p), s = round(sign) of -1, 0, 1 and p = round(power) within 1 - exponents .. 0, both trained. Roundings let
 *              gradients through: the slope by the power is w ln 2, by the sign 2^(top + p) (the PS form)
 *
 * Zeros under a mask stay.
 */
#include "train/form/shift.h"
#include "op/axes.h"

#include <math.h>

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
#define LN2 0.693147180559945309

const cop_option cop_shift_table[] = {
	COP_OPT_WHOLE(cop_shift_options, exponents, 1, COP_SHIFTS, "7", "neighbouring exponents, up to that of the largest weight of a tensor"),
	COP_OPT_FLAG(cop_shift_options, zeros, "yes", "weights below half of the least power become 0; no: they become the least power"),
	COP_OPT_FLAG(cop_shift_options, apart, "no", "signs and exponents are trained apart, as numbers of their own; zeros is not read then"),
	COP_OPT_END,
};

/* log2 |w| of the largest, rounded; 0 of zeros alone. false: some number is none. */
static bool top_of(int32_t *top, const float *w, int64_t n)
{
	float most = 0;

	for (int64_t i = 0; i < n; i++) {
		if (!isfinite(w[i])) return false;
		most = fmaxf(most, fabsf(w[i]));
	}
	*top = most > 0 ? (int32_t)lrint(log2((double)most)) : 0;
	return true;
}

static cop_vid together(const cop_formed *f, cop_graph *g, const float *w, int32_t top)
{
	const cop_shift_options *o = f->options;
	cop_vid v = cop__latent(f, g, COP_PARAM, COP_SHIFT_LATENT, cop__t(f->model, f->w), w);
	return cop__apply(g, OP_pow2, &(cop_pow2_attr){top - o->exponents + 1, top, o->zeros}, VIDS(v));
}

/* To whole numbers lo .. hi; beyond them there is no slope. */
static cop_vid whole(cop_graph *g, cop_vid x, int32_t lo, int32_t hi)
{
	const cop_fakequant_attr a = {.lo = lo, .hi = hi};
	return cop__apply(g, OP_fakequant, &a, VIDS(x, cop__scalar(g, "shift.one", 1)));
}

/* exp brings the slope, and pow2 makes exactly a power of two of it. */
static cop_vid power(cop_graph *g, cop_vid p, int32_t exponents)
{
	cop_vid ln = cop__apply(g, OP_mul, &none, VIDS(whole(g, p, 1 - exponents, 0), cop__scalar(g, "shift.ln2", (float)LN2)));
	cop_vid e = cop__apply(g, OP_map, &(cop_map_attr){MAP_EXP, 0, 0}, VIDS(ln));
	return cop__apply(g, OP_pow2, &(cop_pow2_attr){1 - exponents, 0, 0}, VIDS(e));
}

static cop_vid apart(const cop_formed *f, cop_graph *g, const float *w, int32_t top)
{
	const cop_shift_options *o = f->options;
	const cop_type *t = cop__t(f->model, f->w);
	int64_t n = cop_type_count(t);
	float *sign = cop__arena_get(&g->mem, sizeof *sign * 2 * (size_t)n), *p = sign + n;
	char name[40];

	if (!sign) return 0;
	for (int64_t i = 0; i < n; i++) {
		sign[i] = (float)((w[i] > 0) - (w[i] < 0));
		p[i] = w[i] != 0 ? fmaxf(log2f(fabsf(w[i])) - (float)top, (float)(1 - o->exponents)) : 0;
	}
	cop_vid sv = cop__latent(f, g, COP_PARAM, COP_SHIFT_SIGN, t, sign), pv = cop__latent(f, g, COP_PARAM, COP_SHIFT_POWER, t, p);
	if (!sv || !pv) return 0;
	cop__format(name, sizeof name, "shift.top.%d", top);
	cop_vid y = cop__apply(g, OP_mul, &none, VIDS(whole(g, sv, -1, 1), power(g, pv, o->exponents)));
	return y ? cop__apply(g, OP_mul, &none, VIDS(y, cop__scalar(g, name, ldexpf(1, top)))) : 0;
}

static cop_vid express(const cop_formed *f, cop_graph *g)
{
	const cop_shift_options *o = f->options;
	const cop_type *t = cop__t(f->model, f->w);
	const char *name = f->model->value[f->w].name;
	const float *w = cop__floats(f->model, f->w);
	int32_t top;

	if (!w) return cop__error(g->cx, COP_ARG, "'%s' has no contents that could be rounded", name), 0;
	if (!top_of(&top, w, cop_type_count(t))) return cop__error(g->cx, COP_ARG, "'%s' holds numbers that are infinite or none: they have no nearest power of two", name), 0;
	return cop__under_mask(f, g, o->apart ? apart(f, g, w, top) : together(f, g, w, top));
}

const cop_form cop_form_shift = {
	.row = {"shift", "powers of two, so that products are shifts", COP_SHIFT_SOURCE, cop_shift_table, sizeof(cop_shift_options)}, .express = express};
