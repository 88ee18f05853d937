/* SPDX-License-Identifier: Apache-2.0
 *
 * average - see policy/average.h.
 */
#include "op/op.h"
#include "train/policy/average.h"

static bool changes(const cop_graph *g, int32_t v, bool means)
{
	const cop_value *x = &g->value[v];
	bool read = false;

	if (x->type.dtype != COP_F32 || x->type.enc != COP_DENSE) return false;
	if (x->role == COP_PARAM) return true;
	for (int32_t n = 1; means && x->role == COP_STATE && n <= g->n_node; n++) /* a running mean or variance */
		for (int i = 0; i < g->node[n].n_in; i++) read |= g->node[n].op == OP_bn && g->node[n].in[i] == (cop_vid)v;
	return read;
}

static cop_status build(void *ud, cop_build *b)
{
	cop_averages *a = ud;
	const cop_graph *g = cop__build_model(b);
	char name[COP_FOLLOWER];

	a->n = 0;
	if (!(a->at = cop__arena_get(a->mem, sizeof *a->at * (size_t)(g->n_value + 1)))) return COP_NOMEM;
	for (int32_t v = 1; v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->role == COP_PARAM && cop__is_whole(&x->type) && cop__build_trains(b, x->name))
			return cop__error(a->mem->cx, COP_ARG, "%s: averages are of floats, and '%s', which is trained, holds integers", a->what, x->name);
		if (!changes(g, v, a->means)) continue;
		COP_TRY(cop__follower_name(name, a->mem->cx, x->name, a->what));
		cop_average one = {cop__arena_str(a->mem, x->name, strlen(x->name)), cop__build_value(b, x->name), cop__build_state(b, name, &x->type, x->data, x->name)};
		if (!one.name || !one.w || !one.mean) return COP_NOMEM;
		a->at[a->n++] = one;
	}
	return COP_OK;
}

cop_status cop__averages_make(cop_policy *out, cop_arena *mem, const void *o, const char *what, bool means)
{
	cop_averages *a = cop__arena_get(mem, sizeof *a);

	if (!a) return COP_NOMEM;
	*a = (cop_averages){.o = o, .mem = mem, .what = what, .means = means};
	*out = (cop_policy){.name = what, .ud = a, .build = build};
	return COP_OK;
}

/* Both tensors of one; false where the weight is computed: then there is nothing to average. */
static bool pair(const cop_average *a, const cop_trainer *t, float **w, float **mean, int64_t *n)
{
	const cop_graph *g = cop__trainer_graph(t);
	cop_vid v = cop__find(g, a->name);
	cop_tensor x, m;

	if (!v || g->value[v].producer || cop__trainer_tensor(t, a->w, &x) || cop__trainer_tensor(t, a->mean, &m)) return false;
	*w = x.data;
	*mean = m.data;
	*n = cop_type_count(&x.type);
	return true;
}

cop_status cop__averages_move(const cop_averages *a, const cop_trainer *t, float part)
{
	float *w, *mean;
	int64_t n;

	for (int32_t i = 0; i < a->n; i++)
		for (int64_t j = 0; pair(&a->at[i], t, &w, &mean, &n) && j < n;)
			for (; j < n; j++) mean[j] += part * (w[j] - mean[j]);
	return COP_OK;
}

cop_status cop__averages_back(const cop_averages *a, const cop_trainer *t)
{
	float *w, *mean;
	int64_t n;

	for (int32_t i = 0; i < a->n; i++)
		if (pair(&a->at[i], t, &w, &mean, &n)) memcpy(w, mean, sizeof *w * (size_t)n);
	return COP_OK;
}

cop_status cop__averages_bake(void *ud, const cop_progress *p, cop_graph *model)
{
	const cop_averages *a = ud;
	float *w, *mean;
	int64_t n;

	for (int32_t i = 0; i < a->n; i++) {
		cop_vid v = cop__find(model, a->at[i].name);
		if (!v || !pair(&a->at[i], p->t, &w, &mean, &n) || cop_type_count(cop__t(model, v)) != n) continue;
		float *own = cop__own(model, v);
		if (!own) return COP_NOMEM;
		memcpy(own, mean, sizeof *own * (size_t)n);
	}
	return COP_OK;
}
