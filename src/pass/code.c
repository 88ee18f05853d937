/* SPDX-License-Identifier: Apache-2.0
 *
 * code - marks weights of int8 layers that are to lie coded in flash on a device (kernel/coded.h, kernel/runs.h). They are
 * decoded into RAM just before their layer runs: fewer bytes of flash, for RAM that they take meanwhile, and about ten
 * instructions a weight (tables), or about three hundred a weight that is not zero (adaptive). Results stay the same, bit by bit.
 *
 * A layer whose weights take more RAM than is given to them is computed in parts, some of its filters each; what the
 * parts make is put together by `paste`.
 *
 * A graph with marks is run as any other on a host, and its file is no smaller: files are coded anyway.
 */
#include "enc/code.h"
#include "enc/runs.h"
#include "pass/pass.h"

#include <stdio.h>

#define MOST 0.9f
#define MOST_TEXT "0.9"
typedef struct code_options { char layers[256]; float most; int32_t buffer, by; } code_options;
typedef struct coder { const cop_graph *g; cop_graph *out; cop_vid *map; const char *layers; float most; cop_coding how; int32_t found; } coder;

static const cop_value *weight_of(const cop_graph *g, cop_nid n) { return &g->value[cop__arg(g, n, 1)]; }

static bool could(const cop_graph *g, cop_nid n, const char *layers)
{
	return g->node[n].op == OP_qconv && weight_of(g, n)->role == COP_CONST && weight_of(g, n)->data &&
		cop__match(layers, weight_of(g, n)->name);
}

bool cop__can_code(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (could(g, n, "*")) return true;
	return false;
}

static cop_status pays(bool *yes, const coder *c, cop_nid n)
{
	const cop_value *w = weight_of(c->g, n);
	size_t bytes = cop_type_bytes(&w->type), size;
	void *code;

	COP_TRY((c->how.by == COP_CODE_ADAPTIVE ? cop__code_runs : cop__code_image)(&code, &size, c->g->cx, w->data, bytes));
	cop__free(c->g->cx, code);
	*yes = (double)size <= (double)c->most * (double)bytes;
	return COP_OK;
}

/* ---- parts ---- */

/* In how many parts: of two filters at least, since kernels take them in pairs. */
static int32_t parts_of(const cop_graph *g, cop_nid n, int32_t buffer)
{
	const cop_type *w = &weight_of(g, n)->type;
	COP_ATTR(cop_qconv_attr, a, g, n);
	size_t bytes = cop_type_bytes(w);

	if (!buffer || a.groups > 1 || w->dtype != COP_I8 || bytes <= (size_t)buffer) return 1;
	return (int32_t)COP_MIN((bytes + (size_t)buffer - 1) / (size_t)buffer, COP_MAX(1, (size_t)w->dim[0] / 2));
}

/* Where part i begins: at an even filter. */
static int32_t part_at(int32_t filters, int32_t parts, int32_t i)
{
	return i == parts ? filters : (int32_t)((int64_t)filters * i / parts) & ~1;
}

/* Filters [from, to) of operand v, along its axis: the first of weights and biases, the last of multipliers. */
static cop_vid some_of(coder *c, cop_vid v, int axis, int32_t from, int32_t to)
{
	const cop_value *x = &c->g->value[v];
	cop_type t = x->type;
	char name[128];
	size_t filters = (size_t)t.dim[axis], n = (size_t)(to - from), each = cop_type_bytes(&t) / filters,
		rows = axis ? (size_t)t.dim[0] : 1;
	uint8_t *data = cop__arena_get(&c->out->mem, n * each);

	if (!data) return 0;
	for (size_t r = 0; r < rows; r++) memcpy(data + r * n * each / rows, (const uint8_t *)x->data + (r * filters + (size_t)from) * each / rows, n * each / rows);
	t.dim[axis] = to - from;
	snprintf(name, sizeof name, "%.100s.%d", x->name, from);
	return cop__data(c->out, x->role, name, &t, data);
}

