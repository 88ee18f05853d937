/* SPDX-License-Identifier: Apache-2.0
 *
 * quantize - the call, step by step, and the stage of recipes.
 */
#include "core/need.h"
#include "compress/quantize/mixed.h"
#include "enc/enc.h"

#include <math.h>
#include <stdio.h>

/* ---- options ---- */

static bool limited(const cop_quantize_args *a) { return a->file || a->flash || a->instructions; }

typedef struct scheme { const char *name; int weights, activations; } scheme; /* activations 32: weights alone */
static const scheme schemes[] = {{"w8a8", 8, 8}, {"w4a8", 4, 8}, {"w3a8", 3, 8}, {"w2a8", 2, 8}, {"w4a4", 4, 4}, {"w2a4", 2, 4}, {"w8a16", 8, 16}, {"w8", 8, 32}, {"fp16", 16, 32}};
static const char *const ranges[] = {[COP_RANGE_MINMAX] = "minmax", [COP_RANGE_PERCENTILE] = "percentile",
	[COP_RANGE_MSE] = "mse", [COP_RANGE_KL] = "kl"};

/* Which of the words, which are separated by a space; NULL: the first. */
static cop_status find_word(int *out, cop_ctx *cx, const char *what, const char *name, const char *words)
{
	char list[96];
	size_t len = 0;
	cop_hint hint;

	*out = 0;
	for (const char *w = words; name; w += len + 1, ++*out) {
		len = strcspn(w, " ");
		if (len == strlen(name) && !memcmp(w, name, len)) return COP_OK;
		if (!w[len]) break;
	}
	if (!name) return COP_OK;
	len = 0;
	for (const char *w = words; *w; w++) {
		const char one[2] = {*w}, *put = *w != ' ' ? one : strchr(w + 1, ' ') ? ", " : " and ";
		len += (size_t)cop__format(list + len, sizeof list - len, "%s", put);
	}
	return cop__error(cx, COP_ARG, "quantize: there is no %s '%s'; there are %s%s", what, name, list,
		cop__hint_in(&hint, name, strlen(name), words));
}

static const char *const roundings[] = {[COP_ROUND_NEAREST] = "nearest", [COP_ROUND_GPTQ] = "gptq", [COP_ROUND_ADAROUND] = "adaround",
	[COP_ROUND_BLOCK] = "block", [COP_ROUND_QDROP] = "qdrop"};

static cop_status find_scheme(const scheme **out, cop_ctx *cx, const cop_quantize_args *a)
{
	int i;

	COP_TRY(find_word(&i, cx, "scheme", a->scheme ? a->scheme : "w8a8", "w8a8 w4a8 w3a8 w2a8 w4a4 w2a4 w8a16 w8 fp16"));
	*out = &schemes[i];
	if (limited(a) && i)
		return cop__error(cx, COP_ARG, "quantize: within limits each layer has bits of its own, and none of the scheme %s: give the one or the others", a->scheme);
	if (limited(a) && a->bounded)
		return cop__error(cx, COP_ARG, "quantize: max_drop and limits on file, flash or instructions were given together; leave one of them out");
	if (!limited(a) && (a->machine || a->floats || a->harm || a->choose))
		return cop__error(cx, COP_ARG, "quantize: machine, floats, harm and choose are about bits within limits: give one, as file, flash or instructions");
	return COP_OK;
}

static cop_status find_words(cop_quantizer *z)
{
	const cop_quantize_args *a = z->a;
	/* with activations of 16 bits, weights are all that is rounded */
	int range, round = z->weight_bits < 8 || z->act_bits > 8 ? COP_ROUND_GPTQ : COP_ROUND_NEAREST;

	COP_TRY(find_word(&range, z->cx, "range", a->range ? a->range : "mse", "minmax percentile mse kl"));
	if (a->round) COP_TRY(find_word(&round, z->cx, "rounding", a->round, "nearest gptq adaround block qdrop"));
	COP_TRY(find_word(&z->harm, z->cx, "harm", a->harm, "answers curvature"));
	COP_TRY(find_word(&z->pick, z->cx, "choice", a->choose, "knapsack greedy random"));
	z->range = (cop_range_kind)range;
	z->round = (cop_rounding)round;
	return COP_OK;
}

