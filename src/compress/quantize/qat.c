/* SPDX-License-Identifier: Apache-2.0
 *
 * qat - the stage: the network trains with its values and weights rounded as they will be in integers
 * (quantisation-aware training), and then is one of integers. It begins where quantisation after training ends, with
 * batch norm folded (static folding, Nagel et al. 2021, arXiv 2106.08295, section 4.2).
 */
#include "compress/quantize/fake.h"
#include "compress/quantize/oscillate.h"

#include <stdio.h>

typedef struct qat_options {
	int32_t weights, activations, range, per, round, limit;
	bool symmetric, ends, sums, steps, integers;
	char keep[128];
	float ewgs, slower, freeze, freeze_from;
} qat_options;

#define RANGES "minmax|percentile|mse|kl"
static const char *const ranges[] = {"minmax", "percentile", "mse", "kl"}, *const roundings[] = {
                                                                                   "nearest", "gptq", "adaround", "block", "qdrop"};
static const cop_option options[] = {
        COP_OPT_WHOLE(qat_options, weights, 2, 8, "8",
                "bits of weights; a network that is rounded already keeps what it has"),
        COP_OPT_WHOLE(qat_options, activations, 2, 8, "8", "bits of activations"),
        COP_OPT_WORD(qat_options, per, "channel|tensor", "channel", "what has a step of its own among the weights"),
        COP_OPT_FLAG(qat_options, ends, "yes", "layers beside the input and before the output keep weights of 8 bits, and the last ones read values of 8 bits"),
        COP_OPT_FLAG(qat_options, sums, "yes",
                "with activations below 8 bits, sums of shortcuts and what they add keep 8; layers read them with fewer"),
        COP_OPT_FLAG(qat_options, steps, "yes", "the steps are trained, too; else they stay as they were found"),
        COP_OPT_REAL(qat_options, ewgs, 0, 1, "0.001",
                "a gradient's growth with the distance from the integer that it leaves (EWGS); 0: straight through"),
        COP_OPT_REAL(qat_options, freeze, 0, 1, "0",
                "a weight that turns back and forth between two integers is fixed when it does so in more than this "
                "part of the steps (Nagel et al. 2022, arXiv 2203.11086); 0: none is fixed"),
        COP_OPT_REAL(qat_options, freeze_from, 0, 1, "0.04",
                "the same at the first step; it falls to `freeze` along a cosine"),
        COP_OPT_WORD(qat_options, range, RANGES, "mse", "how the first ranges of activations are found"),
        COP_OPT_WORD(qat_options, round, "auto|nearest|gptq|adaround|block|qdrop", "auto",
                "how weights are rounded to begin with, as in quantize"),
        COP_OPT_FLAG(qat_options, symmetric, "no", "ranges of activations with zero in the middle"),
        COP_OPT_NAMES(qat_options, keep, NULL, "layers that stay float"),
        COP_OPT_WHOLE(qat_options, limit, 0, 1e6, "256", "samples for the first ranges; 0: all"),
        COP_OPT_FLAG(qat_options, integers, "yes",
                "the result is the network of integers; else the one that trains, for more training; the pass "
                "`integers` then finishes it"),
        COP_OPT_REAL(qat_options, slower, 0, 1e6, "0",
                "the learning rate is the command line's over this, unless the stage sets lr; 0: 100 with 8 bits and "
                "30 with fewer; with adam and other rules whose moves are as large as the rate, 10 and 1"),
        COP_OPT_END,
};

/* Masks of pruned weights are no part of the network that is deployed, and of training they are. */
static cop_status carry_masks(cop_graph *to, const cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		cop_vid mask = cop__follower(g, (cop_vid)v, "mask"), w = mask ? cop__find(to, g->value[v].name) : 0;
		if (!w || !cop__same_shape(cop__t(to, w), cop__t(g, mask))) continue;
		if (!cop__follow(to, w, COP_STATE, "mask", cop__t(g, mask), cop__floats(g, mask)))
			return cop__failed(g->cx);
	}
	return COP_OK;
}

static bool has_integers(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (cop__op(g, n)->flags & COP_OP_QUANT) return true;
	return false;
}