static cop_status in_parts(coder *c, cop_nid n, const cop_node *d, int32_t parts)
{
	const cop_graph *g = c->g;
	const int32_t filters = weight_of(g, n)->type.dim[0], m_axis = cop__in(g, n, 3)->rank - 1;
	cop_vid x = cop__copy_value(c->out, g, c->map, d->in[0]), canvas = 0;

	for (int32_t i = 0; i < parts; i++) {
		int32_t from = part_at(filters, parts, i), to = part_at(filters, parts, i + 1);
		cop_vid w = some_of(c, d->in[1], 0, from, to), b = some_of(c, d->in[2], 0, from, to),
			m = some_of(c, d->in[3], m_axis, from, to);
		cop_vid y = x && w && b && m ? cop__apply(c->out, OP_qconv, d->attr, VIDS(x, w, b, m)) : 0;
		if (!y) return cop__failed(g->cx);
		if (!i) canvas = cop__apply(c->out, OP_pad, &(cop_pad_attr){.after = {0, 0, 0, filters - to}}, VIDS(y));
		else canvas = cop__apply(c->out, OP_paste, &(cop_paste_attr){3, from}, VIDS(canvas, y));
		if (!canvas) return cop__failed(g->cx);
	}
	cop__map_to(c->out, g, c->map, d->out[0], canvas);
	return COP_OK;
}

static cop_status put_node(coder *c, cop_nid n)
{
	cop_node d = c->g->node[n];
	char kind;
	bool yes = false;

	if (!could(c->g, n, c->layers)) return cop__copy_node(c->out, c->g, c->map, n);
	c->found++;
	if (!c->how.skip || !c->how.skip[n]) COP_TRY(pays(&yes, c, n));
	d.attr[cop__attr_find(cop__op(c->g, n), "coded", &kind, NULL)] = yes ? c->how.by : COP_CODE_NONE;
	int32_t parts = yes && !d.guard && (!c->how.whole || !c->how.whole[n]) ? parts_of(c->g, n, c->how.buffer) : 1;
	return parts > 1 ? in_parts(c, n, &d, parts) : cop__copy_as(c->out, c->g, c->map, n, &d);
}

static cop_status nothing_to_code(const cop_graph *g, const char *layers)
{
	if (cop__can_code(g)) return cop__error(g->cx, COP_ARG, "code: no weight of an int8 layer is named '%s'", layers);
	return cop__error(g->cx, COP_ARG,
		"code: '%s' has no int8 layer, and only their weights can be coded: quantize the network first", g->name);
}

static cop_status code(cop_graph **out, const cop_graph *g, const char *layers, float most, const cop_coding *how)
{
	coder c = {.g = g, .layers = layers, .most = most, .how = *how};

	COP_TRY(cop__copy_begin(out, g, &c.map));
	c.out = *out;
	cop_status st = cop__copy_inputs(*out, g, c.map);
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = put_node(&c, n);
	if (!st && !c.found) st = nothing_to_code(g, layers);
	if (!st) st = cop__copy_rest(*out, g, c.map);
	return cop__pass_end(out, st);
}

cop_status cop__pass_code(cop_graph **out, const cop_graph *g, const cop_coding *how) { return code(out, g, "*", MOST, how); }

static const cop_option options[] = {
	COP_OPT_TEXT(code_options, layers, "*", "which weights: names, `*` for any run, `|` between alternatives"),
	COP_OPT_REAL(code_options, most, 0, 1, MOST_TEXT,
		"the part of its bytes that the code of a weight may take at most; 0: none is coded"),
	COP_OPT_WHOLE(code_options, buffer, 0, 1 << 30, "0",
		"bytes of RAM for the decoded weights of a layer: larger ones are computed in parts; 0: any"),
	COP_OPT_WORD(code_options, by, "tables|adaptive", "tables", "the code: `tables` are decoded fast, `adaptive` is shorter where most weights are zero"),
	COP_OPT_END,
};

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	const code_options *o = a;
	return code(out, g, o->layers, o->most, &(cop_coding){.by = o->by ? COP_CODE_ADAPTIVE : COP_CODE_TABLES, .buffer = o->buffer});
}

const cop_pass cop_pass_code = {{"code",
	"marks weights of int8 layers that lie coded in flash, where that makes them smaller: "
	"fewer bytes, for RAM and instructions", NULL, options, sizeof(code_options)}, run};
