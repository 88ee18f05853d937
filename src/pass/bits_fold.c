/* SPDX-License-Identifier: Apache-2.0
 *
 * bits_fold - what lies between a layer of bits and a sign as two bounds of its sums. A sum is one of a few thousand
 * whole numbers, so nothing is derived: what the float network makes of each of them is computed, by the portable
 * kernels, and where its bits of 1 are one run, the ends of the run say all. Batch norm of any gamma, biases and bounds
 * come out exactly so, with the roundings of floats.
 *
 * A maximum right before the sign is one of bits. Right behind the layer it is of sums: then the bits are those of the
 * largest sum, which is their maximum where bits go from 0 to 1, and their minimum where they go from 1 to 0.
 */
#include "pass/bits.h"

void cop_add_f32(const cop_call *c);
void cop_sub_f32(const cop_call *c);
void cop_mul_f32(const cop_call *c);
void cop_div_f32(const cop_call *c);
void cop_max_f32(const cop_call *c);
void cop_min_f32(const cop_call *c);
void cop_clip_f32(const cop_call *c);
void cop_bn_f32(const cop_call *c);
void cop_sign_f32(const cop_call *c);
void cop_rprelu_f32(const cop_call *c);

/* What may lie between: it goes element by element, from one that is computed and constants by channel. */
static const struct {
	int op;
	void (*fn)(const cop_call *c);
} known[] = {{OP_add, cop_add_f32}, {OP_sub, cop_sub_f32}, {OP_mul, cop_mul_f32}, {OP_div, cop_div_f32},
        {OP_max, cop_max_f32}, {OP_min, cop_min_f32}, {OP_clip, cop_clip_f32}, {OP_bn, cop_bn_f32},
        {OP_map, cop_map_f32}, {OP_sign, cop_sign_f32}, {OP_rprelu, cop_rprelu_f32}};

static int known_at(int op)
{
	for (int i = 0; i < LEN(known); i++)
		if (known[i].op == op) return i;
	return -1;
}

enum { DEEPEST = 16, AT_ONCE = 256 };

/* ---- what lies between ---- */

typedef struct chain {
	cop_nid node[DEEPEST]; /* the last first */
	int n;
	cop_nid pool;
	int pool_at; /* nodes behind the pool */
	cop_blayer l;
} chain;

static bool by_channel(const cop_graph *g, cop_vid v, int32_t o)
{
	const cop_type *t = cop__t(g, v);
	return cop__floats(g, v) && (cop_type_count(t) == 1 || (cop_type_count(t) == o && t->dim[t->rank - 1] == o));
}

/* The operand of n that is computed, where all others are constants of o channels; 0: it is not so. */
static cop_vid computed(const cop_graph *g, cop_nid n, int32_t o)
{
	cop_vid x = 0;

	for (int i = 0; i < g->node[n].n_in; i++) {
		if (by_channel(g, cop__arg(g, n, i), o)) continue;
		if (x || !g->value[cop__arg(g, n, i)].producer) return 0;
		x = cop__arg(g, n, i);
	}
	return x;
}

static bool is_pool(const chain *c, const cop_graph *g, cop_nid n)
{
	return g->node[n].op == OP_maxpool && !c->pool && !cop__res(g, n, 1);
}

/* From the sign's operand back to a layer of bits. */
static bool follow(chain *c, const cop_bits *b, cop_vid v)
{
	const cop_graph *g = b->g;
	const cop_type *t = cop__t(g, v);
	int32_t o = t->dim[t->rank - 1];

	for (cop_nid n; (n = g->value[v].producer) && b->readers[v] == 1 && !g->node[n].guard;) {
		if (cop__bits_layer(&c->l, b, n)) return !c->pool || !c->pool_at || c->pool_at == c->n;
		if (is_pool(c, g, n)) {
			c->pool = n;
			c->pool_at = c->n;
			v = cop__arg(g, n, 0);
			continue;
		}
		if (known_at(g->node[n].op) < 0 || c->n == DEEPEST || !(v = computed(g, n, o))) return false;
		c->node[c->n++] = n;
	}
	return false;
}

/* ---- what becomes of each sum ---- */

/* The chain for AT_ONCE sums of each channel: a graph whose nodes are run one after the other, in place. */
static cop_status probe(cop_graph **out, const chain *c, const cop_bits *b)
{
	const cop_graph *g = b->g;
	cop_type t = cop__type(COP_F32, 4, DIMS(AT_ONCE, 1, 1, c->l.dim[0]));
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_vid x = cop__input(*out, "sums", &t);
	if (x) x = cop__bits_scaled(b, *out, map, &c->l, x);
	for (int i = c->n; x && i--;) {
		cop_node d = g->node[c->node[i]];
		for (int j = 0; j < d.n_in; j++) {
			bool own = by_channel(g, d.in[j], c->l.dim[0]);
			d.in[j] = own ? cop__copy_value(*out, g, map, d.in[j]) : x;
		}
		x = cop__apply(*out, d.op, d.attr, d.n_in, d.in);
	}
	if (x) x = cop__apply(*out, OP_sign, &(cop_sign_attr){0}, VIDS(x));
	return cop__pass_end(out, x ? COP_OK : cop__failed(g->cx));
}

static void run_probe(const cop_graph *p, float *x)
{
	for (cop_nid n = 1; n <= (cop_nid)p->n_node; n++) {
		int32_t words[COP_MAX_WORDS] = {0};
		void *buf[COP_MAX_IN + 1] = {x};

		for (int i = 0; i < p->node[n].n_in; i++) {
			const cop_value *v = &p->value[p->node[n].in[i]];
			buf[i + 1] = v->role >= COP_CONST ? (void *)(uintptr_t)v->data : x;
		}
		cop__op(p, n)->words(p, n, words);
		known[known_at(p->node[n].op)].fn(&(cop_call){buf, words, NULL, NULL, 0, 1});
	}
}