/* ---- the float graph ---- */

static cop_status check_float(const cop_graph *g)
{
	if (g->n_input < 1 || g->n_output < 1)
		return cop__error(g->cx, COP_ARG, "quantize: '%s' has no input or no output", g->name);
	for (int32_t i = 0; i < g->n_input; i++)
		if (cop__t(g, g->input[i])->dtype != COP_F32 && cop__t(g, g->input[i])->dtype != COP_I32)
			return cop__error(g->cx, COP_ARG, "quantize: the input '%s' of '%s' is %s; reals and i32 were expected",
				g->value[g->input[i]].name, g->name, cop__dtype_text(cop__t(g, g->input[i])->dtype));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (cop__op(g, n)->flags & COP_OP_QUANT)
			return cop__error(g->cx, COP_ARG, "quantize: '%s' is an integer network already", g->name);
	return COP_OK;
}

cop_status cop__quantize_prepare(cop_graph **out, const cop_graph *g)
{
	*out = NULL;
	COP_TRY(check_float(g));
	COP_TRY(cop__pass_decode(out, g, COP_DENSE));
	COP_TRY(cop__pass_then(out, cop__pass_deploy));
	return cop__pass_then(out, cop__transposed_to_conv);
}

/* ---- the work ---- */

/* How many layers have w for their weights; they may share it. */
static int32_t layers_of(const cop_graph *g, cop_vid w)
{
	int32_t count = 0;

	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		count += cop__arg(g, n, 1) == w && cop__arg(g, n, 0) != w && cop__arg(g, n, 2) != w && cop__qlayer_is(g, n);
	return count;
}

/* A recurrent layer of integers has activations of 8 bits, and would stand between others. */
static bool too_wide(const cop_quantizer *z, cop_nid n)
{
	if (z->g->node[n].op != OP_rnn || z->act_bits <= 8) return false;
	cop__log(z->cx, COP_LOG_WARN, "quantize: '%s' stays float: a recurrent layer of integers has activations of 8 bits", cop__qlayer_name(z->g, n));
	return true;
}

static cop_status find_layers(cop_quantizer *z)
{
	const cop_graph *g = z->g;
	int32_t *readers = cop__readers(g, &z->mem), found = 0;

	if (!readers) return COP_NOMEM;
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		cop_qlayer *l = &z->layer[n];
		bool rnn = g->node[n].op == OP_rnn && cop__rnn_lowers(g, n);
		if (!rnn && (!cop__qlayer_is(g, n) || readers[cop__arg(g, n, 1)] != layers_of(g, cop__arg(g, n, 1)))) continue;
		const cop_type *w = cop__in(g, n, 1);
		*l = (cop_qlayer){.bits = z->weight_bits, .act_bits = z->act_bits, .o = w->dim[0],
			.k = (int32_t)(cop_type_count(w) / w->dim[0]), .groups = 1};
		if (g->node[n].op == OP_conv) {
			COP_ATTR(cop_conv_attr, a, g, n);
			l->groups = a.groups;
		}
		if ((z->a->keep && cop__match(z->a->keep, cop__qlayer_name(g, n))) || too_wide(z, n)) l->bits = 0, l->act_bits = cop__end_bits(z);
		else found++;
		if (rnn && l->bits) l->bits = l->act_bits = 8;
		if (z->round && !rnn && l->bits && l->k > COP_MOST_PRODUCTS)
			cop__log(z->cx, COP_LOG_WARN, "quantize: '%s' has %d inputs a filter, too many for %s: rounded to the nearest",
				cop__qlayer_name(g, n), l->k, roundings[z->round]);
	}
	return found ? COP_OK : cop__error(z->cx, COP_ARG,
		"quantize: '%s' has no convolution or fully connected layer left to quantise, nor a "
		"recurrent one that has a form in integers", g->name);
}

