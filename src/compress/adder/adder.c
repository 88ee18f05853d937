/* SPDX-License-Identifier: Apache-2.0
 *
 * adder - the stage: layers of distances in the place of layers of products (AdderNet), or behind them (ShiftAddNet, once the stage `shift` has
 * made powers of two of the products). The rate of each layer by the length of its gradient is the operator's business (op/addconv.c).
 */
#include "compress/adder/adder.h"
#include "compress/binarize/binarize.h"
#include "pass/pass.h"

static const cop_option options[] = {
	COP_OPT_FLAG(cop_adder_options, pair, "yes", "layers of products stay and get one of distances behind them; else one takes their place"),
	COP_OPT_WORD(cop_adder_options, start, "trained|random", "trained",
		"how distances begin: behind a layer so that nothing changes, and in its place with its weights at deviation 1; or as normal numbers"),
	COP_OPT_WHOLE(cop_adder_options, size, 1, 15, "1", "width and height of the filters behind a layer, an odd number; more than 1 can only begin random"),
	COP_OPT_FLAG(cop_adder_options, ends, "yes", "layers beside the input and before the output stay as they are"),
	COP_OPT_REAL(cop_adder_options, eta, 0, 100, "0.2", "the gradient of a layer's weights gets the length eta times the root of their number; 0: its own"),
	COP_OPT_WHOLE(cop_adder_options, samples, 1, 1e6, "256", "samples that show how far the sums of layers reach"),
	COP_OPT_END,
};

static cop_status check(cop_ctx *cx, const char *where, const void *own)
{
	const cop_adder_options *o = own;

	if (o->size % 2 == 0) return cop__error(cx, COP_ARG, "%s: size: %d must be odd, so that the border is the same on both sides", where, o->size);
	if (o->size == 1 || (o->pair && o->start == COP_START_RANDOM)) return COP_OK;
	return cop__error(cx, COP_ARG, "%s: size: only filters behind a layer have one (pair: yes), and more than 1 needs start: random", where);
}

/* Layers whose weights no other node reads and whose operands are vectors or images. */
static int choose(uint8_t *chosen, const cop_graph *g, const cop_stage *s, const int32_t *readers)
{
	const cop_adder_options *o = (const void *)s->own.bytes;
	int count = 0;

	(void)cop__choose_binary(chosen, g, s->terms.layers, o->ends);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_vid b = cop__arg(g, n, 2);
		int32_t rank = cop__outt(g, n, 0)->rank;
		if (readers[cop__arg(g, n, 1)] != 1 || (b && readers[b] != 1) || (rank != 2 && rank != 4) || (g->node[n].op == OP_fc && rank != 2)) chosen[n] = 0;
		count += chosen[n] != 0;
	}
	return count;
}

static cop_status made(cop_graph **out, const cop_graph *g, const cop_stage *s, const cop_means *m, cop_arena *mem)
{
	const cop_adder_options *o = (const void *)s->own.bytes;
	size_t n = (size_t)g->n_node + 1;
	uint8_t *chosen = cop__arena_get(mem, n);
	int32_t *readers = cop__readers(g, mem);
	cop_sums *of = o->pair && o->start == COP_START_TRAINED ? cop__arena_get(mem, sizeof *of * n) : NULL;

	if (!chosen || !readers || g->cx->code) return COP_NOMEM;
	if (!choose(chosen, g, s, readers))
		return cop__error(g->cx, COP_ARG, "recipe, line %d: adder: no layer that matches layers: %s lies between the first and the last one; ends: no takes those, too", s->line, s->terms.layers);
	if (of) COP_TRY(cop__look_at_sums(of, mem, g, chosen, m, o->samples));
	return cop__put_distances(out, g, chosen, of, o, m->a->seed);
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	cop_train_args a = cop__stage_args(s, m);
	cop_graph *out = NULL;
	cop_arena mem;

	cop__arena_init(&mem, (*g)->cx);
	cop_status st = made(&out, *g, s, m, &mem);
	cop__arena_free(&mem);
	if (!st) st = cop_graph_verify(out);
	if (!st && s->training.epochs > 0) st = cop__train(out, m->train, m->valid, &a, "adder", NULL, 0);
	if (st) return cop_graph_free(out), st;
	cop_graph_free(*g);
	*g = out;
	return COP_OK;
}

const cop_stage_row cop_stage_adder = {
	.row = {"adder", "layers of distances, which add and do not multiply, in the place of layers of products or behind them",
		"AdderNet: Chen et al. 2020, arXiv 1912.13200; ShiftAddNet: You et al. 2020, arXiv 2010.12785", options, sizeof(cop_adder_options)},
	.terms = cop__terms, .training = cop__training, .needs = COP_HAS_FLOATS, .never = COP_HAS_MASKS | COP_HAS_CODES | COP_HAS_INTEGERS | COP_HAS_SHARED,
	.check = check, .can = cop__can_binarize, .run = run,
};
