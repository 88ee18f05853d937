/* SPDX-License-Identifier: Apache-2.0
 *
 * prefix - the first layers are not trained any more once what they put out has settled. After each epoch the network runs on a few samples; how far what
 * a layer puts out has moved since the epoch before, as a part of its length, says whether it still learns. Layers are frozen from the front on, each
 * only with all that come before it, and stay so. Those that are not trained anyway are frozen from the start. What that saves is in train/frozen.c.
 *
 * The network is cut where a single value goes on, and of those places between two layers with weights at the one where the value is smallest.
 */
#include "run/deploy.h"
#include "pass/pass.h"
#include "train/policy.h"

#include <math.h>

enum { MOST = 64 }; /* places to cut */
typedef struct options { float tol, cache; int32_t patience, samples; char last[128]; } options;
typedef struct place { int32_t node; int64_t each; char weight[COP_FOLLOWER]; } place; /* each: numbers that go on for a sample; weight: of the last layer before it */
typedef struct prefix {
	const options *o;
	cop_arena *mem;
	cop_graph *model;
	cop_dataset *d;
	place at[MOST];
	int32_t n, samples, idle; /* idle: places before which nothing is trained */
	float *seen;             /* what the places put out after the last epoch, one after the other; calm[MOST]; whether there is any */
	int64_t all;
	cop_handle of_seen;
} prefix;

static const cop_option table[] = {
	COP_OPT_REAL(options, tol, 0, 1000, "0.25", "what a layer puts out has settled where it moved by less than this part of its length in an epoch"),
	COP_OPT_WHOLE(options, patience, 1, 1000000, "2", "epochs in a row for which that has to be so"),
	COP_OPT_WHOLE(options, samples, 1, 100000, "64", "samples on which the network runs, the first of the data set"),
	COP_OPT_REAL(options, cache, 0, 1e6, "512", "megabytes that what frozen layers put out may take for all samples; where it takes more, or augmentation changes samples, they run each time"),
	COP_OPT_NAMES(options, last, "", "the weight of the last layer that may be frozen; without it, the last but one"),
	COP_OPT_END,
};

/* ---- places ---- */

static const char *weight_of(const cop_graph *g, cop_nid n)
{
	for (int i = 0; i < g->node[n].n_in; i++) {
		const cop_value *w = &g->value[g->node[n].in[i]];
		if ((w->role == COP_PARAM || (g->node[n].op == OP_qconv && i == 1)) && w->type.rank > 1) return w->name;
	}
	return NULL;
}

static bool fits(const cop_graph *g, cop_nid n)
{
	const cop_type *t = cop__outt(g, n, 0);
	return t->dtype == COP_F32 && t->rank > 1 && t->dim[0] == cop__t(g, g->input[0])->dim[0] && cop__can_cut(g, g->node[n].out[0]);
}

static void find_places(prefix *u, const cop_graph *g)
{
	const char *weight = NULL;
	place best = {0};

	u->n = 0;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node && u->n < MOST; n++) {
		const char *next = weight_of(g, n);
		if (next && best.node) u->at[u->n++] = best; /* what lies behind the last layer is no place */
		if (next && best.node && *u->o->last && cop__match(u->o->last, best.weight)) return;
		if (next) weight = next, best.node = 0;
		const int64_t each = weight && fits(g, n) ? cop_type_count(cop__outt(g, n, 0)) / cop__outt(g, n, 0)->dim[0] : 0;
		if (!each || (best.node && each > best.each)) continue;
		best = (place){.node = (int32_t)n, .each = each};
		cop__format(best.weight, sizeof best.weight, "%s", weight);
	}
}

static cop_status begin(void *ud, cop_graph *g, cop_dataset *d)
{
	prefix *u = ud;

	u->model = g, u->d = d;
	u->samples = COP_MIN(u->o->samples, d->count);
	if (!d->classes && !d->targets) return cop__error(g->cx, COP_ARG, "prefix: a network that learns to give its samples back needs them, so its first layers can't run apart");
	if (g->n_input != 1 || g->value[g->input[0]].lead > 1) return cop__error(g->cx, COP_ARG, "prefix: '%s' must have one input, and its samples along the first axis", g->name);
	if (cop__t(g, g->input[0])->dtype != COP_F32) return cop__error(g->cx, COP_ARG, "prefix: '%s' takes bytes; train the network with floats at its ends", g->name);
	find_places(u, g);
	if (!u->n) return cop__error(g->cx, COP_ARG, "prefix: '%s' has no place between two layers where a single value of floats goes on", g->name);
	if (*u->o->last && !cop__match(u->o->last, u->at[u->n - 1].weight))
		return cop__error(g->cx, COP_ARG, "prefix: last=%s fits no layer behind which '%s' can be cut; the last such layer is '%s'", u->o->last, g->name, u->at[u->n - 1].weight);
	u->all = 0;
	for (int i = 0; i < u->n; i++) u->all += u->at[i].each * u->samples;
	if (u->all + MOST + 1 > INT32_MAX) return cop__error(g->cx, COP_ARG, "prefix: what the layers put out for %d samples is too much; take fewer, with samples=", u->samples);
	u->seen = cop__arena_get(u->mem, sizeof *u->seen * (size_t)(u->all + MOST + 1));
	if (!u->seen) return COP_NOMEM;
	memset(u->seen, 0, sizeof *u->seen * (size_t)(u->all + MOST + 1));
	return COP_OK;
}

/* Is anything of the nodes up to this one trained? */
static bool trained(const cop_build *b, const cop_graph *g, int32_t to)
{
	for (cop_nid n = 1; n <= (cop_nid)to; n++)
		for (int i = 0; i < g->node[n].n_in; i++) {
			const cop_value *w = &g->value[g->node[n].in[i]];
			if (w->role == COP_PARAM && cop__build_trains(b, w->name)) return true;
		}
	return false;
}