static cop_status open_work(cop_quantizer *z, const cop_graph *model)
{
	int32_t pairs = 0;

	COP_TRY(cop__quantize_prepare(&z->g, model));
	if (z->a->int8_io) { /* scaling at the input is a layer, then, and leaves nothing unread behind */
		cop_graph *scaled = NULL, *bare = NULL;
		cop_status st = cop__prepared_inputs(&scaled, z->g);
		if (!st) st = cop__pass_dce(&bare, scaled);
		cop_graph_free(scaled);
		COP_TRY(st);
		cop_graph_free(z->g);
		z->g = bare;
	}
	for (cop_nid n = 1; n <= (cop_nid)z->g->n_node; n++) /* the range of h is that of all steps */
		if (z->g->node[n].op == OP_rnn && !cop__want_out(z->g, n, 1)) return COP_NOMEM;
	if (z->a->equalize) {
		COP_TRY(cop__equalize(z->g, &pairs));
		cop__log(z->cx, COP_LOG_INFO, "quantize: %d pairs of layers equalised", pairs);
	}
	if (z->act_bits >= 8 && z->a->narrow_sums)
		return cop__error(z->cx, COP_ARG, "quantize: activations have %d bits, and so have sums of shortcuts: only below 8 bits can these be made narrower (narrow_sums, in recipes sums: no)", z->act_bits);
	if (z->act_bits < 8 && !z->a->narrow_sums) COP_TRY(cop__pass_then(&z->g, cop__layers_off_sums));
	z->seen = cop__arena_get(&z->mem, sizeof *z->seen * (size_t)(z->g->n_value + 1));
	z->act = cop__arena_get(&z->mem, sizeof *z->act * (size_t)(z->g->n_value + 1));
	z->layer = cop__arena_get(&z->mem, sizeof *z->layer * (size_t)(z->g->n_node + 1));
	return z->seen && z->act && z->layer ? find_layers(z) : COP_NOMEM;
}

/* Says which operators stay float beside int8 ones, once each. */
static void say_floats(const cop_graph *g)
{
	cop_text t;

	cop__text_init(&t, g->cx);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const char *op = cop__op(g, n)->name;
		bool seen = false;
		for (cop_nid m = 1; m < n; m++) seen = seen || g->node[m].op == g->node[n].op;
		if (seen || (cop__op(g, n)->flags & (COP_OP_QUANT | COP_OP_VIEW)) || cop__outt(g, n, 0)->dtype != COP_F32) continue;
		cop__text_add(&t, "%s%s", t.len ? ", " : "", op);
	}
	if (t.len) cop__log(g->cx, COP_LOG_INFO, "quantize: these stay float: %.*s", (int)t.len, t.data);
	cop__text_free(&t);
}

static void tell(const cop_quantizer *z)
{
	for (cop_nid n = 1; z->a->layer && n <= (cop_nid)z->g->n_node; n++) {
		const cop_qlayer *l = &z->layer[n];
		if (!l->o) continue;
		cop_quantized_layer t = {.name = cop__qlayer_name(z->g, n), .op = cop__op(z->g, n)->name,
			.weight_bits = l->bits ? l->bits : 32,
			.act_bits = l->bits ? l->act_bits : 32, .weights = (int64_t)l->o * l->k, .sqnr = l->sqnr};
		z->a->layer(z->a->ud, &t);
	}
}

static cop_status integers(cop_graph **out, cop_quantizer *z, const cop_graph *model)
{
	if (z->limited) {
		COP_TRY(cop__mixed(out, z));
	} else {
		COP_TRY(cop__set_ranges(z));
		COP_TRY(cop__quantize_weights(z));
		if (z->a->layer || z->a->bounded) COP_TRY(cop__sensitivity(z));
		COP_TRY(z->a->bounded ? cop__choose(out, z, model) : cop__lower_quantized(out, z));
	}
	cop_status st = cop__check_whole(z, *out);
	if (st) return cop_graph_free(*out), *out = NULL, st;
	say_floats(*out);
	tell(z);
	return COP_OK;
}

