/* SPDX-License-Identifier: Apache-2.0
 *
 * state - what a model keeps from one run to the next. A resource variable is a STATE of the graph: it is read as it was
 * before the run, or as this run has written it, and an `assign` at the graph's end keeps what was written last. Its first
 * contents are those that the subgraph behind CALL_ONCE gives it, else zeros.
 */
#include "io/tflite/tflite.h"

#include <stdio.h>

enum { MOST_VARIABLES = 1024 };

static cop_tfl_variable *variable_of(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *t = cop__tfl_in(m, n, 0);

	if (t && t->variable) return &m->variable[t->variable - 1];
	cop__tfl_fail(m, n, "input 0 ('%s') is no handle that VAR_HANDLE made", t ? t->name : "");
	return NULL;
}

/* Variables of the same name are one. */
cop_status cop__tfl_var_handle(cop_tfl *m, const cop_tfl_node *n)
{
	cop_fb_vec name = cop__fb_vec(&n->options, VAR_SHARED_NAME, 1);
	cop_tfl_tensor *y = cop__tfl_out(m, n, 0);
	char own[64];
	int32_t i = 0;

	cop__tfl_name(own, &name);
	if (!m->variable && !(m->variable = cop__arena_get(&m->mem, sizeof *m->variable * MOST_VARIABLES))) return COP_NOMEM;
	while (i < m->n_variable && strcmp(m->variable[i].name, own)) i++;
	if (i == MOST_VARIABLES) return cop__tfl_fail(m, n, "more than %d variables", MOST_VARIABLES);
	if (i == m->n_variable) memcpy(m->variable[m->n_variable++].name, own, sizeof own);
	y->variable = i + 1;
	return COP_OK;
}

/* The state itself, made when its type is first known. */
static cop_status make_state(cop_tfl *m, const cop_tfl_node *n, cop_tfl_variable *v, const cop_type *t)
{
	char name[80];
	cop_type own = cop__type(t->dtype, t->rank, t->dim);

	if (v->state) return COP_OK;
	if (!own.dtype) return cop__tfl_fail(m, n, "variable '%s' has a number format that is not supported", v->name);
	for (int i = 0; i < own.rank; i++)
		if (own.dim[i] < 1) return cop__tfl_fail(m, n, "variable '%s' has an open dimension; convert the model with fixed shapes", v->name);
	if (v->data && (v->type.dtype != own.dtype || cop_type_count(&v->type) != cop_type_count(&own)))
		return cop__tfl_fail(m, n, "variable '%s' starts with contents of another shape or number format", v->name);
	if (cop__tfl_spend(m, cop_type_bytes(&own))) return m->cx->code;
	cop__tfl_unique(m->g, name, *v->name ? v->name : "state");
	v->state = v->now = cop__data(m->g, COP_STATE, name, &own, v->data);
	return v->state ? COP_OK : m->cx->code;
}

cop_status cop__tfl_read_variable(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_variable *v = variable_of(m, n);

	if (!v) return m->cx->code;
	if (m->once) return cop__tfl_fail(m, n, "is not supported in what CALL_ONCE calls");
	if (!v->now) COP_TRY(make_state(m, n, v, &cop__tfl_out(m, n, 0)->type));
	return cop__tfl_set(m, n, 0, v->now);
}

cop_status cop__tfl_assign_variable(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_variable *v = variable_of(m, n);
	cop_tfl_tensor *x = cop__tfl_in(m, n, 1);

	if (!v || !x) return v ? cop__tfl_fail(m, n, "input 1 is missing") : m->cx->code;
	if (m->once) {
		v->data = cop__tfl_data(m, x);
		v->type = x->type;
		return v->data || m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "the first contents of variable '%s' must be a constant", v->name);
	}
	cop_vid value = cop__tfl_value(m, n, 1);
	if (!value) return m->cx->code;
	COP_TRY(make_state(m, n, v, cop__t(m->g, value)));
	if (cop__t(m->g, value)->dtype != cop__t(m->g, v->state)->dtype || !cop__same_shape(cop__t(m->g, value), cop__t(m->g, v->state)))
		return cop__tfl_fail(m, n, "variable '%s' is given a value of another shape or number format", v->name);
	v->now = value;
	return COP_OK;
}

/* What was written last stays for the next run. */
cop_status cop__tfl_keep_variables(cop_tfl *m)
{
	for (int32_t i = 0; i < m->n_variable; i++) {
		const cop_tfl_variable *v = &m->variable[i];
		if (v->now == v->state) continue;
		cop_vid now = cop__tfl_own(m->g, v->now); /* two states may change places */
		if (!now || !cop__apply(m->g, OP_assign, NULL, VIDS(v->state, now))) return m->cx->code;
	}
	return COP_OK;
}

