/* SPDX-License-Identifier: Apache-2.0
 *
 * encode - gives each weight the encoding that is smallest in the file: dense, a palette, vectors, or sparse rows. From here
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

/* ---- batch norm ---- */

enum { MANY = 256 }; /* values: more than a palette holds */

/* The place of x among n ascending values, where it is put if it is new and there is room; -1: there is none. */
static int place_of(float *value, int *n, float x)
{
	int lo = 0, hi = *n;

	while (lo < hi) {
		int mid = (lo + hi) / 2;
		if (value[mid] < x) lo = mid + 1;
		else hi = mid;
	}
	if (lo < *n && value[lo] <= x) return lo;
	if (*n == MANY) return -1;
	memmove(value + lo + 1, value + lo, sizeof *value * (size_t)(*n - lo));
	value[lo] = x;
	++*n;
	return lo;
}

/* Do the rows of a weight share a few values? Folded, each row has a scale of its own: then it has values of its own. */
static bool rows_share(const cop_graph *g, cop_vid v)
{
	const float *w = cop__floats(g, v);
	const int64_t rows = cop__t(g, v)->dim[0], cols = cop_type_count(cop__t(g, v)) / rows;
	float all[MANY], row[MANY];
	int64_t sum = 0;
	int n = 0, m = 0;

	for (int64_t i = 0; w && i < rows * cols; i++) {
		if (i % cols == 0) sum += m, m = 0;
		if (w[i] != 0 && (place_of(all, &n, w[i]) < 0 || place_of(row, &m, w[i]) < 0)) return false;
	}
	return w && sum + m > 2 * n;
}

cop_status cop__encode_weights(cop_graph **out, const cop_graph *g, const char *layers, cop_codec codec, cop_encodings *e)
{
	cop_graph *folded = NULL;
	cop_status st = cop__pass_fold_bn_but(&folded, g, rows_share);

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
	.row = {"encode", "gives each weight the encoding that is smallest in the file: dense, a palette, vectors, or "
		"sparse rows; kernels run straight from it", NULL, options, sizeof(encode_options)},
	.terms = cop__terms, .needs = COP_HAS_FLOATS, .gives = COP_HAS_CODES, .takes = COP_HAS_MASKS, .can = cop__can_encode, .bears_bits = true, .run = run,
};