/* Samples for one input: `each` numbers of each. */
static cop_status check_set(const cop_graph *g, int32_t i, const cop_dataset *d, int32_t samples, int32_t held)
{
	const cop_value *x = &g->value[g->input[i]];
	int64_t want = cop_type_count(&x->type) / held, have = cop_type_count(&d->x);

	if (want != have)
		return cop__error(g->cx, COP_SHAPE,
			"quantize: samples of '%s' have %lld numbers, the input '%s' of the network '%s' takes %lld", d->name,
			(long long)have, x->name, g->name, (long long)want);
	if (d->count < samples)
		return cop__error(g->cx, COP_SHAPE, "quantize: '%s' has %d samples for the input '%s', '%s' has %d for the first one",
			d->name, d->count, x->name, g->value[g->input[0]].name, samples);
	return COP_OK;
}

/* One set for each input; of the first as the network takes them. */
static cop_status open_sets(cop_quantizer *z, const cop_graph *g, cop_dataset *calib)
{
	if (!calib || calib->count < 1) return cop__error(g->cx, COP_ARG, "quantize: the calibration set is empty");
	if (z->a->n_more != g->n_input - 1)
		return cop__error(g->cx, COP_ARG,
			"quantize: '%s' has %d inputs, samples were given for %d: --data takes an array for each, as x=x.npy,y=y.npy",
			g->name, g->n_input, 1 + z->a->n_more);
	z->each = cop_type_count(&calib->x);
	z->samples = z->a->limit > 0 ? COP_MIN(z->a->limit, calib->count) : calib->count;
	z->batch = COP_MIN(16, z->samples);
	z->held = cop__samples_held(g, z->each);
	if (!(z->sets = cop__arena_get(&z->mem, sizeof *z->sets * (size_t)g->n_input))) return COP_NOMEM;
	for (int32_t i = 1; i < g->n_input; i++) {
		z->sets[i] = z->a->more[i - 1];
		COP_TRY(check_set(g, i, z->sets[i], z->samples, z->held ? z->held : cop__samples_held(g, 0)));
	}
	COP_TRY(cop__fit_for(&z->sets[0], &z->fitted, g, calib));
	z->calib = z->sets[0];
	return COP_OK;
}

cop_status cop__quantizer_open(cop_quantizer *z, const cop_graph *model, cop_dataset *calib)
{
	z->cx = model->cx;
	cop__arena_init(&z->mem, z->cx);
	COP_TRY(find_words(z));
	COP_TRY(check_float(model));
	COP_TRY(open_sets(z, model, calib));
	COP_TRY(open_work(z, model));
	if (z->a->wide_ends) COP_TRY(cop__wide_ends(z));
	return cop__calibrate(z);
}

void cop__quantizer_close(cop_quantizer *z)
{
	cop_graph_free(z->g);
	cop__arena_free(&z->mem);
	cop_data_free(z->fitted);
}

/* Static quantisation at the model's own batch. */
static cop_status with_activations(cop_graph **out, const cop_graph *model, cop_dataset *calib,
	const cop_quantize_args *a, const scheme *s)
{
	cop_quantizer z = {.a = a, .weight_bits = limited(a) ? 4 : s->weights, .act_bits = s->activations, .limited = limited(a)};
	cop_status st = cop__quantizer_open(&z, model, calib);

	if (!st) st = integers(out, &z, model);
	cop__quantizer_close(&z);
	return st;
}

