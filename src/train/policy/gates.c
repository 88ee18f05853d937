/* SPDX-License-Identifier: Apache-2.0
 *
 * gates - blocks of a residual network that are left out of a step, forward and backward, as a small recurrent network says: the second part of E2-Train. Behind each block
 * a gate looks at the mean of its channels: a layer of ten numbers, one LSTM that all gates share and whose state goes from gate to gate, and the
 * probability p that the next block runs. It runs where p is above a number drawn for the step; all samples of a batch share it, so that what is left out costs
 * no time. A block that runs is multiplied with 1 / p + p - p, of which all but the middle p has no gradient: so p learns from what the block did to the loss
 * (straight through). Work has a price, `strength` times the part of the work that p asks for; it turns into a bonus while less than
 * `least` is done.
 *
 * The network that is trained is the one that is asked for, without gates: it runs all of its blocks. So a block that runs in one step of two counts twice then, as
 * in stochastic depth (Huang et al. 2016, arXiv 1603.09382, section 3, which halves it afterwards), and behind `until` all blocks run.
 */
#include "op/axes.h"
#include "train/policy.h"

#include <math.h>
#include <stdio.h>

enum { MOST = 128, SMALL = 10 };
static const float RARE = 0.1f; /* a block that runs less often than this counts as if it ran as often */
typedef struct options { float strength, least, first, until; bool learn; int32_t seed; } options;
typedef struct gates {
	const options *o;
	int n;
	float work[MOST];                    /* of each block, as a part of all that can be left out */
	double share;                        /* that, as a part of the work of the network */
	char weight[MOST][COP_FOLLOWER];
	cop_vid wx, wh, b, wp, bp, h, c, live; /* of the graph that is being made; live: 1 while blocks are left out */
	float seen[2 * MOST + 2];            /* steps in which each block ran; steps; the running mean of the work done, and whether there is one */
	cop_handle of_seen;
	cop_handle open[MOST], draw[MOST], sign, of_live;
} gates;

static const cop_option table[] = {
	COP_OPT_REAL(options, strength, 0, 1e6, "0.1", "the price of all work that can be left out, in units of the loss"),
	COP_OPT_REAL(options, least, 0, 1, "0.5", "the part of that work below which the price is a bonus"),
	COP_OPT_REAL(options, first, 0.01, 0.99, "0.9", "the probability with which each block runs at first"),
	COP_OPT_REAL(options, until, 0, 1, "0.75", "the part of the training that leaves blocks out"),
	COP_OPT_FLAG(options, learn, "yes", "whether gates learn from what their blocks do to the loss; no, with strength=0: blocks run by chance, to compare with"),
	COP_OPT_WHOLE(options, seed, 0, 2147483647, "1", "of the numbers that are drawn"),
	COP_OPT_END,
};

/* ---- blocks ---- */

/* Multiplications of layers, f32 or not. */
static double work_of(const cop_graph *g, cop_nid n, const char **weight)
{
	double all = 0;

	for (int i = 0; i < g->node[n].n_in; i++) {
		const cop_value *w = &g->value[g->node[n].in[i]];
		if (w->role == COP_PARAM && w->type.rank > 1) all += (double)cop_type_count(cop__outt(g, n, 0)) * (double)cop_type_count(&w->type) / w->type.dim[0], *weight = w->name;
	}
	return all;
}

/* Back from v through nodes of one input that is computed, to where another node reads the value, too; *work: multiplications on the way. */
static cop_vid back(const cop_graph *g, const int32_t *readers, cop_vid v, double *work, const char **weight)
{
	*work = 0;
	while (g->value[v].producer && readers[v] == 1) {
		const cop_node *d = &g->node[g->value[v].producer];
		cop_vid from = 0;
		*work += work_of(g, g->value[v].producer, weight);
		for (int i = 0; i < d->n_in; i++) {
			if (g->value[d->in[i]].role >= COP_CONST) continue;
			if (from) return v; /* two branches meet */
			from = d->in[i];
		}
		if (!from) return v;
		v = from;
	}
	return v;
}