/* ---- bounds ---- */

typedef struct run {
	int32_t o, *lo, *hi;
	bool *ended;
} run; /* of each channel; begins as lo 1, hi 0: none yet */

/* d: a sum, and what becomes of it in each channel. Runs that begin again are no runs. */
static bool extend(run *r, int32_t d, int32_t before, const float *y)
{
	for (int32_t o = 0; o < r->o; o++) {
		bool some = r->lo[o] <= r->hi[o];
		if (!(y[o] > 0)) continue;
		if (some && r->hi[o] != before) return false;
		if (!some) r->lo[o] = d;
		r->hi[o] = d;
	}
	return true;
}

/* All sums from -n on by `step`. */
static bool find(run *r, const cop_graph *p, float *x, int32_t n, int32_t step)
{
	for (int64_t first = -n; first <= n; first += AT_ONCE * step) {
		for (int32_t i = 0; i < AT_ONCE * r->o; i++) x[i] = (float)(first + i / r->o * step);
		run_probe(p, x);
		for (int32_t i = 0; i < AT_ONCE && first + i * step <= n; i++) {
			int32_t d = (int32_t)(first + i * step);
			if (!extend(r, d, d - step, x + (size_t)i * (size_t)r->o)) return false;
		}
	}
	return true;
}

/* Where a run reaches the end of what there is, it is open. */
static void open_ends(run *r, int32_t n)
{
	for (int32_t o = 0; o < r->o; o++) {
		if (r->lo[o] > r->hi[o]) continue;
		if (r->lo[o] == -n) r->lo[o] = INT32_MIN;
		if (r->hi[o] == n) r->hi[o] = INT32_MAX;
	}
}

static cop_status bounds(run *r, bool *found, const chain *c, const cop_bits *b)
{
	cop_ctx *cx = b->g->cx;
	int32_t n = c->l.dim[1] * c->l.dim[2] * c->l.dim[3];
	bool partial =
	        !c->l.a.fill && (c->l.a.pt | c->l.a.pl | c->l.a.pb | c->l.a.pr); /* windows may be cut: any sum */
	cop_graph *p;

	for (int32_t o = 0; o < r->o; o++) r->lo[o] = 1, r->hi[o] = 0;
	COP_TRY(probe(&p, c, b));
	float *x = cop__alloc(cx, sizeof *x * AT_ONCE * (size_t)r->o);
	if (x) *found = find(r, p, x, n, partial ? 1 : 2);
	if (x) open_ends(r, n);
	cop__free(cx, x);
	cop_graph_free(p);
	return x ? COP_OK : COP_NOMEM;
}

/* ---- the layer ---- */

/* Which channels take the least of a window of bits, so that they are those of the largest sum. False: some are
 * neither. */
static bool least_of(uint8_t *least, const run *r)
{
	for (int32_t o = 0; o < r->o; o++) {
		bool below = r->lo[o] == INT32_MIN && r->hi[o] != INT32_MAX;
		if (!below && r->lo[o] <= r->hi[o] && r->hi[o] != INT32_MAX) return false;
		if (below) least[o / 8] = (uint8_t)(least[o / 8] | 1 << o % 8);
	}
	return true;
}

static cop_vid pooled(cop_bits *b, const chain *c, cop_vid y, const uint8_t *least)
{
	cop_type t = cop__type(COP_BIT, 1, c->l.dim);
	char name[128];
	cop_vid of = 0;
	COP_ATTR(cop_bmaxpool_attr, p, b->g, c->pool);

	for (int32_t i = 0; !of && least && i < (c->l.dim[0] + 7) / 8; i++) {
		if (!least[i]) continue;
		cop__bits_name(name, b, &c->l, "least");
		if (!(of = cop__data(b->out, COP_CONST, name, &t, least))) return 0;
	}
	return cop__apply(b->out, OP_bmaxpool, &p, of ? 2 : 1, (const cop_vid[]){y, of});
}

cop_vid cop__bits_fold(cop_bits *b, cop_nid n)
{
	chain c = {.n = 0};
	bool found = false;
	char name[128];

	if (!follow(&c, b, cop__arg(b->g, n, 0))) return 0;
	const size_t o = (size_t)c.l.dim[0];
	cop_type t = cop__type(COP_I32, 2, DIMS(2, c.l.dim[0]));
	int32_t *bound = cop__arena_get(&b->out->mem, sizeof *bound * 2 * o);
	uint8_t *least = cop__arena_get(&b->out->mem, o / 8 + 1);
	if (!bound || !least) return 0;
	run r = {.o = c.l.dim[0], .lo = bound, .hi = bound + o};
	if (bounds(&r, &found, &c, b) || !found) return 0;
	bool behind = c.pool && c.pool_at; /* the pool stands right behind the layer */
	if (behind && !least_of(least, &r)) return 0;
	cop__bits_name(name, b, &c.l, "t");
	cop_vid w = cop__bits_packed(b, &c.l), tv = cop__data(b->out, COP_CONST, name, &t, bound);
	cop_vid y = w && tv ? cop__apply(b->out, OP_bconv, &c.l.a, VIDS(c.l.x, w, tv)) : 0;
	return y && c.pool ? pooled(b, &c, y, behind ? least : NULL) : y;
}
