/* SPDX-License-Identifier: Apache-2.0
 *
 * drop_constant - takes out of a network the channels that do not depend on the input: exactly in int8, and in f32 but for the
 * rounding of the sums that become part of a bias (COP_DROP_EXACT leaves those alone).
 *
 * A channel whose range (ranges.c) is one number is a constant: what it adds to a later layer goes into that one's bias, or into the mean of
 * the batch norm behind it, and the channel goes with all that is linked to it (slice.c). So does a channel that later layers meet with
 * weights of zero only. Padding reads zx, or 0: another constant stays where the reader pads.
 * Networks that were trained with weight decay have many such channels: MLPerf Tiny's visual wake words loses half its work.
 */
#include "pass/ranges.h"

static bool dense(const cop_graph *g, cop_nid n)
{
	int32_t groups;
	return cop__is_sums(g, n, &groups) && groups == 1;
}

static double weight_sum(const cop_sums *s, int32_t o, int32_t c, bool *zero)
{
	double sum = 0;

	for (int32_t t = 0; t < s->taps; t++) {
		double f = cop__sums_weight(s, o, t, c);
		sum += f;
		*zero &= f == 0;
	}
	return sum;
}

/* The batch norm that alone reads node n, whose mean can take what a bias would: the mean's value, or 0. */
static cop_vid mean_behind(const cop_graph *g, cop_nid n)
{
	cop_vid y = cop__res(g, n, 0), mean = 0;
	int readers = 0, others = 0;
	float lo, hi;

	cop__act_get(g, n, &lo, &hi);
	for (int32_t m = 1; m <= g->n_node; m++)
		for (int i = 0; i < g->node[m].n_in; i++) {
			if (g->node[m].in[i] != y) continue;
			readers++;
			if (g->node[m].op == OP_bn && !i) mean = cop__arg(g, (cop_nid)m, 3);
		}
	for (int32_t i = 0; i < g->n_output; i++) readers += g->output[i] == y;
	for (int32_t m = 1; mean && m <= g->n_node; m++)
		for (int i = 0; i < g->node[m].n_in; i++) others += g->node[m].in[i] == mean;
	return readers == 1 && others == 1 && lo == COP_NO_LO && hi == COP_NO_HI && cop__floats(g, mean) ? mean : 0;
}

/* May channel c of a dense layer's input go, its part of the sums put into the bias? */
static bool foldable(const cop_ranges *a, cop_nid n, int32_t c, cop_drop how)
{
	const cop_range *x = a->of[cop__arg(a->g, n, 0)];
	cop_sums s;
	bool zero = true;

	if (!cop__sums_of(&s, a->g, n)) return false;
	for (int32_t o = 0; o < s.o; o++) weight_sum(&s, o, c, &zero);
	if (zero) return true;
	if (how == COP_DROP_EXACT && s.w->type.dtype == COP_F32) return false;
	if (!x || x[c].lo != x[c].hi || (s.pads && x[c].lo != s.pad && how != COP_DROP_BORDERS)) return false;
	return x[c].lo == 0 || s.b || mean_behind(a->g, n);
}

static cop_vid input_of(const cop_graph *g, cop_nid n, int32_t *axis)
{
	cop_vid x = cop__arg(g, n, 0);
	*axis = cop__t(g, x)->rank - 1;
	return x;
}

/* Each group that has an item of v. */
static void mark_groups(const cop_groups *s, cop_vid v, cop_nid *mark, cop_nid n)
{
	for (int i = 0; v && i < cop__t(s->g, v)->rank; i++)
		for (int32_t c = 0; c < cop__t(s->g, v)->dim[i]; c++) mark[cop__group_of(s, v, i, c)] = n;
}

/* What a node other than a dense layer reads and does not pass on is summed up in it: products, reductions. Units of a
 * recurrent layer are read by its next step. */
static void stay(const cop_groups *s, uint8_t *drop, cop_nid *mark)
{
	const cop_graph *g = s->g;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_node *d = &g->node[n];
		if (dense(g, n)) continue;
		for (int i = 0; i < COP_MAX_OUT && d->op != OP_rnn && d->op != OP_qrnn; i++) mark_groups(s, d->out[i], mark, n);
		for (int i = 0; i < d->n_in; i++)
			for (int axis = 0; d->in[i] && axis < cop__t(g, d->in[i])->rank; axis++)
				for (int32_t c = 0; c < cop__t(g, d->in[i])->dim[axis]; c++) {
					int32_t k = cop__group_of(s, d->in[i], axis, c);
					if (mark[k] != n) drop[k] = 2;
				}
	}
}

/* Groups that end in foldable inputs of dense convolutions only. A group without any reader is a whole dead branch: it stays. */
static void choose(const cop_ranges *a, const cop_groups *s, uint8_t *drop, cop_nid *mark, cop_drop how)
{
	const cop_graph *g = a->g;
	int32_t axis;

	for (int32_t n = 1; n <= g->n_node; n++) {
		if (!dense(g, (cop_nid)n)) continue;
		cop_vid x = input_of(g, (cop_nid)n, &axis);
		for (int32_t c = 0; c < cop__t(g, x)->dim[axis]; c++) {
			int32_t k = cop__group_of(s, x, axis, c);
			if (drop[k] != 2) drop[k] = foldable(a, (cop_nid)n, c, how) ? 1 : 2;
		}
	}
	stay(s, drop, mark);
	for (int32_t k = 0; k < s->n_group; k++) drop[k] = drop[k] == 1 && !s->stop[k].why;
}

