/* SPDX-License-Identifier: Apache-2.0
 *
 * head - a new last layer for other classes: fully connected, of floats, and drawn at random, in the place of the layer that makes the scores. What stands
 * behind that layer (a softmax, a dequantize) goes with it; in a network of integers what it read is dequantised. The names of the classes go, too.
 */
#include "op/qscale.h"
#include "pass/pass.h"

#include <math.h>

typedef struct head_options { int32_t classes, seed; } head_options;

cop_nid cop__scores_layer(const cop_graph *g)
{
	cop_nid n = g->n_output == 1 ? g->value[g->output[0]].producer : 0;

	for (; n; n = g->value[cop__arg(g, n, 0)].producer) {
		int op = g->node[n].op;
		if (op == OP_fc || (op == OP_qconv && cop__in(g, n, 0)->dim[1] * cop__in(g, n, 0)->dim[2] == 1)) return n;
		if (op != OP_softmax && op != OP_qsoftmax && op != OP_dequantize && !(cop__op(g, n)->flags & COP_OP_VIEW)) return 0;
	}
	return 0;
}

cop_vid cop__as_rows(cop_graph *out, cop_vid x, float scale, int32_t zero)
{
	if (!x || cop__t(out, x)->dtype == COP_F32) return x;
	x = cop__apply(out, OP_reshape, &(cop_shape_attr){2, {0, -1}}, VIDS(x));
	return x ? cop__apply(out, OP_dequantize, &(cop_dequantize_attr){scale, zero}, VIDS(x)) : 0;
}

/* What the layer reads, as rows of floats. */
static cop_vid features(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n)
{
	double *scale = cop__arena_get(&out->mem, sizeof *scale * ((size_t)g->n_value + 1));

	if (!scale || g->node[n].op == OP_fc) return scale ? map[cop__arg(g, n, 0)] : 0;
	COP_ATTR(cop_qconv_attr, a, g, n);
	cop__int_scales(scale, g);
	return cop__as_rows(out, map[cop__arg(g, n, 0)], (float)scale[cop__arg(g, n, 0)], a.zx);
}

cop_vid cop__drawn(cop_graph *g, const char *name, int32_t rows, int32_t in, int32_t seed)
{
	const cop_type t = cop__type(COP_F32, 2, DIMS(rows, in));
	const float bound = 1 / sqrtf((float)in);
	cop_vid w = cop__data(g, COP_PARAM, name, &t, NULL);
	float *to = w ? cop__own(g, w) : NULL;

	for (int32_t i = 0; to && i < rows * in; i++) to[i] = bound * (2 * cop__rand_unit((uint32_t)seed, cop__hash_text(name), (uint64_t)i) - 1);
	return to ? w : 0;
}

static cop_vid new_layer(cop_graph *g, cop_vid x, const head_options *o)
{
	const cop_type bt = cop__type(COP_F32, 1, &o->classes);
	cop_vid w = cop__drawn(g, "head.w", o->classes, cop__t(g, x)->dim[cop__t(g, x)->rank - 1], o->seed), b = w ? cop__data(g, COP_PARAM, "head.b", &bt, NULL) : 0;

	return b ? cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, w, b)) : 0;
}

static cop_status replace(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid last, const head_options *o)
{
	COP_TRY(cop__copy_inputs(out, g, map));
	for (cop_nid n = 1; n < last; n++) COP_TRY(cop__copy_node(out, g, map, n));
	cop_vid x = features(out, g, map, last);
	if (x && cop__t(out, x)->rank != 2) return cop__fail(g, COP_SHAPE, last, "head: the last layer reads values of %d axes, not rows of features", cop__t(out, x)->rank);
	cop_vid y = x ? new_layer(out, x, o) : 0;
	return y ? cop__output(out, y, g->value[g->output[0]].name) : cop__failed(g->cx);
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	const cop_nid last = cop__scores_layer(g);
	cop_graph *made;
	cop_vid *map;

	*out = NULL;
	if (!last) return cop__error(g->cx, COP_ARG, "head: '%s' does not end in a fully connected layer that gives the scores, so there is none to replace", g->name);
	if (cop__find(g, "head.w") && cop__arg(g, last, 1) != cop__find(g, "head.w"))
		return cop__error(g->cx, COP_ARG, "head: '%s' has a weight 'head.w' elsewhere", g->name);
	COP_TRY(cop__copy_begin(&made, g, &map));
	made->classes.count = made->targets.count = 0;
	made->accuracy = -1;
	cop_status st = replace(made, g, map, last, a);
	if (!st) st = cop__pass_dce(out, made);
	cop_graph_free(made);
	return st;
}

static const cop_option options[] = {
	COP_OPT_WHOLE(head_options, classes, 2, 1 << 16, "2", "how many classes the network is to tell apart"),
	COP_OPT_WHOLE(head_options, seed, 0, 1 << 30, "1", "of the weights' draws"),
	COP_OPT_END,
};

const cop_pass cop_pass_head = {{"head", "puts a new last layer in the place of the old one, for other classes", NULL, options, sizeof(head_options)}, run};
