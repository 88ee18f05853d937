/* SPDX-License-Identifier: Apache-2.0
 *
 * tree - TreeEnsembleClassifier and TreeEnsembleRegressor. All trees go down one step at a time, side by side:
 * [n,trees] numbers of nodes, which pick the feature, the threshold and the next node from tables; leaves lead to
 * themselves. This is TreeTraversal of Nakandala et al., "A Tensor Compiler for Unified Machine Learning Prediction
 * Serving", OSDI 2020.
 */
#include "io/onnx/ml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct forest {
	int32_t n, trees, depth;     /* nodes in all */
	int32_t *root, *feature, *yes, *no;
	float *threshold;
	uint8_t *missing;            /* what is no number goes to `yes` */
	const int64_t *tree, *node;  /* of each node */
	struct key *key;             /* the same in order */
	bool equal, any_missing;
} forest;

/* ---- reading ---- */

typedef struct key { int64_t tree, node; int32_t i; } key;

static int by_key(const void *a, const void *b)
{
	const key *x = a, *y = b;
	return x->tree != y->tree ? (x->tree < y->tree ? -1 : 1) : x->node != y->node ? (x->node < y->node ? -1 : 1) : 0;
}

static cop_status sorted(cop_ox *m, const cop_ox_node *n, forest *f)
{
	if (!(f->key = cop__ox_room(m, sizeof *f->key * (size_t)f->n))) return m->cx->code;
	for (int32_t i = 0; i < f->n; i++) f->key[i] = (key){f->tree[i], f->node[i], i};
	qsort(f->key, (size_t)f->n, sizeof *f->key, by_key);
	for (int32_t i = 1; i < f->n; i++)
		if (!by_key(&f->key[i - 1], &f->key[i]))
			return cop__ox_fail(m, n, "node %lld of tree %lld is listed twice", (long long)f->key[i].node,
				(long long)f->key[i].tree);
	return COP_OK;
}

static int32_t find(const forest *f, int64_t tree, int64_t node)
{
	const key want = {tree, node, 0}, *k = bsearch(&want, f->key, (size_t)f->n, sizeof want, by_key);
	return k ? k->i : -1;
}

static const char *const modes[] = {"BRANCH_LEQ", "BRANCH_GT", "BRANCH_LT", "BRANCH_GTE", "BRANCH_EQ", "BRANCH_NEQ",
	"LEAF"};

/* Either order or equality is asked for by all branches. */
static cop_status modes_of(cop_ox *m, const cop_ox_node *n, forest *f, uint8_t *mode)
{
	const char **text = cop__ox_room(m, sizeof *text * (size_t)f->n + 8);
	int32_t order = 0, equal = 0;

	if (!text || cop__ox_strings(m, n, "nodes_modes", text, f->n) != f->n)
		return m->cx->code ? m->cx->code : cop__ox_fail(m, n, "the lists of nodes differ in length");
	for (int32_t i = 0; i < f->n; i++) {
		while (mode[i] < LEN(modes) && strcmp(modes[mode[i]], text[i])) mode[i]++;
		if (mode[i] == LEN(modes)) return cop__ox_fail(m, n, "node mode '%.20s' is not supported", text[i]);
		order += mode[i] < 4, equal += mode[i] == 4 || mode[i] == 5;
	}
	f->equal = equal > 0;
	return order && equal ? cop__ox_fail(m, n, "comparisons for order and for equality in one model are not supported")
		: COP_OK;
}

/* x > t is not x <= t, and x < t is x <= the float before t. */
static cop_status one_mode(cop_ox *m, const cop_ox_node *n, forest *f, int32_t i, int mode)
{
	if (mode == 2 || mode == 3) f->threshold[i] = nextafterf(f->threshold[i], -INFINITY);
	if (mode == 6) f->yes[i] = f->no[i] = i, f->feature[i] = 0, f->missing[i] = 0;
	if (mode % 2 == 0) return COP_OK;
	int32_t yes = f->yes[i];
	f->yes[i] = f->no[i], f->no[i] = yes;
	return f->missing[i] ? cop__ox_fail(m, n, "missing values with node mode %s are not supported", modes[mode]) : COP_OK;
}

