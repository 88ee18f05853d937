/* SPDX-License-Identifier: Apache-2.0
 *
 * binarize - the stage: layers learn to do with weights of two or three values and with the signs of their operands, and
 * those that do become sums of bits. The network trains as it will answer: the pass `bits` changes no answer.
 */
#include "compress/binarize/binarize.h"
#include "pass/pass.h"
#include "train/form/binary.h"

typedef struct binarize_options {
	int32_t weights, activations;
	bool scale, ends, bits;
	float threshold, part;
} binarize_options;

enum { BINARY, TERNARY, TTQ, REAL_WEIGHTS };
enum { SIGN, SMOOTH, REAL_ACTIVATIONS };

static const cop_option options[] = {
	COP_OPT_WORD(binarize_options, weights, "binary|ternary|ttq|real", "binary", "two values for each filter, three, three for the layer of which two are trained, or as they are: first the activations alone is one way to train"),
	COP_OPT_WORD(binarize_options, activations, "sign|smooth|real", "sign",
		"what the layers read: signs with a gradient straight through from -1 to 1, signs with one that grows towards 0, or what they read now"),
	COP_OPT_FLAG(binarize_options, scale, "yes", "binary weights are plus and minus the mean size of their filter, else 1 and -1"),
	COP_OPT_REAL(binarize_options, threshold, 0, 10, "0.7", "ternary weights are 0 up to this part of the mean size of their filter"),
	COP_OPT_REAL(binarize_options, part, 0, 1, "0.05", "with ttq, weights are 0 up to this part of the largest of their layer"),
	COP_OPT_FLAG(binarize_options, ends, "yes", "layers beside the input and before the output stay as they are; else only what the first ones read does"),
	COP_OPT_FLAG(binarize_options, bits, "yes", "the result has sums of bits, where weights are binary and activations signs; else floats, and the pass `bits` leads there"),
	COP_OPT_END,
};

static bool makes_bits(const binarize_options *o) { return o->bits && o->weights == BINARY && o->activations != REAL_ACTIVATIONS; }

typedef struct work {
	const binarize_options *o;
	const char *const *weight; /* names */
	int n;
	cop_handle *latent;
} work;

static cop_status build(void *ud, cop_build *b)
{
	work *w = ud;
	const cop_binary_options binary = {w->o->scale};
	const cop_ternary_options ternary = {w->o->threshold};
	const cop_ttq_options ttq = {w->o->part};
	const struct { const char *form; const void *options; } all[] = {[BINARY] = {"binary", &binary}, [TERNARY] = {"ternary", &ternary}, [TTQ] = {"ttq", &ttq}}, *of = &all[w->o->weights];

	for (int i = 0; i < w->n; i++) {
		COP_TRY(cop__build_form(b, w->weight[i], cop__form(of->form), of->options));
		if (!(w->latent[i] = cop__build_follower(b, w->weight[i], COP_BINARY_LATENT))) return COP_NOMEM;
	}
	return COP_OK;
}

/* Beyond -1 and 1 no gradient would bring a latent back. */
static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	const work *w = ud;
	cop_tensor t;

	(void)v;
	for (int i = 0; i < w->n && w->o->weights == BINARY; i++) {
		COP_TRY(cop__trainer_tensor(p->t, w->latent[i], &t));
		float *x = t.data;
		for (int64_t k = 0, n = cop_type_count(&t.type); k < n; k++) x[k] = x[k] < -1 ? -1 : x[k] > 1 ? 1 : x[k];
	}
	return COP_OK;
}

/* The names of the chosen layers' weights, once each. */
static cop_status named(work *w, cop_arena *mem, const cop_graph *g, const uint8_t *chosen, int most)
{
	const char **name = cop__arena_get(mem, sizeof *name * (size_t)most);

	w->latent = cop__arena_get(mem, sizeof *w->latent * (size_t)most);
	if (!name || !w->latent) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		bool twice = !chosen[n];
		for (int i = 0; i < w->n && !twice; i++) twice = !strcmp(name[i], cop__qlayer_name(g, n));
		if (!twice) name[w->n++] = cop__qlayer_name(g, n);
	}
	w->weight = name;
	return COP_OK;
}

static cop_status trained(cop_graph **out, const cop_graph *g, const cop_stage *s, const cop_means *m, cop_arena *mem)
{
	work w = {.o = (const void *)s->own.bytes};
	const cop_policy policy = {.name = "binarize", .ud = &w, .build = build, .after = after};
	cop_train_args a = cop__stage_args(s, m);
	uint8_t *chosen = cop__arena_get(mem, (size_t)g->n_node + 1);
	int count = chosen ? cop__choose_binary(chosen, g, s->terms.layers, w.o->ends) : 0;

	if (!chosen || g->cx->code) return COP_NOMEM;
	if (!count)
		return cop__error(g->cx, COP_ARG, "recipe, line %d: binarize: no layer that matches layers: %s lies between the first and the last one; ends: no takes those, too", s->line, s->terms.layers);
	if (w.o->weights != REAL_WEIGHTS) COP_TRY(named(&w, mem, g, chosen, count));
	if (w.o->activations == REAL_ACTIVATIONS) COP_TRY(cop__pass_copy(out, g));
	else COP_TRY(cop__put_signs(out, g, chosen, w.o->activations == SMOOTH));
	COP_TRY(cop__train(*out, m->train, m->valid, &a, "binarize", &policy, 1));
	return makes_bits(w.o) ? cop__pass_then(out, cop__pass_bits) : COP_OK;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	cop_graph *out = NULL;
	cop_arena mem;

	cop__arena_init(&mem, (*g)->cx);
	cop_status st = trained(&out, *g, s, m, &mem);
	if (!st) st = cop_graph_verify(out);
	cop__arena_free(&mem);
	if (st) return cop_graph_free(out), st;
	cop_graph_free(*g);
	*g = out;
	return COP_OK;
}

/* What was pruned is 0, and two values have no 0; three find their own. */
static uint32_t allows(const cop_stage *s)
{
	return ((const binarize_options *)(const void *)s->own.bytes)->weights == REAL_WEIGHTS ? COP_HAS_MASKS : 0;
}

static uint32_t given(const void *own)
{
	const binarize_options *o = own;
	return COP_HAS_FLOATS | (o->weights == REAL_WEIGHTS ? 0 : COP_HAS_SHARED) | (makes_bits(o) ? COP_HAS_BITS : 0);
}

const cop_stage_row cop_stage_binarize = {
	.row = {"binarize", "trains layers to do with weights of two or three values and with the signs of what they read, and makes them sums of bits",
		"Courbariaux et al. 2016, arXiv 1602.02830; Rastegari et al. 2016, arXiv 1603.05279; Zhu et al. 2017, arXiv 1612.01064; Liu et al. 2020, arXiv 2003.03488", options, sizeof(binarize_options)},
	.terms = cop__terms, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_MASKS | COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED,
	.gives = COP_HAS_SHARED | COP_HAS_BITS, .allows = allows, .given = given, .can = cop__can_binarize, .run = run,
};