/* Of a sum the operand with more work behind it; the first such block always runs. */
static cop_status find_blocks(gates *u, cop_build *b, cop_decide *decide)
{
	const cop_graph *g = cop__build_model(b);
	cop_arena mem;
	const char *name;
	double all = 0, whole = 0;
	int blocks = 0;

	cop__arena_init(&mem, g->cx);
	const int32_t *readers = cop__readers(g, &mem);
	u->n = 0;
	for (cop_nid n = 1; readers && n <= (cop_nid)g->n_node && u->n < MOST; n++) {
		double work[2] = {0};
		whole += work_of(g, n, &name);
		const char *weight[2] = {NULL};
		if (g->node[n].op != OP_add || !cop__in(g, n, 0)->rank || !cop__same_shape(cop__in(g, n, 0), cop__in(g, n, 1))) continue;
		const cop_vid from[2] = {back(g, readers, g->node[n].in[0], &work[0], &weight[0]), back(g, readers, g->node[n].in[1], &work[1], &weight[1])};
		const int k = work[1] > work[0];
		if (!(work[k] > 0) || from[0] != from[1] || cop__t(g, from[k])->rank < 2 || !blocks++) continue;
		if (!cop__build_decided(b, g->node[n].in[k], from[k], decide, u)) return cop__arena_free(&mem), cop__failed(g->cx);
		cop__format(u->weight[u->n], sizeof u->weight[u->n], "%s", weight[k]);
		all += work[k];
		u->work[u->n++] = (float)work[k];
	}
	cop__arena_free(&mem);
	for (int i = 0; i < u->n; i++) u->work[i] /= (float)all;
	u->share = whole > 0 ? all / whole : 0;
	return u->n ? COP_OK : cop__error(g->cx, COP_ARG, "gates: '%s' has no two residual blocks", g->name);
}

/* ---- the small network ---- */

static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};

static cop_vid vector(cop_graph *g, const char *what, int32_t n) { return cop__beside(g, what, &(cop_type){.dtype = COP_F32, .rank = 1, .dim = {n}}, 0); }
static cop_vid matrix(cop_graph *g, const char *what, int32_t rows, int32_t cols)
{
	const cop_type t = cop__type(COP_F32, 2, DIMS(rows, cols));
	return cop__beside(g, what, &t, cols);
}

static cop_vid two(cop_graph *g, int op, cop_vid a, cop_vid b) { return a && b ? cop__apply(g, op, &none, VIDS(a, b)) : 0; }
static cop_vid one(cop_graph *g, int op, const void *attr, cop_vid a) { return a ? cop__apply(g, op, attr, VIDS(a)) : 0; }
static cop_vid layer(cop_graph *g, cop_vid x, cop_vid w, cop_vid b) { return x && w && b ? cop__apply(g, OP_fc, &none, VIDS(x, w, b)) : 0; }

static cop_vid state(cop_graph *g, const char *stem, int32_t k, float value)
{
	const cop_type t = cop__type(COP_F32, 1, DIMS(1));
	char name[32];

	snprintf(name, sizeof name, "gates.%s%d", stem, k);
	return cop__data(g, COP_STATE, name, &t, &value);
}

static bool begin(gates *u, cop_graph *g)
{
	const cop_type t = cop__type(COP_F32, 2, DIMS(1, SMALL));

	u->wx = matrix(g, "gates.x", 4 * SMALL, SMALL), u->wh = matrix(g, "gates.h", 4 * SMALL, SMALL), u->b = vector(g, "gates.b", 4 * SMALL);
	u->wp = matrix(g, "gates.p", 1, SMALL), u->bp = vector(g, "gates.p.b", 1);
	u->live = state(g, "live", 0, 1);
	u->h = cop__data(g, COP_CONST, "gates.h0", &t, NULL), u->c = cop__data(g, COP_CONST, "gates.c0", &t, NULL);
	if (!u->wx || !u->wh || !u->b || !u->wp || !u->bp || !u->h || !u->c || !u->live) return false;
	float *bp = cop__own(g, u->bp);
	if (bp) *bp = logf(u->o->first / (1 - u->o->first));
	return bp;
}

/* Ten of the forty numbers z, from `at` on, through a function. */
static cop_vid part(cop_graph *g, cop_vid z, int32_t at, int op)
{
	const cop_slice_attr a = {.from = {0, at * SMALL}, .size = {1, SMALL}, .step = {1, 1}};
	return one(g, op, NULL, one(g, OP_slice, &a, z));
}

