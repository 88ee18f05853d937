/* SPDX-License-Identifier: Apache-2.0
 *
 * batch - the same graph for another number of samples. Which axis of an input is the batch is known (a graph that was written for a
 * batch before), or found: the first way is taken by which samples go through the whole network apart (batch_axis.c). Such a
 * way is right whatever it is, since each sample then gets the numbers that it gets alone.
 */
#include "pass/batch.h"

/* ---- the graph for n samples ---- */

typedef struct rewrite { const cop_batching *b; cop_graph *out; cop_vid *map; int32_t n; } rewrite;

static cop_status code(const cop_graph *g) { return g->cx->code ? g->cx->code : COP_NOMEM; }

static cop_type typed(const rewrite *r, cop_vid v)
{
	cop_type t = *cop__t(r->b->g, v);
	cop__spot_dims(t.dim, &r->b->at[v], t.rank, cop__t(r->b->g, v)->dim, r->n);
	return t;
}

static void note(cop_value *to, const cop_spot *p, const cop_type *t, int32_t n)
{
	to->lead = p->outer;
	for (int i = 0; i < p->axis; i++) to->lead *= t->dim[i];
	to->samples = n;
}

static cop_status new_inputs(rewrite *r)
{
	const cop_graph *g = r->b->g;

	for (int32_t i = 0; i < g->n_input; i++) {
		cop_vid v = g->input[i];
		cop_type t = typed(r, v);
		if (!(r->map[v] = cop__input(r->out, g->value[v].name, &t))) return g->cx->code;
		if (r->b->at[v].axis >= 0) note(&r->out->value[r->map[v]], &r->b->at[v], &t, r->n);
	}
	return COP_OK;
}

static cop_vid reshaped(cop_graph *out, cop_vid v, int32_t rank, const int32_t *dim)
{
	cop_shape_attr a = {.rank = rank};

	memcpy(a.dim, dim, sizeof *dim * (size_t)rank);
	return cop__apply(out, OP_reshape, &a, VIDS(v));
}

/* What has no batch, n times along p: [outer, 1, inner] within the axis becomes [outer, n, inner]. */
static cop_vid repeated(rewrite *r, cop_vid v, const cop_spot *p)
{
	const cop_type *t = cop__t(r->b->g, v);
	int32_t split[COP_MAX_DIM] = {1, 1, 1, 1, 1}, merged[COP_MAX_DIM];
	cop_vid x = cop__copy_value(r->out, r->b->g, r->map, v);

	for (int i = 0; i < p->axis; i++) split[0] *= t->dim[i];
	split[0] *= p->outer;
	split[1] = r->b->was;
	split[2] = p->inner;
	for (int i = p->axis + 1; i < t->rank; i++) split[2] *= t->dim[i];
	cop__spot_dims(merged, p, t->rank, t->dim, r->n);
	x = reshaped(r->out, x, 3, split);
	if (r->b->was > 1) x = cop__apply(r->out, OP_slice, &(cop_slice_attr){.size = {0, 1, 0}}, VIDS(x));
	x = cop__apply(r->out, OP_expand, &(cop_shape_attr){3, {split[0], r->n, split[2]}}, VIDS(x));
	return reshaped(r->out, x, t->rank, merged);
}

/* Operand i as the node reads it. */
static cop_vid operand(rewrite *r, cop_nid n, int i)
{
	const cop_graph *g = r->b->g;
	cop_vid v = g->node[n].in[i];
	const cop_spot *need = &r->b->need[n * COP_MAX_IN + (cop_nid)i], *at = &r->b->at[v];
	int32_t dim[COP_MAX_DIM];

	if (need->axis < 0 || r->n == r->b->was || !memcmp(need, at, sizeof *at)) return cop__copy_value(r->out, g, r->map, v);
	if (at->axis < 0) return repeated(r, v, need);
	cop__spot_dims(dim, need, cop__t(g, v)->rank, cop__t(g, v)->dim, r->n);
	return reshaped(r->out, r->map[v], cop__t(g, v)->rank, dim);
}

