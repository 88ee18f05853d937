/* SPDX-License-Identifier: Apache-2.0
 *
 * branch - the nodes of both branches of an If stand in the order behind its condition. A guard names a branch: 2 node
 * + 1 or, of the other, + 2. What only a branch that is not taken asks for is never looked at.
 */
#include "io/onnx/model.h"

static int32_t around(const cop_ox *m, int32_t guard) { return guard ? m->node[(guard - 1) / 2].guard : 0; }

static int depth(const cop_ox *m, int32_t guard)
{
	int d = 0;
	for (; guard; guard = around(m, guard)) d++;
	return d;
}

/* The innermost branch that both stand in. */
static int32_t common(const cop_ox *m, int32_t a, int32_t b)
{
	int da = depth(m, a), db = depth(m, b);

	for (; da > db; da--) a = around(m, a);
	for (; db > da; db--) b = around(m, b);
	for (; a != b; a = around(m, a)) b = around(m, b);
	return a;
}

cop_status cop__ox_no_such_op(cop_ox *m, const cop_ox_node *n)
{
	return cop__ox_fail(m, n, "this operator is not supported; docs/onnx.md lists those that are");
}

/* Readers come first: what they all stand in holds for who they read. */
cop_status cop__ox_mark_guards(cop_ox *m, const int32_t *order, int32_t count)
{
	for (int32_t i = 0; i < count; i++) m->node[order[i]].guard = -1;
	for (int32_t i = 0; i < m->n_output; i++)
		if (m->value[m->output[i]].producer) m->node[m->value[m->output[i]].producer - 1].guard = 0;
	for (int32_t k = count - 1; k >= 0; k--) {
		const cop_ox_node *n = &m->node[order[k]];
		for (int i = 0; i < n->n_in; i++) {
			int32_t p = m->value[n->in[i]].producer, g = n->guard;
			if (!n->in[i] || !p) continue;
			if (cop__ox_is_if(n) && n->op && i) g = 2 * n->index + (i > n->n_out ? 2 : 1);
			m->node[p - 1].guard = m->node[p - 1].guard < 0 ? g : common(m, m->node[p - 1].guard, g);
		}
		if (!n->op && !n->guard) return cop__ox_no_such_op(m, n);
		if (cop__ox_is_if(n) && depth(m, n->guard) > 100)
			return cop__ox_fail(m, n, "depends on more than 100 conditions, one behind the other");
	}
	return COP_OK;
}

bool cop__ox_taken(cop_ox *m, int32_t guard)
{
	if (!guard) return true;
	const cop_ox_node *n = &m->node[(guard - 1) / 2];
	const int64_t *cond;
	int32_t count;

	if (!cop__ox_taken(m, n->guard) || cop__ox_known_ints(m, n, 0, &cond, &count)) return false;
	if (count != 1) return cop__ox_fail(m, n, "its condition must be one truth value"), false;
	return (*cond != 0) == (guard % 2 == 1);
}

/* The results of the branch that is taken. */
cop_status cop__ox_add_branch(cop_ox *m, cop_ox_node *n)
{
	int first = cop__ox_taken(m, 2 * n->index + 1) ? 1 : 1 + n->n_out;

	if (m->cx->code) return m->cx->code;
	for (int i = 0; i < n->n_out; i++) {
		cop_ox_value *x = cop__ox_in(m, n, first + i);
		if (!x) return cop__ox_fail(m, n, "a result of the branch is missing");
		COP_TRY(cop__ox_same(m, n, i, x));
	}
	return COP_OK;
}
