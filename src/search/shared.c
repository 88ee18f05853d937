/* SPDX-License-Identifier: Apache-2.0
 *
 * shared - weights that all networks of a space share: those of its largest one. Each step trains four networks on the
 * same batch (the sandwich rule: Yu and Huang 2019, arXiv 1903.05134): the smallest, two drawn by chance, and the
 * largest, which the loop trains itself. Here they are updated one after the other, each with its slice of the weights
 * and of what the rule of updates keeps. The drawn ones stay for some steps, since a plan for training takes as long as
 * a step.
 */
#include "search/search.h"

#include "pass/batch.h"
#include "run/deploy.h"
#include "train/policy.h"

enum { SMALL = 3, HELD = 8 /* steps */, PATHS = 0x9a75, RENORM = 256 /* samples */, RENORMED = 0x4e04 };

typedef struct pair {
	cop_tensor small, big;
	bool back;
} pair;
typedef struct part {
	cop_trainer *t;
	pair *p;
	int32_t n;
} part;
typedef struct sandwich {
	const cop_searcher *z;
	part part[SMALL];
	int64_t block;
} sandwich;

static void close_part(const sandwich *s, part *p)
{
	cop_trainer_free(p->t);
	cop__free(s->z->cx, p->p);
	*p = (part){0};
}

static bool ends(const char *name, const char *with)
{
	const size_t n = strlen(name), k = strlen(with);
	return n >= k && !strcmp(name + n - k, with);
}

/* What both trainers keep under one name. Running means of a small network are none of the largest one's. */
static cop_status find_pairs(part *p, const sandwich *s, cop_trainer *big)
{
	const cop_graph *g = cop__trainer_graph(p->t), *of = cop__trainer_graph(big);

	if (!(p->p = cop__alloc(s->z->cx, sizeof *p->p * (size_t)(g->n_value + 1)))) return COP_NOMEM;
	for (cop_vid v = 1; v <= (cop_vid)g->n_value; v++) {
		const cop_value *x = cop__v(g, v);
		const cop_vid from = x->role == COP_PARAM || x->role == COP_STATE ? cop__find(of, x->name) : 0;
		pair *q = &p->p[p->n];
		if (!from || x->type.dtype == COP_I8 || x->type.rank != cop__t(of, from)->rank || !x->type.rank)
			continue;
		COP_TRY(cop__trainer_named(p->t, x->name, &q->small));
		COP_TRY(cop__trainer_named(big, x->name, &q->big));
		q->back = !ends(x->name, ".bn.mean") && !ends(x->name, ".bn.var");
		p->n++;
	}
	return COP_OK;
}

static bool soft_target(cop_trainer *t)
{
	cop_tensor y;
	return !cop_trainer_input(t, cop__trainer_graph(t)->n_input - 1, &y) && y.type.dtype == COP_F32;
}

static cop_status open_part(part *p, const sandwich *s, const cop_design *d, cop_trainer *big)
{
	const cop_searcher *z = s->z;
	cop_graph *g;
	cop_build *b = NULL;

	COP_TRY(cop__design_graph(&g, z, d));
	cop_status st = cop__slice_graph(g, cop__build_model(cop__trainer_build(big)));
	if (!st) st = cop__build_new(&b, g, z->a->batch, cop_type_count(&z->train->x));
	cop_graph_free(g);
	if (!st && (st = cop__build_training(b, z->a, true, soft_target(big)))) cop__build_free(b);
	if (!st) st = cop__trainer_new(&p->t, b, z->a->threads, false);
	return st ? st : find_pairs(p, s, big);
}

static cop_status open_parts(sandwich *s, int64_t block, cop_trainer *big)
{
	cop_design d = s->z->of;

	for (int i = 0; i < SMALL; i++) {
		if (i == 0 && s->part[i].t) continue;
		close_part(s, &s->part[i]);
		if (i) cop__design_draw(&d, s->z->a->seed, PATHS, (uint64_t)block * SMALL + (uint64_t)i);
		else cop__design_end(&d, false);
		COP_TRY(open_part(&s->part[i], s, &d, big));
	}
	s->block = block;
	return COP_OK;
}