static cop_status nodes_of(cop_ox *m, const cop_ox_node *n, forest *f)
{
	const int64_t *feature, *yes, *no, *missing;
	const float *threshold;
	int32_t c[6];

	COP_TRY(cop__ox_ml_ints(m, n, "nodes_treeids", &f->tree, &f->n));
	COP_TRY(cop__ox_ml_ints(m, n, "nodes_nodeids", &f->node, &c[0]));
	COP_TRY(cop__ox_ml_ints(m, n, "nodes_featureids", &feature, &c[1]));
	COP_TRY(cop__ox_ml_ints(m, n, "nodes_truenodeids", &yes, &c[2]));
	COP_TRY(cop__ox_ml_ints(m, n, "nodes_falsenodeids", &no, &c[3]));
	COP_TRY(cop__ox_ml_floats(m, n, "nodes_values", &threshold, &c[4]));
	COP_TRY(cop__ox_ml_ints(m, n, "nodes_missing_value_tracks_true", &missing, &c[5]));
	uint8_t *mode = cop__ox_room(m, (size_t)f->n + 1);
	for (int i = 0; i < 5; i++)
		if (c[i] != f->n || !f->n) return cop__ox_fail(m, n, "the lists of nodes differ in length, or are empty");
	if ((missing && c[5] != f->n) || !mode)
		return m->cx->code ? m->cx->code : cop__ox_fail(m, n, "the lists of nodes differ in length");
	COP_TRY(modes_of(m, n, f, mode));
	COP_TRY(sorted(m, n, f));
	size_t bytes = 4 * (size_t)f->n;
	f->root = cop__ox_room(m, bytes), f->feature = cop__ox_room(m, bytes), f->yes = cop__ox_room(m, bytes),
		f->no = cop__ox_room(m, bytes), f->threshold = cop__ox_room(m, bytes);
	f->missing = cop__ox_room(m, (size_t)f->n);
	if (!f->root || !f->feature || !f->yes || !f->no || !f->threshold || !f->missing) return m->cx->code;
	int32_t columns = cop__ox_in(m, n, 0)->rank ? cop__ox_in(m, n, 0)->dim[cop__ox_in(m, n, 0)->rank - 1] : 0;
	for (int32_t i = 0; i < f->n; i++) {
		f->feature[i] = (int32_t)feature[i], f->threshold[i] = threshold[i], f->missing[i] = missing && missing[i];
		f->yes[i] = find(f, f->tree[i], yes[i]), f->no[i] = find(f, f->tree[i], no[i]);
		COP_TRY(one_mode(m, n, f, i, mode[i]));
		if (f->yes[i] < 0 || f->no[i] < 0 || f->feature[i] < 0 || f->feature[i] >= columns)
			return cop__ox_fail(m, n, "node %lld of tree %lld leads nowhere, or asks for feature %lld of %d",
				(long long)f->node[i], (long long)f->tree[i], (long long)feature[i], columns);
		f->any_missing |= f->missing[i];
	}
	return COP_OK;
}

/* Nobody leads to a root. How many steps the deepest leaf is away: all at once, as long as anything moves; a cycle
 * moves for ever. */
static cop_status roots_of(cop_ox *m, const cop_ox_node *n, forest *f)
{
	uint8_t *child = cop__ox_room(m, (size_t)f->n), *now = cop__ox_room(m, (size_t)f->n),
		*next = cop__ox_room(m, (size_t)f->n);
	bool moved = true;

	if (!child || !now || !next) return m->cx->code;
	for (int32_t i = 0; i < f->n; i++) child[f->yes[i]] |= f->yes[i] != i, child[f->no[i]] |= f->no[i] != i;
	for (int32_t i = 0; i < f->n; i++)
		if (!child[i]) f->root[f->trees++] = i, now[i] = 1;
	for (f->depth = 0; moved; f->depth += moved) {
		moved = false;
		memset(next, 0, (size_t)f->n);
		for (int32_t i = 0; i < f->n; i++) {
			if (!now[i] || f->yes[i] == i) continue;
			next[f->yes[i]] = next[f->no[i]] = 1, moved = true;
		}
		memcpy(now, next, (size_t)f->n);
		if (f->depth > 200) return cop__ox_fail(m, n, "a tree is more than 200 deep, or has a cycle");
	}
	return f->trees ? COP_OK : cop__ox_fail(m, n, "no tree has a root");
}

/* ---- going down ---- */

static cop_vid table(cop_ox *m, const char *name, cop_dtype d, int32_t count, const void *v)
{
	cop_type t = cop__type(d, 1, &count);
	return cop__ox_const(m, name, COP_CONST, &t, v);
}

static cop_vid pick(cop_ox *m, cop_vid x, cop_vid index)
{
	return x && index ? cop__apply(m->g, OP_gather, &(cop_axis_attr){0}, VIDS(x, index)) : 0;
}