/* Does a reshape with 0 (copy) and -1 (infer) give these dimensions? */
static bool spells(const cop_shape_attr *a, const cop_type *x, const cop_type *y)
{
	int open = 0;

	for (int i = 0; i < a->rank; i++) {
		open += a->dim[i] == -1;
		if (a->dim[i] != -1 && (a->dim[i] ? a->dim[i] : i < x->rank ? x->dim[i] : 0) != y->dim[i]) return false;
	}
	return open <= 1;
}

/* Attributes that hold the number of samples. */
static void follow(rewrite *r, cop_nid n, cop_node *d)
{
	const cop_graph *g = r->b->g;
	cop_vid y = cop__res(g, n, 0);
	const cop_spot *p = &r->b->at[y];
	cop_type t = typed(r, y);

	if (p->axis < 0) return;
	if (d->op == OP_reshape || d->op == OP_expand || d->op == OP_sum_to) {
		COP_ATTR(cop_shape_attr, a, g, n);
		if (d->op == OP_reshape && spells(&a, cop__t(r->out, d->in[0]), &t)) return;
		if (d->op == OP_reshape) memcpy(a.dim, t.dim, sizeof *a.dim * (size_t)t.rank);
		else if (a.dim[p->axis]) a.dim[p->axis] = t.dim[p->axis];
		memcpy(d->attr, &a, sizeof a);
	} else if (d->op == OP_slice) {
		COP_ATTR(cop_slice_attr, a, g, n);
		if (a.size[p->axis]) a.size[p->axis] = t.dim[p->axis];
		memcpy(d->attr, &a, sizeof a);
	}
}

static cop_status new_node(rewrite *r, cop_nid n)
{
	const cop_graph *g = r->b->g;
	cop_node d = g->node[n];

	for (int i = 0; i < d.n_in; i++)
		if (d.in[i] && !(d.in[i] = operand(r, n, i))) return code(g);
	if (d.guard && !cop__copy_value(r->out, g, r->map, d.guard)) return code(g);
	follow(r, n, &d);
	cop_nid m = cop__node(r->out, d.op, d.attr, d.n_in, d.in);
	if (!m) return code(g);
	r->out->node[m].guard = r->map[d.guard];
	for (int i = 0; i < COP_MAX_OUT; i++) {
		cop_vid old = d.out[i], v = old ? cop__want_out(r->out, m, i) : 0;
		if (!old) continue;
		if (!v) return code(g);
		cop_type t = typed(r, old);
		if (!cop__same_shape(&t, cop__t(r->out, v))) return cop__fail(g, COP_SHAPE, n, "batch: another shape than expected for %d samples", r->n);
		r->map[old] = v;
		if (g->value[old].name) cop__name(r->out, v, g->value[old].name);
	}
	return COP_OK;
}

static cop_status rewritten(cop_graph **out, const cop_batching *b, int32_t n, cop_vid **map)
{
	rewrite r = {.b = b, .n = n};
	const cop_graph *g = b->g;

	COP_TRY(cop__copy_begin(out, g, &r.map));
	r.out = *out;
	cop_status st = new_inputs(&r);
	for (cop_nid i = 1; !st && i <= (cop_nid)g->n_node; i++) st = new_node(&r, i);
	if (!st) st = cop__copy_rest(*out, g, r.map);
	for (int32_t i = 0; !st && i < g->n_output; i++) {
		cop_vid v = g->output[i];
		cop_type t = typed(&r, v);
		if (b->at[v].axis >= 0) note(&r.out->value[r.map[v]], &b->at[v], &t, n);
	}
	if (map) *map = r.map; /* in the new graph's memory */
	return cop__pass_end(out, st);
}

/* ---- which axis of which input ---- */