/* One step of the LSTM: h and c go on. */
static cop_vid remember(gates *u, cop_graph *g, cop_vid e)
{
	const cop_vid z = two(g, OP_add, layer(g, e, u->wx, u->b), u->h && u->wh ? cop__apply(g, OP_fc, &none, VIDS(u->h, u->wh)) : 0);

	u->c = two(g, OP_add, two(g, OP_mul, part(g, z, 1, OP_sigmoid), u->c), two(g, OP_mul, part(g, z, 0, OP_sigmoid), part(g, z, 2, OP_tanh)));
	return u->h = two(g, OP_mul, part(g, z, 3, OP_sigmoid), one(g, OP_tanh, NULL, u->c));
}

/* The mean of each channel over all samples and positions, as a row; the gate learns from it, and not it from the gate. */
static cop_vid means(cop_graph *g, cop_vid x)
{
	const int32_t rank = cop__t(g, x)->rank, channels = cop__t(g, x)->dim[rank - 1];
	const cop_vid m = one(g, OP_reduce, &(cop_reduce_attr){REDUCE_MEAN, (1 << (rank - 1)) - 1, 0}, cop__still(g, x));

	return one(g, OP_reshape, &(cop_shape_attr){2, {1, channels}}, m);
}

/* 1, and while blocks are left out 1 / p; for the gradient p. */
static cop_vid counts(const gates *u, cop_graph *g, cop_vid p)
{
	const cop_vid fixed = cop__still(g, p), often = one(g, OP_clip, &(cop_act_attr){RARE, 1}, fixed), full = cop__scalar(g, "gates.one", 1);
	const cop_vid more = two(g, OP_mul, u->live, two(g, OP_sub, two(g, OP_div, full, often), full));

	return two(g, OP_add, two(g, OP_add, full, more), two(g, OP_sub, u->o->learn ? p : fixed, fixed));
}

static cop_vid decide(void *ud, cop_graph *g, int32_t k, cop_vid from, cop_vid *times)
{
	gates *u = ud;
	char name[32];

	if (!k && !begin(u, g)) return 0;
	const cop_vid x = means(g, from), we = x ? matrix(g, "gates.e", SMALL, cop__t(g, x)->dim[1]) : 0;
	const cop_vid h = remember(u, g, layer(g, x, we, vector(g, "gates.e.b", SMALL)));
	const cop_vid p = one(g, OP_reshape, &(cop_shape_attr){1, {1}}, one(g, OP_sigmoid, NULL, layer(g, h, u->wp, u->bp))), draw = state(g, "draw", k, 0), seen = state(g, "open", k, 1);
	const cop_vid runs = one(g, OP_clip, &(cop_act_attr){0, 1}, one(g, OP_map, &(cop_map_attr){MAP_SIGN, 0, 0}, two(g, OP_sub, p, draw)));
	if (!runs || !seen || !cop__apply(g, OP_assign, NULL, VIDS(seen, runs))) return 0;
	snprintf(name, sizeof name, "gates.p%d", k);
	cop__name(g, p, name);
	*times = counts(u, g, p);
	return *times ? one(g, OP_cast, &(cop_cast_attr){COP_I32}, runs) : 0;
}

/* ---- the price ---- */

typedef struct price { float strength; int32_t n; float work[MOST]; } price;

static cop_vid build_price(cop_graph *g, const void *o, cop_vid y, cop_vid target)
{
	const price *c = o;
	char name[32];
	cop_vid sum = 0;

	(void)y, (void)target;
	for (int i = 0; i < c->n; i++) {
		snprintf(name, sizeof name, "gates.p%d", i);
		const cop_vid p = cop__find(g, name);
		snprintf(name, sizeof name, "gates.work%d", i);
		const cop_vid v = two(g, OP_mul, p, cop__scalar(g, name, c->strength * c->work[i]));
		sum = sum ? two(g, OP_add, sum, v) : v;
	}
	return two(g, OP_mul, sum, state(g, "sign", 0, 1));
}

static const cop_loss price_of_work = {.row = {"gates", "the price of the work that gates ask for", NULL, NULL, sizeof(price)}, .build = build_price};