static cop_status weights_alone(cop_graph **out, const cop_graph *model, const cop_quantize_args *a, const scheme *s)
{
	cop_graph *g = NULL;

	if (a->round || a->equalize || a->bias_correct || a->bounded || a->int8_io || a->narrow_sums)
		return cop__error(model->cx, COP_ARG,
			"quantize: %s changes only weights, so round, equalize, bias_correct, max_drop, int8_io and narrow_sums do not apply",
			s->name);
	COP_TRY(cop__quantize_prepare(&g, model));
	cop_status st = cop__narrow_weights(out, g, s->weights, a->keep, a->per_tensor);
	cop_graph_free(g);
	return st;
}

/* A weight that is infinite or no number makes a scale that is, and a file that cannot be read back. */
static cop_status all_finite(const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_value *w = &g->value[cop__qlayer_is(g, n) ? cop__arg(g, n, 1) : 0];
		const float *v = w->type.enc == COP_DENSE && w->type.dtype == COP_F32 ? w->data : NULL;
		for (int64_t i = 0; v && i < cop_type_count(&w->type); i++)
			if (!isfinite(v[i])) return cop__error(g->cx, COP_ARG, "quantize: number %lld of the weights '%s' is %g; such a network has to be trained or exported anew", (long long)i, w->name, (double)v[i]);
	}
	return COP_OK;
}

cop_status cop_quantize(cop_graph **g, cop_dataset *calib, const cop_quantize_args *a)
{
	COP_NEED(NULL, g);
	COP_NEED(NULL, *g);
	COP_NEED((*g)->cx, a);
	const scheme *s = NULL;
	cop_graph *out = NULL;

	COP_TRY(find_scheme(&s, (*g)->cx, a));
	COP_TRY(all_finite(*g));
	if (a->keep) COP_TRY(cop__some_weight(*g, "quantize: keep:", a->keep));
	COP_TRY(s->activations < 32 ? with_activations(&out, *g, calib, a, s) : weights_alone(&out, *g, a, s));
	cop_status st = a->int8_io ? cop_graph_apply(&out, "int8_io") : COP_OK;
	if (!st) st = cop_graph_verify(out);
	if (st) return cop_graph_free(out), st;
	cop_graph_free(*g);
	*g = out;
	return COP_OK;
}

/* ---- the stage: calibrated on the training set, bounded on the validation set ---- */

typedef struct quantize_options {
	int32_t scheme, range, per, round, limit, file, flash, instructions, harm, choose;
	bool symmetric, ends, sums, equalize, bias_correct, floats;
	char keep[128], machine[32];
	float max_drop;
} quantize_options;
#define SCHEMES "w8a8|w4a8|w3a8|w2a8|w4a4|w2a4|w8a16|w8|fp16"
#define RANGES "minmax|percentile|mse|kl"
#define HARMS "answers|curvature"
#define PICKS "knapsack|greedy|random"
static const cop_option options[] = {
	COP_OPT_WORD(quantize_options, scheme, SCHEMES, "w8a8", "bits of weights and activations"),
	COP_OPT_WORD(quantize_options, range, RANGES, "mse", "how ranges of activations are found"),
	COP_OPT_WORD(quantize_options, per, "channel|tensor", "channel", "what has a scale of its own"),
	COP_OPT_WORD(quantize_options, round, "auto|nearest|gptq|adaround|block|qdrop", "auto", "how weights are rounded: gptq lets those that follow make good for the error, adaround learns it, block learns it for the layers of a block together (Li et al. 2021, arXiv 2102.05426), qdrop does while half of the values stay unrounded by chance (Wei et al. 2022, arXiv 2203.05740); auto: gptq below 8 bits and with w8a16, else nearest"),
	COP_OPT_FLAG(quantize_options, symmetric, "no", "ranges of activations with zero in the middle"),
	COP_OPT_FLAG(quantize_options, ends, "no", "layers beside the input and before the output keep weights of 8 bits, and the last ones read values of 8 bits"),
	COP_OPT_FLAG(quantize_options, sums, "yes", "with activations below 8 bits, sums of shortcuts and what they add keep 8; layers read them with fewer"),
	COP_OPT_FLAG(quantize_options, equalize, "no", "ranges of layers that follow each other are brought together first"),
	COP_OPT_FLAG(quantize_options, bias_correct, "no", "biases make good for the mean error of the weights"),
	COP_OPT_NAMES(quantize_options, keep, NULL, "layers that stay float"),
	COP_OPT_WHOLE(quantize_options, limit, 0, 1e6, "256", "samples to calibrate on; 0: all"),
	COP_OPT_REAL(quantize_options, max_drop, 0, 100, NULL,
		"points that may be lost on the validation set; the most sensitive layers then keep more bits"),
	COP_OPT_WHOLE(quantize_options, file, 0, 2e9, "0", "bytes that the file may have: each layer gets bits of its own, so that the whole fits and its answers move least; 0: no limit"),
	COP_OPT_WHOLE(quantize_options, flash, 0, 2e9, "0", "the same for the weights in flash"),
	COP_OPT_WHOLE(quantize_options, instructions, 0, 2e9, "0", "the same for the instructions of one inference"),
	COP_OPT_TEXT(quantize_options, machine, NULL, "machine of these limits, from `coppice targets`; none: host"),
	COP_OPT_FLAG(quantize_options, floats, "no", "within limits, layers may stay float, too"),
	COP_OPT_WORD(quantize_options, harm, HARMS, "answers", "what bits do to a layer: how far the answers move with that layer alone in integers, or errors of weights by the curvature of the loss"),
	COP_OPT_WORD(quantize_options, choose, PICKS, "knapsack", "how the bits are chosen: with the least harm in all, most harm first, or by chance"),
	COP_OPT_END,
};

