/* SPDX-License-Identifier: Apache-2.0
 *
 * shift - marks int8 layers whose weights are all 0 or plus or minus a power of two, as the stage `shift` leaves them:
 * on a board they lie in four bits each, and sums are shifts and additions (kernel/ref/qshift.c). Or as lists, a byte
 * each, of what is added and what subtracted before a sum is doubled (qlists.c). Results stay the same, bit by bit.
 *
 * A graph with marks is run as any other on a host, and its file is no smaller: files are coded anyway.
 */
#include "kernel/shift.h"
#include "pass/pass.h"

typedef struct shift_options {
	char layers[256];
	bool lists;
} shift_options;
typedef struct marker {
	const cop_graph *g;
	const char *layers;
	int32_t found, marked; /* layers that match, and those that are shifts */
	cop_nid other;         /* the first that is not */
	int32_t holds;         /* and a weight of it */
} marker;

static const cop_value *weight_of(const cop_graph *g, cop_nid n)
{
	return &g->value[cop__arg(g, n, 1)];
}

static bool could(const cop_graph *g, cop_nid n, const char *layers)
{
	const cop_value *w = weight_of(g, n);
	return g->node[n].op == OP_qconv && w->role == COP_CONST && w->data && cop__match(layers, w->name);
}

/* Are all weights of node n powers of two? *holds: one that is none. */
static bool shifts(const cop_graph *g, cop_nid n, int32_t *holds)
{
	const cop_value *w = weight_of(g, n);
	const int8_t *v = w->data;
	int64_t count = cop_type_count(&w->type);

	*holds = 0; /* of four bits already, or too long */
	if (w->type.dtype != COP_I8 || cop__in(g, n, 0)->dtype != COP_I8 || count / w->type.dim[0] > COP_SHIFT_TAPS) return false;
	for (int64_t i = 0; i < count; i++)
		if (cop_shift_code(v[i]) < 0) return *holds = v[i], false;
	return true;
}

/* Whether node n becomes marked. */
static bool mark(marker *m, cop_nid n)
{
	int32_t holds;

	if (!could(m->g, n, m->layers)) return false;
	m->found++;
	if (shifts(m->g, n, &holds)) return m->marked++, true;
	if (!m->other) m->other = n, m->holds = holds;
	cop__log(m->g->cx, COP_LOG_INFO, "shift: '%s' is left as it is: not all of its weights are powers of two",
	        weight_of(m->g, n)->name);
	return false;
}

static cop_status nothing(const marker *m)
{
	const cop_graph *g = m->g;

	if (m->holds)
		return cop__error(g->cx, COP_ARG,
		        "shift: '%s' holds %d, and only 0 and powers of two up to 64 can be shifts: train with the "
			"stage "
		        "`shift` before you quantize to w8a8",
		        weight_of(g, m->other)->name, m->holds);
	if (m->other)
		return cop__error(g->cx, COP_ARG, "shift: the weights or the input of '%s' are no int8: quantize to w8a8",
		        weight_of(g, m->other)->name);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (could(g, n, "*"))
			return cop__error(g->cx, COP_ARG, "shift: no weight of an int8 layer is named '%s'", m->layers);
	return cop__error(g->cx, COP_ARG,
	        "shift: '%s' has no int8 layer, and only their weights can be shifts: quantize the network first",
	        g->name);
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *options)
{
	const shift_options *o = options;
	marker m = {.g = g, .layers = o->layers};
	cop_vid *map;
	char kind;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) {
		cop_node d = g->node[n];
		if (d.op == OP_qconv) d.attr[cop__attr_find(cop__op(g, n), "shift", &kind, NULL)] = mark(&m, n) ? o->lists ? COP_SHIFT_LISTS : COP_SHIFT_CODES : 0;
		st = cop__copy_as(*out, g, map, n, &d);
	}
	if (!st && !m.marked) st = nothing(&m);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

static const cop_option table[] = {
        COP_OPT_TEXT(shift_options, layers, "*", "which weights: names, `*` for any run, `|` between alternatives"),
        COP_OPT_FLAG(shift_options, lists, "no", "lists of a byte for each weight: as much flash as int8, but fewer instructions than half of it take"),
        COP_OPT_END,
};

const cop_pass cop_pass_shift = {{"shift",
                                         "marks int8 layers whose weights are powers of two: on a board they take half "
					 "of the flash, and sums are shifts and additions",
                                         NULL, table, sizeof(shift_options)},
        run};