/* An axis must keep one index: of an axis that would go whole, the first stays. */
static void keep_one(const cop_ranges *a, const cop_groups *s, uint8_t *drop)
{
	const cop_graph *g = a->g;

	for (int32_t v = 1; v <= g->n_value; v++)
		for (int i = 0; i < g->value[v].type.rank; i++) {
			int32_t left = 0;
			for (int32_t j = 0; j < g->value[v].type.dim[i]; j++) left += !drop[cop__group_of(s, (cop_vid)v, i, j)];
			if (!left) drop[cop__group_of(s, (cop_vid)v, i, 0)] = 0;
		}
}

/* What the channels that go add to sums becomes part of the biases. g: a's graph. */
static cop_status fold_into(cop_graph *g, const cop_ranges *a, const cop_groups *s, const uint8_t *drop, cop_nid n)
{
	cop_sums l;
	int32_t axis;
	cop_vid x = input_of(a->g, n, &axis);

	cop_vid to = cop__arg(g, n, 2) ? cop__arg(g, n, 2) : mean_behind(a->g, n);
	if (!to || !cop__sums_of(&l, a->g, n)) return COP_OK;
	void *b = cop__own(g, to);
	if (!b) return COP_NOMEM;
	for (int32_t o = 0; o < l.o; o++) {
		double more = 0;
		for (int32_t c = 0; c < l.c; c++) {
			bool zero = true;
			double sum = drop[cop__group_of(s, x, axis, c)] ? weight_sum(&l, o, c, &zero) : 0;
			if (!zero) more += a->of[x][c].lo * sum;
		}
		if (!l.b) more = -more; /* of a mean, which is taken away */
		if (l.b && l.b->type.dtype == COP_I32) ((int32_t *)b)[o] += (int32_t)more;
		else ((float *)b)[o] = (float)((double)((const float *)b)[o] + more);
	}
	return COP_OK;
}

static cop_status fold(cop_graph *g, const cop_ranges *a, const cop_groups *s, const uint8_t *drop)
{
	for (int32_t n = 1; n <= g->n_node; n++)
		if (dense(g, (cop_nid)n)) COP_TRY(fold_into(g, a, s, drop, (cop_nid)n));
	return COP_OK;
}

/* g: a's graph, whose biases change. */
static cop_status reduce(cop_graph **out, cop_graph *g, const cop_ranges *a, cop_drop how, int32_t *gone)
{
	cop_groups s;
	cop_status st = cop__groups(&s, g);
	uint8_t *drop = st ? NULL : cop__arena_get(&s.mem, (size_t)s.n_group + 1);
	cop_nid *mark = st ? NULL : cop__arena_get(&s.mem, sizeof *mark * (size_t)(s.n_group + 1));

	*gone = 0;
	if (!st && !(drop && mark)) st = COP_NOMEM;
	if (!st) {
		choose(a, &s, drop, mark, how);
		keep_one(a, &s, drop);
		for (int32_t k = 0; k < s.n_group; k++) *gone += drop[k];
		st = fold(g, a, &s, drop);
		if (!st) st = cop__pass_slice_groups(out, &s, drop);
	}
	cop__groups_free(&s);
	return st;
}

static cop_status once(cop_graph **out, const cop_graph *g, cop_drop how, int32_t *gone)
{
	cop_graph *own;
	cop_ranges a;

	*out = NULL;
	COP_TRY(cop__pass_copy(&own, g));
	cop_status st = cop__ranges(&a, own);
	if (!st) st = reduce(out, own, &a, how, gone);
	cop__ranges_free(&a);
	cop_graph_free(own);
	return st;
}

/* A filter that went may have been the last one to look at a channel: again, until nothing goes. */
cop_status cop__pass_drop_constant(cop_graph **out, const cop_graph *g, cop_drop how)
{
	cop_graph *next;
	int32_t gone, all = 0;

	*out = NULL;
	COP_TRY(cop__not_outline(g, "reduced by its weights"));
	COP_TRY(once(out, g, how, &gone));
	for (all = gone; gone; all += gone) {
		cop_status st = once(&next, *out, how, &gone);
		cop_graph_free(*out);
		*out = next;
		if (st) return st;
	}
	cop__log(g->cx, COP_LOG_INFO, "drop_constant: %d groups of channels went, which no input can change", all);
	return COP_OK;
}

cop_status cop__drop_constant_of(cop_graph **g, cop_drop how)
{
	cop_graph *less;

	COP_TRY(cop__pass_drop_constant(&less, *g, how));
	cop_graph_free(*g);
	*g = less;
	return COP_OK;
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *args)
{
	(void)args;
	return cop__pass_drop_constant(out, g, COP_DROP_ROUNDED);
}

const cop_pass cop_pass_drop_constant = {COP_ROW("drop_constant", "removes channels that no input can change; exact in int8"), run};