/* What rounds already (qat with integers: no) becomes the integers that it has learned. */
static cop_status finish(cop_graph **g, const cop_stage *s)
{
	if (s->given)
		cop__log((*g)->cx, COP_LOG_WARN, "quantize: '%s' is rounded already and keeps the bits and ranges that it has, whatever the options say", (*g)->name);
	COP_TRY(cop__pass_then(g, cop__pass_unfake));
	return cop_graph_verify(*g);
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const quantize_options *o = (const void *)s->own.bytes;
	const bool within = o->file || o->flash || o->instructions;
	const cop_quantize_args a = {.scheme = schemes[o->scheme].name, .range = ranges[o->range],
		.keep = *o->keep ? o->keep : NULL, .per_tensor = o->per == 1, .symmetric = o->symmetric, .wide_ends = o->ends, .narrow_sums = !o->sums,
		.round = o->round ? roundings[o->round - 1] : NULL, .equalize = o->equalize, .bias_correct = o->bias_correct,
		.bounded = cop__stage_given(s, "max_drop"), .max_drop = o->max_drop, .limit = o->limit,
		.file = (size_t)o->file, .flash = (size_t)o->flash, .instructions = o->instructions, .floats = o->floats,
		.machine = *o->machine ? o->machine : NULL,
		.harm = within ? cop__harms[o->harm].name : NULL, .choose = within ? cop__picks[o->choose].name : NULL,
		.threads = m->a->threads, .seed = m->a->seed, .valid = m->valid};
	return cop__rounds(*g) ? finish(g, s) : cop_quantize(g, m->train, &a);
}

/* What is kept in float can be worked on. */
static uint32_t spares(const void *own) { return *((const quantize_options *)own)->keep ? COP_HAS_FLOATS : 0; }

const cop_stage_row cop_stage_quantize = {
	.row = {"quantize", "makes the network one of integers, calibrated on the training set", NULL, options,
		sizeof(quantize_options)},
	.terms = cop__terms_whole, .never = COP_HAS_INTEGERS, .bears_bits = true, .bears_rounding = true, .gives = COP_HAS_INTEGERS,
	.takes = COP_HAS_FLOATS | COP_HAS_MASKS | COP_HAS_CODES | COP_HAS_SHARED | COP_HAS_ROUNDING, .spares = spares, .can = cop__can_quantize,
	.run = run,
};