/* x [n,c] -> the leaf of each tree, [n,trees]. */
static cop_vid leaves(cop_ox *m, const forest *f, cop_vid x)
{
	if (!x) return 0;
	const int32_t rows = cop__t(m->g, x)->dim[0], c = cop__t(m->g, x)->dim[1];
	int32_t *begin = cop__ox_room(m, 4 * (size_t)rows), *start = cop__ox_room(m, 4 * (size_t)rows * (size_t)f->trees);
	if (!begin || !start) return 0;
	for (int32_t i = 0; i < rows; i++)
		begin[i] = i * c, memcpy(start + (size_t)i * (size_t)f->trees, f->root, 4 * (size_t)f->trees);
	cop_type all = cop__type(COP_I32, 2, DIMS(rows, f->trees)), one = cop__type(COP_I32, 2, DIMS(rows, 1));
	cop_vid at = cop__ox_const(m, "tree.root", COP_CONST, &all, start),
		row = cop__ox_const(m, "tree.row", COP_CONST, &one, begin), flat = cop__ox_reshape(m, x, 1, DIMS(rows * c));
	cop_vid feature = table(m, "tree.feature", COP_I32, f->n, f->feature),
		threshold = table(m, "tree.threshold", COP_F32, f->n, f->threshold);
	cop_vid yes = table(m, "tree.yes", COP_I32, f->n, f->yes), no = table(m, "tree.no", COP_I32, f->n, f->no),
		missing = f->any_missing ? table(m, "tree.missing", COP_U8, f->n, f->missing) : 0;
	for (int32_t d = 0; d < f->depth; d++) {
		cop_vid v = pick(m, flat, cop__ox_two(m, OP_add, pick(m, feature, at), row));
		cop_vid is = cop__ox_two(m, f->equal ? OP_equal : OP_lessequal, v, pick(m, threshold, at));
		if (missing)
			is = cop__ox_two(m, OP_or, is,
				cop__ox_two(m, OP_and, cop__ox_map(m, MAP_NOT, 0, 0, cop__ox_two(m, OP_equal, v, v)), pick(m, missing, at)));
		at = cop__ox_where(m, is, pick(m, yes, at), pick(m, no, at));
	}
	return at;
}

/* ---- what leaves hold ---- */

typedef struct held { const int64_t *tree, *node, *id; const float *weight, *base; int32_t count, n_base; } held;

static cop_status held_of(cop_ox *m, const cop_ox_node *n, const char *kind, held *h)
{
	char name[4][32];
	int32_t c[3];

	snprintf(name[0], 32, "%s_treeids", kind), snprintf(name[1], 32, "%s_nodeids", kind),
		snprintf(name[2], 32, "%s_ids", kind), snprintf(name[3], 32, "%s_weights", kind);
	COP_TRY(cop__ox_ml_ints(m, n, name[0], &h->tree, &h->count));
	COP_TRY(cop__ox_ml_ints(m, n, name[1], &h->node, &c[0]));
	COP_TRY(cop__ox_ml_ints(m, n, name[2], &h->id, &c[1]));
	COP_TRY(cop__ox_ml_floats(m, n, name[3], &h->weight, &c[2]));
	COP_TRY(cop__ox_ml_floats(m, n, "base_values", &h->base, &h->n_base));
	return h->count && c[0] == h->count && c[1] == h->count && c[2] == h->count ? COP_OK
		: cop__ox_fail(m, n, "the lists of leaves differ in length, or are empty");
}

/* Sums of weights over all trees, [n,outs]. */
static cop_vid sums(cop_ox *m, const cop_ox_node *n, const forest *f, const held *h, int32_t outs, cop_vid leaf)
{
	float *w = cop__ox_room(m, 4 * (size_t)f->n * (size_t)outs);
	cop_type t = cop__type(COP_F32, 2, DIMS(f->n, outs));
	const char *how = cop__ox_s(m, n, "aggregate_function", "SUM");

	if (!w || !how || !leaf) return 0;
	if (strcmp(how, "SUM") && strcmp(how, "AVERAGE"))
		return cop__ox_fail(m, n, "aggregate_function %s is not supported; SUM and AVERAGE are", how), 0;
	for (int32_t i = 0; i < h->count; i++) {
		int32_t at = find(f, h->tree[i], h->node[i]);
		if (at < 0 || h->id[i] < 0 || h->id[i] >= outs)
			return cop__ox_fail(m, n, "a leaf holds number %lld of %d, or is no node", (long long)h->id[i], outs), 0;
		w[(int64_t)at * outs + h->id[i]] += h->weight[i];
	}
	cop_vid y = cop__ox_reduce(m, *how == 'A' ? REDUCE_MEAN : REDUCE_SUM,
		pick(m, cop__ox_const(m, "tree.leaf", COP_CONST, &t, w), leaf), 2, false);
	if (!h->base) return y;
	if (h->n_base != outs) return cop__ox_fail(m, n, "%d base values for %d results", h->n_base, outs), 0;
	return cop__ox_two(m, OP_add, y, cop__ox_vector(m, COP_CONST, "tree.base", h->base, outs));
}