/* The places that may be the batch of an input that g has for `was` samples. Fixed axes of length 1 come before all of it. */
static int choices(cop_spot out[COP_MAX_DIM + 1], const cop_value *v, int32_t was)
{
	const cop_type *t = &v->type;
	int n = 0;

	if (v->samples > 1 && v->samples != was) return 0;
	if (v->samples) { /* known */
		int64_t stride = cop_type_count(t) / v->lead / v->samples;
		return cop__spots(out, t->rank, t->dim, v->samples, stride);
	}
	for (int i = 0; i < t->rank; i++)
		if (t->dim[i] == was) out[n++] = (cop_spot){i, 1, 1};
	if (t->rank && was == 1) out[n++] = (cop_spot){0, 1, t->dim[0]};
	return n;
}

/* Tries the choices of all inputs in turn, those of the last input first. */
static bool find_for(cop_batching *b, int32_t was)
{
	enum { MOST_TRIES = 64 };
	const cop_graph *g = b->g;
	cop_spot place[COP_MAX_DIM + 1];
	int32_t *now = cop__arena_get(&b->mem, sizeof *now * (size_t)(g->n_input + 1));
	cop_nid stopped = 0;
	const char *why = "no axis of the inputs can be the batch";

	b->was = was;
	for (int tries = 0; now && tries < MOST_TRIES; tries++) {
		bool all = true;
		for (int32_t i = 0; i < g->n_input && all; i++) {
			int n = choices(place, &g->value[g->input[i]], was);
			if ((all = now[i] < n)) b->at[g->input[i]] = place[now[i]];
		}
		if (!all) break;
		if (cop__batching_carry(b)) return true;
		if (b->stopped >= stopped) stopped = b->stopped, why = b->why; /* the way that came furthest tells why */
		int32_t i = g->n_input - 1;
		while (i >= 0 && ++now[i] == choices(place, &g->value[g->input[i]], was)) now[i--] = 0;
		if (i < 0) break;
	}
	b->stopped = stopped;
	b->why = why;
	return false;
}

/* The numbers of samples that a graph may be for, the likeliest first: one that it was made for; one, where an axis has that length;
 * the first axis. Returns how many there are. */
static int held(int32_t was[2], const cop_graph *g)
{
	const cop_type *x = cop__t(g, g->input[0]);
	int32_t known = 0, first = x->rank ? x->dim[0] : 1;
	bool unit = first == 1;

	for (int32_t i = 0; i < g->n_input; i++) known = COP_MAX(known, g->value[g->input[i]].samples);
	for (int i = 0; i < x->rank; i++) unit = unit || x->dim[i] == 1;
	was[0] = known ? known : unit ? 1 : first;
	was[1] = unit ? first : 1;
	return known || was[0] == was[1] ? 1 : 2;
}

/* each: numbers of one sample of the first input; 0: not known. */
static bool find(cop_batching *b, int64_t each)
{
	int64_t count = cop_type_count(cop__t(b->g, b->g->input[0]));
	int32_t was[2];
	int n = held(was, b->g);

	for (int i = 0; i < n; i++)
		if ((!each || count == each * was[i]) && find_for(b, was[i])) return true;
	return false;
}

/* By the way that samples take through the network; `otherwise` where there is none. */
static int32_t found(const cop_graph *g, int32_t otherwise)
{
	cop_batching b;
	int32_t was = otherwise;

	if (!cop__batching_new(&b, g) && find(&b, 0)) was = b.was;
	cop__arena_free(&b.mem);
	return was;
}

int32_t cop__samples_held(const cop_graph *g, int64_t each)
{
	int64_t count = cop_type_count(cop__t(g, g->input[0]));
	int32_t was[2];
	int n = held(was, g);

	for (int i = 0; each && i < n; i++)
		if (count == each * was[i]) return was[i];
	return each ? 0 : n == 1 ? was[0] : found(g, was[1]);
}

static cop_status refuse(const cop_batching *b, int32_t n)
{
	if (b->stopped) return cop__fail(b->g, COP_SHAPE, b->stopped, "cannot run for %d samples at once: %s", n, b->why);
	return cop__error(b->g->cx, COP_SHAPE, "'%s' cannot run for %d samples at once: %s", b->g->name, n,
		b->why ? b->why : "its inputs have another number of elements");
}

