/* SPDX-License-Identifier: Apache-2.0
 *
 * fold - the stage: rectifiers that switch for no sample of the training set leave the network, and layers that stand side by side then become one.
 * Neurons that are always off become zeros first. On data that was not seen a neuron may still switch; how often is counted on the test set.
 */
#include "compress/depth/depth.h"
#include "pass/pass.h"

#include <stdio.h>

typedef struct fold_options { int32_t limit; bool loose; } fold_options;
static const cop_option options[] = {
	COP_OPT_WHOLE(fold_options, limit, 0, 100000000, "0", "samples on which states are counted; 0: all"),
	COP_OPT_FLAG(fold_options, loose, "no", "merge also where the border of a result changes; then train on, with epochs"),
	COP_OPT_END,
};

typedef struct folding { const cop_graph *g; cop_graph *out; cop_vid *map; const cop_rectifiers *r; const bool *goes; const int32_t *readers; } folding;

/* The layer whose rows can be set to zero for what is off in rectifier r: itself, or the one before a clip; 0: none. */
static cop_nid layer_of(const folding *f, const cop_rectifier *r)
{
	const cop_graph *g = f->g;
	cop_nid n = r->node;

	if (g->node[n].op == OP_clip) {
		if (f->readers[cop__arg(g, n, 0)] != 1) return 0;
		n = g->value[cop__arg(g, n, 0)].producer;
	}
	if (!n || (g->node[n].op != OP_conv && g->node[n].op != OP_fc)) return 0;
	cop_vid w = cop__arg(g, n, 1), b = cop__arg(g, n, 2);
	return cop__floats(g, w) && f->readers[w] == 1 && (!b || (cop__floats(g, b) && f->readers[b] == 1)) ? n : 0;
}

static cop_status clear_rows(cop_graph *g, cop_nid n, const cop_rectifier *r)
{
	for (int i = 1; i < 3; i++) {
		cop_vid v = cop__arg(g, n, i);
		float *w = v ? cop__own(g, v) : NULL;
		int64_t each = v ? cop_type_count(cop__t(g, v)) / r->channels : 0;
		if (v && !w) return COP_NOMEM;
		for (int32_t c = 0; v && c < r->channels; c++)
			if (!r->on[c]) memset(w + c * each, 0, sizeof *w * (size_t)each);
	}
	return COP_OK;
}

static bool some_off(const cop_rectifier *r)
{
	for (int32_t c = 0; c < r->channels; c++)
		if (!r->on[c]) return true;
	return false;
}

/* Its input, or its result without the bound; times 0 where a channel is off and no rows are cleared for it. */
static cop_status straight(folding *f, const cop_rectifier *r)
{
	const cop_graph *g = f->g;
	cop_node d = g->node[r->node];
	cop_vid y;

	if (d.op == OP_clip) {
		y = cop__copy_value(f->out, g, f->map, d.in[0]);
	} else {
		COP_TRY(cop__copy_as(f->out, g, f->map, r->node, &d));
		cop__act_set(f->out, f->out->value[f->map[r->y]].producer, COP_NO_LO, COP_NO_HI);
		y = f->map[r->y];
	}
	if (y && some_off(r) && !layer_of(f, r)) {
		char name[40];
		cop_type t = cop__type(COP_F32, 1, &r->channels);
		snprintf(name, sizeof name, "on%u", (unsigned)r->node);
		cop_vid on = cop__find(f->out, name) ? 0 : cop__data(f->out, COP_CONST, name, &t, NULL);
		float *v = on ? cop__own(f->out, on) : NULL;
		for (int32_t c = 0; v && c < r->channels; c++) v[c] = r->on[c] != 0;
		y = v ? cop__apply(f->out, OP_mul, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(y, on)) : 0;
	}
	if (!y) return cop__failed(g->cx);
	if (y != f->map[r->y]) cop__map_to(f->out, g, f->map, r->y, y);
	return COP_OK;
}

static cop_status rewrite(folding *f)
{
	const cop_graph *g = f->g;

	COP_TRY(cop__copy_inputs(f->out, g, f->map));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_rectifier *r = NULL;
		for (int32_t i = 0; i < f->r->n; i++)
			if (f->r->at[i].node == n && f->goes[i]) r = &f->r->at[i];
		if (r) COP_TRY(straight(f, r));
		else COP_TRY(cop__copy_node(f->out, g, f->map, n));
	}
	return cop__copy_rest(f->out, g, f->map);
}

