/* SPDX-License-Identifier: Apache-2.0
 *
 * encode - gives each weight the encoding that is smallest in the file: dense, a palette, or sparse rows. From here
 * on the kernels read the encoded form, in RAM and flash too.
 */
#include "compress/encode.h"
#include "compress/layers.h"
#include "pass/pass.h"

typedef struct encode_options { int32_t codec; } encode_options;
static const cop_option options[] = {COP_OPT_WORD(encode_options, codec, "smallest|huffman|range|raw", "smallest",
	"which coder the sizes are compared under: the one that is smallest for each weight, or this one"), COP_OPT_END};
static const cop_codec codecs[] = {COP_CODEC_AUTO, COP_CODEC_HUFFMAN, COP_CODEC_RANGE, COP_CODEC_RAW};

static cop_status encode(cop_graph **out, const cop_graph *g, const char *layers, cop_codec codec, cop_encodings *e)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	cop_status st = cop__copy_inputs(*out, g, map);
	for (int32_t v = 1; !st && v <= g->n_value; v++) {
		cop_smallest best;
		uint32_t among = cop__encodings_for(g, (cop_vid)v, NULL);
		if (!among || !g->value[v].data || !cop__compressible(g, (cop_vid)v, layers)) continue;
		st = cop__smallest(&best, e, &g->value[v], among, codec);
		if (st) break;
		map[v] = cop__data(*out, COP_PARAM, g->value[v].name, &best.type, best.blob);
		if (!map[v] || (!best.blob && cop__share(*out, map[v], g, (cop_vid)v))) st = cop__failed(g->cx);
	}
	for (int32_t i = 1; !st && i <= g->n_node; i++) st = cop__copy_node(*out, g, map, (cop_nid)i);
	if (!st) st = cop__copy_end(*out, g, map); /* masks and momentum have no reader and stay behind */
	return cop__pass_end(out, st);
}

cop_status cop__encode_weights(cop_graph **out, const cop_graph *g, const char *layers, cop_codec codec, cop_encodings *e)
{
	cop_graph *folded = NULL;
	cop_status st = cop__pass_fold_bn(&folded, g);

	if (!st) st = encode(out, folded, layers, codec, e);
	cop_graph_free(folded);
	return st;
}

static cop_status run(cop_graph **g, const cop_stage *s, const cop_means *m)
{
	const encode_options *o = (const void *)s->own.bytes;
	cop_graph *out = NULL;

	COP_TRY(cop__encode_weights(&out, *g, s->terms.layers, codecs[o->codec], m->encodings));
	cop_graph_free(*g);
	*g = out;
	return COP_OK;
}

const cop_stage_row cop_stage_encode = {
	.row = {"encode", "gives each weight the encoding that is smallest in the file: dense, a palette, or "
		"sparse rows; kernels run straight from it", NULL, options, sizeof(encode_options)},
	.terms = cop__terms, .needs = COP_HAS_FLOATS, .gives = COP_HAS_CODES, .takes = COP_HAS_MASKS, .can = cop__can_encode, .run = run,
};