cop_status cop__ox_add_ml_tree_regressor(cop_ox *m, cop_ox_node *n)
{
	forest f = {0};
	held h;
	int64_t outs = cop__ox_i(n, "n_targets", 1);

	COP_TRY(nodes_of(m, n, &f));
	COP_TRY(roots_of(m, n, &f));
	COP_TRY(held_of(m, n, "target", &h));
	if (outs < 1 || outs > 1 << 16) return cop__ox_fail(m, n, "%lld targets", (long long)outs);
	cop_vid y = sums(m, n, &f, &h, (int32_t)outs, leaves(m, &f, cop__ox_ml_rows(m, n, 0)));
	return cop__ox_set(m, n, 0, cop__ox_ml_transformed(m, n, y), OX_PLAIN, OX_FLOAT);
}

/* Two classes of which the leaves speak of one: s is its score. Of votes (no weight below 0) the other's is 1 - s, else
 * -s. */
static cop_status one_of_two(cop_ox *m, const cop_ox_node *n, const held *h, cop_vid s, cop_vid *index, cop_vid *y)
{
	const char *how = cop__ox_s(m, n, "post_transform", "NONE");
	bool votes = true, second = h->id[0] == 1, logistic = how && !strcmp(how, "LOGISTIC");

	if (!s) return m->cx->code;
	for (int32_t i = 0; i < h->count; i++) votes &= h->weight[i] >= 0;
	if (second && h->base) return cop__ox_fail(m, n, "base values of the second of two classes are not supported");
	*index = cop__ox_cast(m, cop__ox_two(m, OP_greater, s, cop__ox_scalar(m, votes ? 0.5f : 0)), COP_I32);
	*index = cop__ox_reshape(m, *index, 1, DIMS(cop__t(m->g, s)->dim[0]));
	cop_vid minus = cop__ox_map(m, MAP_NEG, 0, 0, s), other = second ? cop__ox_two_f(m, OP_mul, s, 0) : votes && !logistic
		? cop__ox_two_f(m, OP_add, minus, 1) : minus;
	*y = cop__ox_concat(m, 1, 2, (cop_vid[]){other, s});
	if (second || logistic) *y = cop__ox_ml_transformed(m, n, *y);
	return m->cx->code;
}

cop_status cop__ox_add_ml_tree_classifier(cop_ox *m, cop_ox_node *n)
{
	forest f = {0};
	held h;
	const int64_t *ints;
	int32_t classes;
	bool one = true;
	cop_vid index = 0, y;

	COP_TRY(nodes_of(m, n, &f));
	COP_TRY(roots_of(m, n, &f));
	COP_TRY(held_of(m, n, "class", &h));
	COP_TRY(cop__ox_ml_ints(m, n, "classlabels_int64s", &ints, &classes));
	if (!ints) {
		const char **text = cop__ox_room(m, sizeof *text * 4096);
		classes = text ? cop__ox_strings(m, n, "classlabels_strings", text, 4096) : 0;
		classes = COP_MAX(classes, 0);
	}
	for (int32_t i = 0; i < h.count; i++) one &= h.id[i] == h.id[0] && h.id[i] >= 0 && h.id[i] < 2;
	one &= classes == 2;
	if (classes == 2 && !one && h.base) return cop__ox_fail(m, n, "base values of both of two classes are not supported");
	if (one && h.id[0]) { /* its column alone */
		int64_t *zero = cop__ox_room(m, 8 * (size_t)h.count);
		const held moved = {h.tree, h.node, zero, h.weight, NULL, h.count, 0};
		if (!zero) return m->cx->code;
		y = sums(m, n, &f, &moved, 1, leaves(m, &f, cop__ox_ml_rows(m, n, 0)));
	} else {
		y = sums(m, n, &f, &h, one ? 1 : classes, leaves(m, &f, cop__ox_ml_rows(m, n, 0)));
	}
	if (one) {
		COP_TRY(one_of_two(m, n, &h, y, &index, &y));
	} else {
		index = cop__ox_argmax(m, y, 1, false, false);
		y = cop__ox_ml_transformed(m, n, y);
	}
	COP_TRY(cop__ox_ml_label(m, n, index, "classlabels_int64s", classes));
	return cop__ox_out(m, n, 1) ? cop__ox_set(m, n, 1, y, OX_PLAIN, OX_FLOAT) : COP_OK;
}