/* The graph that trains: as it is, but for rounding. What rounds already, or is one of integers, keeps its bits. */
static cop_status rounding(cop_graph **out, const cop_graph *g, const qat_options *o, const cop_means *m)
{
	if ((cop__rounds(g) || has_integers(g)) && o->weights + o->activations < 16)
		cop__log(g->cx, COP_LOG_WARN,
		        "qat: '%s' is rounded already and keeps the bits that it has, whatever weights and activations "
			"say",
		        g->name);
	if (cop__rounds(g)) return cop__pass_copy(out, g);
	if (has_integers(g)) return cop__pass_floats(out, g);

	const cop_quantize_args a = {.range = ranges[o->range],
	        .round = o->round ? roundings[o->round - 1] : NULL,
	        .keep = *o->keep ? o->keep : NULL,
	        .per_tensor = o->per == 1,
	        .symmetric = o->symmetric,
	        .wide_ends = o->ends,
	        .narrow_sums = !o->sums,
	        .limit = o->limit,
	        .threads = m->a->threads,
	        .seed = m->a->seed};
	cop_quantizer z = {.a = &a, .weight_bits = o->weights, .act_bits = o->activations};
	cop_status st = cop__quantizer_open(&z, g, m->train);

	if (!st) st = cop__set_ranges(&z);
	if (!st) st = cop__quantize_weights(&z);
	if (!st) st = cop__fake(out, &z, &(cop_faking){o->steps, o->ewgs});
	if (!st) st = carry_masks(*out, g);
	cop__quantizer_close(&z);
	return st;
}

static cop_status train(cop_graph *g, const qat_options *o, const cop_means *m, const cop_train_args *a)
{
	const cop_freezing how = {o->freeze_from, o->freeze};
	cop_policy policy;
	cop_arena mem;

	cop__arena_init(&mem, g->cx);
	cop_status st = cop__freezing(&policy, &mem, &how);
	if (!st) st = cop__train(g, m->train, m->valid, a, "qat", &policy, o->freeze > 0);
	cop__arena_free(&mem);
	return st;
}

/* What a rate is divided by. Rules whose moves have a size of their own begin with rates as small as others end with. */
static float usual(const qat_options *o, const cop_train_args *a)
{
	const bool own_size = a->update && cop__update_said(a->update)->own_size, eight = o->weights + o->activations == 16;

	return own_size ? eight ? 10 : 1 : eight ? 100 : 30;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const qat_options *o = (const void *)s->own.bytes;
	cop_train_args a = cop__stage_args(s, m);
	cop_graph *rounds = NULL, *whole = NULL;

	if (!(s->training.lr > 0)) a.lr /= o->slower > 0 ? o->slower : usual(o, &a);
	COP_TRY(rounding(&rounds, *g, o, m));
	cop_status st = train(rounds, o, m, &a);
	if (!st && o->integers) st = cop__pass_unfake(&whole, rounds);
	if (!st && o->integers) st = cop_graph_verify(whole);
	cop_graph *result = st ? NULL : o->integers ? whole : rounds;
	if (rounds != result) cop_graph_free(rounds);
	if (whole != result) cop_graph_free(whole);
	if (st) return st;
	cop_graph_free(*g);
	*g = result;
	return COP_OK;
}

static uint32_t spares(const void *own)
{
	return *((const qat_options *)own)->keep ? COP_HAS_FLOATS : 0;
}

static cop_status fits(const cop_graph *g, const cop_stage *s)
{
	char where[80];

	snprintf(where, sizeof where, "recipe, line %d: qat: layers:", s->line);
	return has_integers(g) ? COP_OK : cop__some_usable(g, where, "*", cop__can_quantize);
}
static uint32_t given(const void *own)
{
	return ((const qat_options *)own)->integers ? COP_HAS_INTEGERS : COP_HAS_FLOATS | COP_HAS_ROUNDING;
}

const cop_stage_row cop_stage_qat = {
        .row = {"qat", "trains the network with its numbers rounded as integers will be, and makes it one of integers",
                "Jacob et al. 2018, arXiv 1712.05877; steps: Esser et al. 2020, arXiv 1902.08153", options,
                sizeof(qat_options)},
        .terms = cop__terms_whole,
        .training = cop__training,
        .never = COP_HAS_CODES | COP_HAS_SHARED,
        .gives = COP_HAS_INTEGERS,
        .takes = COP_HAS_FLOATS | COP_HAS_MASKS | COP_HAS_ROUNDING,
        .bears_rounding = true,
        .spares = spares,
        .given = given,
        .fits = fits,
        .run = run,
};