static cop_status step(const part *p, cop_trainer *big)
{
	const int32_t inputs = cop__trainer_graph(p->t)->n_input;
	cop_tensor to, from;

	for (int32_t i = 0; i < inputs; i++) {
		COP_TRY(cop_trainer_input(p->t, i, &to));
		COP_TRY(cop_trainer_input(big, i, &from));
		memcpy(to.data, from.data, cop_type_bytes(&to.type));
	}
	for (int32_t i = 0; i < p->n; i++) cop__slice(&p->p[i].small, &p->p[i].big, true);
	COP_TRY(cop__trainer_run(p->t));
	for (int32_t i = 0; i < p->n; i++)
		if (p->p[i].back) cop__slice(&p->p[i].small, &p->p[i].big, false);
	return COP_OK;
}

/* The batch is in its place, and the rate is set: in the largest, of which the small ones have both. */
static cop_status before(void *ud, const cop_progress *p)
{
	sandwich *s = ud;

	if (s->block != p->step / HELD) COP_TRY(open_parts(s, p->step / HELD, p->t));
	for (int i = 0; i < SMALL; i++) COP_TRY(step(&s->part[i], p->t));
	return COP_OK;
}

static cop_status identity(void *ud, cop_text *t)
{
	const sandwich *s = ud;

	cop__text_add(
	        t, "shared by\t%s %d %d\n", cop__space(s->z->of.space)->row.name, s->z->of.scale, s->z->of.shrink);
	return t->status;
}

cop_status cop__shared_train(cop_searcher *z)
{
	char path[1024];
	cop_train_args a = cop__search_training(z, 0, path);
	cop_design d = z->of;
	sandwich s = {.z = z, .block = -1};
	const cop_policy policy = {.name = "shared", .ud = &s, .before = before, .identity = identity};

	a.epochs = z->s->epochs;
	a.keep = COP_KEEP_LAST;
	cop__design_end(&d, true);
	COP_TRY(cop__design_graph(&z->shared, z, &d));
	cop_status st = cop__train(z->shared, z->train, NULL, &a, "shared", &policy, 1);
	for (int i = 0; i < SMALL; i++) close_part(&s, &s.part[i]);
	return st ? st : cop__carry_nothing(z->shared);
}

/* ---- batch norm ---- */

/* Samples side by side, as the first input of a graph for so many. */
static cop_status fill(cop_session *s, const cop_searcher *z, const cop_graph *model, const cop_graph *g, int32_t batch)
{
	cop_dataset *d, *made;
	cop_tensor x;
	int32_t label;
	cop_parts p;

	COP_TRY(cop__fit_for(&d, &made, model, z->train));
	cop_status st = cop_session_io(s, 0, 0, false, &x);
	cop__parts_of(&p, g, g->input[0], batch);
	if (!st && p.lead != 1)
		st = cop__error(z->cx, COP_SHAPE, "search: samples of '%s' do not lie one after the other", g->name);
	for (int32_t i = 0; !st && i < batch; i++)
		st = d->get(d->ud, (int32_t)(cop__rand(z->a->seed, RENORMED, (uint64_t)i) % (uint32_t)d->count),
		        (float *)x.data + i * cop_type_count(&d->x), &label);
	cop_data_free(made);
	return st;
}

/* The next running means are those of the batch alone. */
static cop_status forget(cop_graph *g)
{
	const int at = cop__attr_find(cop_ops[OP_bn], "momentum", &(char){0}, NULL);

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op == OP_bn) g->node[n].attr[at] = cop__bits(1);
	return COP_OK;
}

cop_status cop__renorm(cop_graph *g, const cop_searcher *z)
{
	cop_graph *many = NULL;
	cop_host host = {0};
	int32_t batch;

	cop_status st =
	        cop__batch_for(&many, g, &(cop_sized_args){.n = RENORM, .each = cop_type_count(&z->train->x)}, &batch);
	if (!st) st = forget(many);
	if (!st) st = cop__pass_then(&many, cop__pass_to_train);
	if (!st) st = cop__pass_then(&many, cop__pass_fuse);
	if (!st) st = cop__host_open(&host, &many, 1, COP_ISA_ALL, z->a->threads);
	if (!st) st = fill(host.s, z, g, many, batch);
	if (!st) st = cop_session_run(host.s, 0);
	if (!st) st = cop_session_pull(host.s, g);
	cop__host_close(&host);
	cop_graph_free(many);
	return st;
}

cop_status cop__shared_take(cop_graph **out, const cop_searcher *z, const cop_design *d)
{
	COP_TRY(cop__design_graph(out, z, d));
	cop_status st = cop__slice_graph(*out, z->shared);
	if (!st) st = cop__renorm(*out, z);
	if (st) cop_graph_free(*out), *out = NULL;
	return st;
}