cop_status cop__batch_for(cop_graph **out, const cop_graph *g, const cop_sized_args *a, int32_t *got)
{
	cop_batching b;

	*out = NULL;
	if (a->n < 1) return cop__error(g->cx, COP_ARG, "batch: n=%d must be at least 1", a->n);
	if (!g->n_input) return cop__error(g->cx, COP_ARG, "batch: '%s' has no input", g->name);
	bool lives = cop_graph_keeps_state(g);
	if (lives && a->n > 1 && !got)
		return cop__error(g->cx, COP_ARG, "%s keeps a state from one run to the next: it takes one sample at a time, not %d",
			g->name, a->n);
	cop_status st = cop__batching_new(&b, g);
	if (!st && find(&b, a->each) && !lives) {
		st = rewritten(out, &b, a->n, a->map);
		if (got) *got = a->n;
	} else if (!st && !got && !lives) {
		st = refuse(&b, a->n);
	} else if (!st) { /* as it is: nothing has a batch, and all of an input is one sample */
		int64_t count = cop_type_count(cop__t(g, g->input[0]));
		for (int32_t v = 0; v <= g->n_value; v++) b.at[v].axis = -1;
		for (size_t i = 0; i < (size_t)(g->n_node + 1) * COP_MAX_IN; i++) b.need[i].axis = -1;
		if (got) *got = a->each && count % a->each == 0 ? (int32_t)(count / a->each) : 1;
		st = rewritten(out, &b, b.was, a->map);
	}
	cop__arena_free(&b.mem);
	return st;
}

cop_status cop__pass_batch(cop_graph **out, const cop_graph *g, int32_t n)
{
	return cop__batch_for(out, g, &(cop_sized_args){.n = n}, NULL);
}

static bool one_by_one(const cop_graph *g, const cop_vid *v, int32_t count, int32_t n)
{
	for (int32_t i = 0; i < count; i++)
		if (g->value[v[i]].samples != n || g->value[v[i]].lead != 1) return false;
	return true;
}

bool cop_graph_batched(cop_graph **g, int32_t n)
{
	cop_graph *many;

	if (cop__pass_batch(&many, *g, n)) return cop_error_clear((*g)->cx), false;
	bool fits = one_by_one(many, many->input, many->n_input, n) && one_by_one(many, many->output, many->n_output, n);
	cop_graph_free(fits ? *g : many);
	if (fits) *g = many;
	return fits;
}

void cop__parts_of(cop_parts *p, const cop_graph *g, cop_vid v, int32_t samples)
{
	const cop_value *x = &g->value[v];
	int64_t bytes = (int64_t)cop_type_bytes(&x->type);

	*p = x->samples == samples ? (cop_parts){x->lead, samples, bytes / x->lead / samples} : (cop_parts){1, samples, bytes / samples};
}

void cop__part_put(const cop_parts *p, void *all, int32_t i, const void *one)
{
	for (int32_t k = 0; k < p->lead; k++) memcpy((char *)all + ((int64_t)k * p->samples + i) * p->bytes, (const char *)one + k * p->bytes, (size_t)p->bytes);
}

void cop__part_take(const cop_parts *p, void *one, int32_t i, const void *all)
{
	for (int32_t k = 0; k < p->lead; k++) memcpy((char *)one + k * p->bytes, (const char *)all + ((int64_t)k * p->samples + i) * p->bytes, (size_t)p->bytes);
}

typedef struct batch_options { int32_t n; } batch_options;
static const cop_option options[] = {{COP_OPTION_FIELD(batch_options, n, COP_WHOLE, "samples in a batch"), .lo = 1,
	.hi = 1 << 20, .needed = true}, COP_OPT_END};

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	*out = NULL;
	return cop__pass_batch(out, g, ((const batch_options *)a)->n);
}

const cop_pass cop_pass_batch = {{"batch", "rewrites the graph for batches of n samples", NULL, options, sizeof(batch_options)}, run};
