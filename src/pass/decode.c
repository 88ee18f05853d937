/* SPDX-License-Identifier: Apache-2.0
 *
 * decode - encoded weights are plain numbers again, for passes that know only those, and so that a compressed network can be trained further.
 * What was zero in an encoded weight may get a mask, under which it stays zero in every training (train/form/masked.c).
 */
#include "enc/enc.h"
#include "pass/pass.h"

static bool is_encoded(const cop_graph *g, cop_vid v, const void *ud)
{
	const cop_enc *enc = ud;
	return *enc == COP_DENSE || cop__t(g, v)->enc == *enc;
}

cop_status cop__pass_decode(cop_graph **out, const cop_graph *g, cop_enc enc) { return cop__pass_decode_if(out, g, is_encoded, &enc); }

cop_status cop__pass_decode_if(cop_graph **out, const cop_graph *g, bool (*which)(const cop_graph *g, cop_vid v, const void *ud), const void *ud)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t v = 1; !st && v <= g->n_value; v++) {
		const cop_value *x = &g->value[v];
		if (x->type.enc == COP_DENSE || !x->data || !which(g, (cop_vid)v, ud)) continue;
		cop_type t = cop__type(COP_F32, x->type.rank, x->type.dim);
		float *w = (map[v] = cop__data(*out, x->role, x->name, &t, NULL)) ? cop__own(*out, map[v]) : NULL;
		st = w ? cop__decode(w, g->cx, x->name, &x->type, x->data) : g->cx->code;
	}
	for (cop_nid n = 1; !st && n <= (cop_nid)g->n_node; n++) st = cop__copy_node(*out, g, map, n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}

/* ---- the pass ---- */

enum { ZEROS_KEEP, ZEROS_FREE };
typedef struct decode_options { char layers[256]; int32_t zeros; } decode_options;

static bool chosen(const cop_graph *g, cop_vid v, const void *layers)
{
	const cop_value *x = &g->value[v];
	return x->type.enc != COP_DENSE && x->data && x->name && cop__match(layers, x->name);
}

static cop_status none_chosen(const cop_graph *g, const char *layers)
{
	for (int32_t v = 1; v <= g->n_value; v++)
		if (chosen(g, (cop_vid)v, "*")) return cop__error(g->cx, COP_ARG, "decode: no encoded weight is named '%s'; one of them is '%s'", layers, g->value[v].name);
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++)
		if (g->node[n].op >= OP_qconv && g->node[n].op <= OP_dequantize)
			return cop__error(g->cx, COP_ARG, "decode: '%s' has no encoded weights but integers; the pass `floats` makes floats of them that can be trained", g->name);
	return cop__error(g->cx, COP_ARG, "decode: '%s' has no encoded weights: they are plain numbers already", g->name);
}

/* A mask for w, if a number of it is zero. */
static cop_status keep_zeros(cop_graph *g, cop_vid w)
{
	const float *x = cop__floats(g, w);
	const cop_type t = *cop__t(g, w);
	const int64_t n = cop_type_count(&t);
	int64_t zeros = 0;

	for (int64_t i = 0; i < n; i++) zeros += x[i] == 0;
	if (!zeros || cop__follower(g, w, "mask")) return COP_OK;
	cop_vid v = cop__follow(g, w, COP_STATE, "mask", &t, NULL);
	float *mask = v ? cop__own(g, v) : NULL;
	if (!mask) return cop__failed(g->cx);
	for (int64_t i = 0; i < n; i++) mask[i] = x[i] != 0;
	return COP_OK;
}

static cop_status masks(cop_graph *out, const cop_graph *g, const char *layers)
{
	cop_status st = COP_OK;

	for (int32_t v = 1; !st && v <= g->n_value; v++)
		if (chosen(g, (cop_vid)v, layers)) st = keep_zeros(out, cop__find(out, g->value[v].name));
	return st;
}

static cop_status run(cop_graph **out, const cop_graph *g, const void *a)
{
	const decode_options *o = a;
	bool any = false;

	for (int32_t v = 1; v <= g->n_value; v++) any |= chosen(g, (cop_vid)v, o->layers);
	if (!any) return none_chosen(g, o->layers);
	COP_TRY(cop__pass_decode_if(out, g, chosen, o->layers));
	return cop__pass_end(out, o->zeros == ZEROS_KEEP ? masks(*out, g, o->layers) : COP_OK);
}

static const cop_option options[] = {
	COP_OPT_TEXT(decode_options, layers, "*", "which weights: names, `*` for any run, `|` between alternatives"),
	COP_OPT_WORD(decode_options, zeros, "keep|free", "keep", "what is zero stays zero in a training (`keep`), or is trained like the rest (`free`)"),
	COP_OPT_END,
};

const cop_pass cop_pass_decode = {{"decode",
	"encoded weights are plain numbers again, so that a compressed network can be trained further", NULL, options, sizeof(decode_options)}, run};