/* A state, so that a run that is resumed goes on with it. */
static cop_status build(void *ud, cop_build *b)
{
	prefix *u = ud;
	const cop_type t = cop__type(COP_F32, 1, DIMS((int32_t)u->all + MOST + 1));

	for (u->idle = 0; u->idle < u->n && !trained(b, u->model, u->at[u->idle].node);) u->idle++;
	return (u->of_seen = cop__build_state(b, "prefix.seen", &t, u->seen, NULL)) ? COP_OK : COP_NOMEM;
}

static void freeze(const prefix *u, const cop_progress *p, int front)
{
	*p->frozen = (cop_frozen){u->at[front - 1].node, (int64_t)((double)u->o->cache * 1048576)};
}

static cop_status start(void *ud, const cop_progress *p, cop_graph *model)
{
	const prefix *u = ud;

	if (!u->idle) return COP_OK;
	freeze(u, p, u->idle);
	cop__log(model->cx, COP_LOG_INFO, "prefix: nothing up to '%s' is trained", u->at[u->idle - 1].weight);
	return COP_OK;
}

/* ---- how far they have moved ---- */

static cop_status run(const prefix *u, const cop_deployed *dep, float *to)
{
	const int64_t each = cop_type_count(&u->d->x);
	cop_tensor in, out;
	int32_t label;

	COP_TRY(cop_session_io(dep->host.s, 0, 0, false, &in));
	for (int32_t i = 0; i < u->samples; i++) COP_TRY(u->d->get(u->d->ud, i, (float *)in.data + i * each, &label));
	COP_TRY(cop_session_run(dep->host.s, 0));
	for (int i = 0; i < u->n; i++) {
		COP_TRY(cop_session_io(dep->host.s, 0, i, true, &out));
		memcpy(to, out.data, cop_type_bytes(&out.type));
		to += cop_type_count(&out.type);
	}
	return COP_OK;
}

static cop_status look(const prefix *u, float *to)
{
	cop_deployed dep = {0};
	cop_vid v[MOST];
	cop_graph *front;

	for (int i = 0; i < u->n; i++) v[i] = u->model->node[u->at[i].node].out[0];
	COP_TRY(cop__cut_front(&front, u->model, v, u->n));
	cop_status st = cop__deploy(&dep, front, &(cop_deploy_args){.batch = u->samples, .each = cop_type_count(&u->d->x), .threads = 1});
	if (!st && dep.batch != u->samples) st = cop__error(u->model->cx, COP_ARG, "prefix: '%s' can't run %d samples at once", u->model->name, u->samples);
	if (!st) st = run(u, &dep, to);
	cop__deploy_free(&dep);
	cop_graph_free(front);
	return st;
}

static double moved(const float *now, const float *was, int64_t n)
{
	double d = 0, all = 0;

	for (int64_t k = 0; k < n; k++) {
		const double x = (double)now[k], y = (double)was[k];
		d += (x - y) * (x - y), all += y * y;
	}
	return all > 0 ? sqrt(d / all) : INFINITY;
}

/* Counts the epochs for which each place has settled; returns up to which, from the front on, it has for long enough. */
static int settled(const prefix *u, const float *now, float *seen)
{
	float *calm = seen + u->all;
	int front = 0;

	for (int i = 0; i < u->n; i++) {
		const int64_t n = u->at[i].each * u->samples;
		const double by = calm[MOST] > 0 ? moved(now, seen, n) : INFINITY;
		cop__log(u->model->cx, COP_LOG_INFO, "prefix: what '%s' puts out moved by %.4f of its length", u->at[i].weight, by);
		calm[i] = by < (double)u->o->tol ? calm[i] + 1 : 0;
		if (front == i && calm[i] >= (float)u->o->patience) front++;
		now += n, seen += n;
	}
	return front;
}

static cop_status epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	prefix *u = ud;
	cop_tensor t;

	if (p->epoch + 1 >= p->epochs || p->frozen->to == u->at[u->n - 1].node) return COP_OK;
	COP_TRY(cop__trainer_tensor(p->t, u->of_seen, &t));
	float *now = cop__alloc(u->model->cx, sizeof *now * (size_t)u->all);
	cop_status st = now ? look(u, now) : COP_NOMEM;
	if (!st) {
		float *seen = t.data;
		const int front = settled(u, now, seen);
		memcpy(seen, now, sizeof *now * (size_t)u->all);
		seen[u->all + MOST] = 1;
		memcpy(u->seen, seen, sizeof *seen * (size_t)(u->all + MOST + 1));
		if (front && u->at[front - 1].node > p->frozen->to) {
			freeze(u, p, front);
			*v = COP_REPLAN;
			cop__log(u->model->cx, COP_LOG_INFO, "prefix: after epoch %d nothing up to '%s' is trained", p->epoch + 1, u->at[front - 1].weight);
		}
	}
	cop__free(u->model->cx, now);
	return st;
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	prefix *u = cop__arena_get(mem, sizeof *u);

	if (!u) return COP_NOMEM;
	*u = (prefix){.o = o, .mem = mem};
	*out = (cop_policy){.name = "prefix", .ud = u, .apart = true, .begin = begin, .build = build, .start = start, .epoch = epoch};
	return COP_OK;
}

const cop_policy_row cop_policy_prefix = {
	.row = {"prefix", "the first layers are not trained any more once they have settled, and need not run again", "Wang et al. 2023, Egeria, EuroSys; Liu et al. 2021, arXiv 2102.01386", table, sizeof(options)},
	.make = make};