/* ---- SVDF: each filter looks at one frame, and remembers its last `memory` answers, which are weighed over time ----
 * Nakkiran, Alvarez, Prabhavalkar, Parada 2015. */

/* A tensor that is variable: zeros at first. */
static cop_status memory(cop_tfl *m, const cop_tfl_node *n, cop_tfl_tensor *t, int32_t batch, int32_t filters, int32_t length, cop_vid *out)
{
	char name[80];
	cop_type own = cop__type(COP_F32, 3, DIMS(batch, filters, length));

	if (!t || !cop__tfl_is(t, COP_F32) || cop_type_count(&t->type) != cop_type_count(&own) || t->v || t->bytes.n)
		return cop__tfl_fail(m, n, "input 4 must be a variable of %d x %d x %d floats", batch, filters, length);
	if (cop__tfl_spend(m, cop_type_bytes(&own))) return m->cx->code;
	snprintf(name, sizeof name, "svdf%d.memory", n->index);
	*out = cop__data(m->g, COP_STATE, name, &own, NULL);
	return *out ? COP_OK : m->cx->code;
}

cop_status cop__tfl_svdf(cop_tfl *m, const cop_tfl_node *n)
{
	cop_tfl_tensor *wf = cop__tfl_in(m, n, 1), *wt = cop__tfl_in(m, n, 2), *bias = cop__tfl_in(m, n, 3);
	int32_t rank = cop__fb_int(&n->options, SVDF_RANK, 4, 0);
	cop_vid x = cop__tfl_value(m, n, 0), state, b = 0;
	cop_act_attr act, open = {COP_NO_LO, COP_NO_HI};
	cop_graph *g = m->g;

	if (!x) return m->cx->code;
	bool whole = cop__t(g, x)->dtype == COP_I8;
	COP_TRY(cop__tfl_act(m, n, SVDF_ACT, &act.lo, &act.hi));
	if (!wf || !wt || wf->type.rank != 2 || wt->type.rank != 2 || cop__t(g, x)->rank != 2 || (!whole && (!cop__tfl_is(wf, COP_F32) || !cop__tfl_is(wt, COP_F32))))
		return cop__tfl_fail(m, n, "input and both weights must be matrices, of floats or of integers");
	int32_t batch = cop__t(g, x)->dim[0], filters = wf->type.dim[0], length = wt->type.dim[1];
	if (rank < 1 || filters < 1 || length < 1 || filters % rank || wt->type.dim[0] != filters || wf->type.dim[1] != cop__t(g, x)->dim[1])
		return cop__tfl_fail(m, n, "weights [%d,%d] and [%d,%d] of rank %d do not fit", filters, wf->type.dim[1], wt->type.dim[0], length, rank);
	if (whole) return cop__tfl_int_svdf(m, n, rank);
	if (bias && (!(b = cop__tfl_value(m, n, 3)) || cop_type_count(&bias->type) != filters / rank))
		return m->cx->code ? m->cx->code : cop__tfl_fail(m, n, "the bias must have %d entries", filters / rank);
	COP_TRY(memory(m, n, cop__tfl_in(m, n, 4), batch, filters, length, &state));
	cop_vid weight = cop__tfl_value(m, n, 1), over = weight ? cop__tfl_value(m, n, 2) : 0;
	if (!over) return m->cx->code;
	cop_vid parts[2] = {length > 1 ? cop__make_slice(g, state, 2, 1, length - 1, 1) : 0,
		cop__make_reshape(g, cop__apply(g, OP_fc, &open, VIDS(x, weight)), 3, DIMS(batch, filters, 1))};
	cop_vid now = length > 1 ? cop__make_concat(g, 2, 2, parts) : parts[1];
	if (!now || !cop__apply(g, OP_assign, NULL, VIDS(state, now))) return m->cx->code;
	cop_vid y = cop__make_reduce(g, REDUCE_SUM, cop__make_two(g, OP_mul, now, over), 4, false);
	y = cop__make_reduce(g, REDUCE_SUM, cop__make_reshape(g, y, 3, DIMS(batch, filters / rank, rank)), 4, false);
	if (b) y = cop__make_two(g, OP_add, y, b);
	return cop__tfl_set(m, n, 0, act.lo != COP_NO_LO || act.hi != COP_NO_HI ? cop__make_clip(g, y, act.lo, act.hi) : y);
}