static cop_status build(void *ud, cop_build *b)
{
	gates *u = ud;
	const cop_type t = cop__type(COP_F32, 1, DIMS(LEN(u->seen)));
	char name[32];

	COP_TRY(find_blocks(u, b, decide));
	price c = {.strength = u->o->strength, .n = u->n};
	memcpy(c.work, u->work, sizeof c.work);
	for (int i = 0; i < u->n; i++) {
		snprintf(name, sizeof name, "gates.open%d", i);
		u->open[i] = cop__build_value(b, name);
		snprintf(name, sizeof name, "gates.draw%d", i);
		u->draw[i] = cop__build_value(b, name);
		if (!u->open[i] || !u->draw[i]) return COP_NOMEM;
	}
	u->sign = cop__build_value(b, "gates.sign0");
	u->of_live = cop__build_value(b, "gates.live0");
	u->of_seen = cop__build_state(b, "gates.seen", &t, u->seen, NULL);
	const cop_handle p = cop__build_value(b, "gates.p0");
	if (!u->sign || !u->of_live || !u->of_seen || !p) return COP_NOMEM;
	return cop__build_term(b, &(cop_term){.loss = &price_of_work, .options = &c, .weight = 1, .y = p, .target = p, .beside = true});
}

/* ---- steps ---- */

enum { STEPS = MOST, MEAN, KNOWN };

static float *number(const cop_progress *p, cop_handle h)
{
	cop_tensor t;
	return cop__trainer_tensor(p->t, h, &t) ? NULL : t.data;
}

static cop_status before(void *ud, const cop_progress *p)
{
	gates *u = ud;
	const bool all = (double)p->step >= (double)u->o->until * (double)p->steps;
	float *sign = number(p, u->sign), *seen = number(p, u->of_seen), *live = number(p, u->of_live);

	if (!sign || !seen || !live) return COP_ARG;
	*live = all ? 0 : 1;
	for (int i = 0; i < u->n; i++) {
		float *draw = number(p, u->draw[i]);
		if (!draw) return COP_ARG;
		*draw = all ? -1 : cop__rand_unit((uint64_t)u->o->seed, cop__hash_text("gates") + (uint32_t)i, (uint64_t)p->step);
	}
	*sign = seen[KNOWN] > 0 && seen[MEAN] <= u->o->least ? -1.0f : 1.0f;
	return COP_OK;
}

static cop_status after(void *ud, const cop_progress *p, cop_verdict *v)
{
	gates *u = ud;
	float *seen = number(p, u->of_seen), done = 0;

	(void)v;
	for (int i = 0; seen && i < u->n; i++) {
		const float *open = number(p, u->open[i]);
		if (!open) return COP_ARG;
		seen[i] += *open;
		done += *open * u->work[i];
	}
	if (!seen) return COP_ARG;
	seen[STEPS]++;
	seen[MEAN] = seen[KNOWN] > 0 ? seen[MEAN] + 0.1f * (done - seen[MEAN]) : u->o->first;
	seen[KNOWN] = 1;
	memcpy(u->seen, seen, sizeof u->seen);
	return COP_OK;
}

static cop_status epoch(void *ud, const cop_progress *p, cop_verdict *v)
{
	const gates *u = ud;
	const float *seen = number(p, u->of_seen);
	const cop_graph *g = cop__trainer_graph(p->t);
	double work = 0;

	(void)v;
	if (!seen) return COP_ARG;
	for (int i = 0; i < u->n; i++) {
		const double part = (double)seen[i] / COP_MAX((double)seen[STEPS], 1.0);
		work += part * (double)u->work[i];
		cop__log(g->cx, COP_LOG_INFO, "gates: the block of '%s' ran in %.1f %% of the steps so far", u->weight[i], 100 * part);
	}
	cop__log(g->cx, COP_LOG_INFO, "gates: %.2f %% of the work that can be left out was done, %.2f %% of all", 100 * work, 100 * (1 - u->share * (1 - work)));
	return COP_OK;
}

static cop_status make(cop_policy *out, cop_arena *mem, const void *o)
{
	gates *u = cop__arena_get(mem, sizeof *u);

	if (!u) return COP_NOMEM;
	*u = (gates){.o = o};
	*out = (cop_policy){.name = "gates", .ud = u, .build = build, .before = before, .after = after, .epoch = epoch};
	return COP_OK;
}

const cop_policy_row cop_policy_gates = {
	.row = {"gates", "blocks of a residual network are left out of a step, as a small recurrent network says", "E2-Train: Wang et al. 2019, arXiv 1910.13349", table, sizeof(options)}, .make = make};
