/* SPDX-License-Identifier: Apache-2.0
 *
 * fold - the stage: rectifiers that switch for no sample of the training set leave the network, and layers that stand side by side then become one.
 * Neurons that are always off become zeros first. On data that was not seen a neuron may still switch; how often is counted on the test set.
 */
#include "compress/depth/depth.h"
#include "pass/pass.h"

typedef struct fold_options { int32_t limit; bool loose; } fold_options;
static const cop_option options[] = {
	COP_OPT_WHOLE(fold_options, limit, 0, 100000000, "0", "samples on which states are counted; 0: all"),
	COP_OPT_FLAG(fold_options, loose, "no", "merge also where the border of a result changes; then train on, with epochs"),
	COP_OPT_END,
};

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
	if (!st) st = cop__straighten(out, plain, &r, goes);
	cop__rectifiers_free(&r);
	if (st) return st;
	COP_TRY(cop__pass_then(out, cop__pass_known));
	cop_graph *merged;
	st = cop__pass_merge(&merged, *out, o->loose);
	cop_graph_free(*out);
	*out = merged;
	if (!st && !n && layers(*out) == layers(plain)) { /* nothing goes: the network stays as it is */
		cop_graph_free(*out);
		*out = NULL;
		return COP_OK;
	}
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
	if (!out) return COP_OK;
	cop_graph_free(*g);
	*g = out;
	return s->training.epochs ? cop__train(*g, m->train, m->valid, &a, "fold", NULL, 0) : COP_OK;
}

const cop_stage_row cop_stage_fold = {
	.row = {"fold", "removes rectifiers that never switch, and makes one layer of those that are left side by side", "Liao et al. 2023, arXiv 2308.06619", options, sizeof(fold_options)},
	.terms = cop__terms_whole, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED, .run = run,
};