/* g: its rows are cleared where they are off. */
static cop_status straighten(cop_graph **out, cop_graph *g, const cop_rectifiers *r, const bool *goes)
{
	folding f = {.g = g, .r = r, .goes = goes};

	COP_TRY(cop__copy_begin(out, g, &f.map));
	f.out = *out;
	cop_status st = (f.readers = cop__readers(g, &f.out->mem)) ? COP_OK : COP_NOMEM;
	for (int32_t i = 0; !st && i < r->n; i++) {
		cop_nid n = goes[i] ? layer_of(&f, &r->at[i]) : 0;
		if (n) st = clear_rows(g, n, &r->at[i]);
	}
	if (!st) st = rewrite(&f);
	return cop__pass_end(out, st);
}

/* How often, on other samples, a neuron is not as it always was. */
static int64_t flips(const cop_rectifiers *r, const cop_rectifiers *other, const bool *goes, int64_t *seen)
{
	int64_t n = 0;

	*seen = 0;
	for (int32_t i = 0; i < r->n; i++)
		for (int32_t c = 0; goes[i] && c < r->at[i].channels; c++) {
			*seen += other->at[i].seen;
			n += r->at[i].on[c] ? other->at[i].seen - other->at[i].on[c] : other->at[i].on[c];
		}
	return n;
}

static cop_status say_flips(const cop_graph *g, const cop_rectifiers *r, const bool *goes, cop_dataset *d, int threads)
{
	cop_rectifiers other;
	int64_t seen;

	cop_status st = cop__rectifiers(&other, g);
	if (!st) st = cop__states_count(&other, g, d, 0, threads);
	if (!st) {
		int64_t n = flips(r, &other, goes, &seen);
		cop__log(g->cx, COP_LOG_INFO, "fold: on '%s' a neuron of the layers that go is in another state %lld times of %lld", d->name, (long long)n, (long long)seen);
	}
	cop__rectifiers_free(&other);
	return st;
}

static int32_t choose(bool *goes, const cop_rectifiers *r, const cop_graph *g)
{
	int32_t n = 0;

	for (int32_t i = 0; i < r->n; i++) {
		goes[i] = cop__never_switches(&r->at[i]);
		n += goes[i];
		const char *name = r->at[i].weight ? g->value[r->at[i].weight].name : "a sum";
		cop__log(g->cx, COP_LOG_INFO, "fold: the rectifier of %s: %.4f bits%s", name, r->at[i].slide, goes[i] ? ", goes" : "");
	}
	return n;
}

static int32_t layers(const cop_graph *g)
{
	int32_t n = 0;

	for (cop_nid i = 1; i <= (cop_nid)g->n_node; i++) n += g->node[i].op == OP_conv || g->node[i].op == OP_fc;
	return n;
}

/* plain: the model with batch norm folded. */
static cop_status fold(cop_graph **out, cop_graph *plain, const fold_options *o, const cop_means *m, int threads)
{
	cop_rectifiers r;
	int32_t n = 0;

	*out = NULL;
	cop_status st = cop__rectifiers(&r, plain);
	bool *goes = st ? NULL : cop__arena_get(&r.mem, (size_t)r.n + 1);
	if (!st && !goes) st = COP_NOMEM;
	if (!st) st = cop__states_count(&r, plain, m->train, o->limit, threads);
	if (!st) n = choose(goes, &r, plain);
	if (!st && n && (m->test || m->valid)) st = say_flips(plain, &r, goes, m->test ? m->test : m->valid, threads);
	if (!st && n) st = straighten(out, plain, &r, goes);
	cop__rectifiers_free(&r);
	if (st || !n) return st;
	COP_TRY(cop__pass_then(out, cop__pass_known));
	cop_graph *merged;
	st = cop__pass_merge(&merged, *out, o->loose);
	cop_graph_free(*out);
	*out = merged;
	if (!st) cop__log(plain->cx, COP_LOG_INFO, "fold: %d of the rectifiers go, %d of %d layers", n, layers(plain) - layers(*out), layers(plain));
	return st;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const fold_options *o = (const void *)s->own.bytes;
	cop_train_args a = cop__stage_args(s, m);
	cop_graph *plain = NULL, *out = NULL;

	cop_status st = cop__pass_to_infer(&plain, *g);
	if (!st) st = cop__pass_then(&plain, cop__pass_fold_bn);
	if (!st) st = cop__carry_nothing(plain);
	if (!st) st = fold(&out, plain, o, m, a.threads);
	cop_graph_free(plain);
	if (st) return cop_graph_free(out), st;
	if (!out) return COP_OK; /* nothing goes: as it is */
	cop_graph_free(*g);
	*g = out;
	return s->training.epochs ? cop__train(*g, m->train, m->valid, &a, "fold", NULL, 0) : COP_OK;
}

const cop_stage_row cop_stage_fold = {
	.row = {"fold", "removes rectifiers that never switch, and makes one layer of those that are left side by side", "Liao et al. 2023, arXiv 2308.06619", options, sizeof(fold_options)},
	.terms = cop__terms_whole, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS, .run = run,
};
