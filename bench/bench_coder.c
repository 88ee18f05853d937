/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_coder - the coders of .cop files on the weights of networks: bytes under the code of Deep Compression (distances of 5 bits), under the
 * Huffman coder of files, which looks for the best width, under a static code that is tuned for the tensor, and under the range coder. A line of Markdown for each network.
 *
 * The static code: distances between kept elements of a column-by-column or row-by-row scan as the class of their bits under Huffman, then the bits;
 * values under Huffman. Tables and codebooks are counted in all four; the better scan is taken.
 *
 * usage: bench_coder NET.cop ...
 */
#include "io/cop/cop.h"
#include "io/cop/huffman.h"

#include <stdio.h>

static double bits_of(const uint32_t *freq, int n)
{
	static cop_huff h;
	double bits = 0;

	cop__huff_build(&h, freq, n);
	for (int i = 0; i < n; i++) bits += (double)freq[i] * cop__huff_bits(&h, i);
	return bits + cop__huff_table_bits(&h);
}

static double static_bits(const cop_codes *c, bool by_column)
{
	uint32_t class[33] = {0}, value[COP_MAX_LEVELS] = {0};
	int64_t last = -1, at = 0;
	double bits = 24; /* how many there are */
	int levels = COP_MAX(c->levels, 2), classes = 0;

	for (int32_t a = 0; a < (by_column ? c->cols : c->rows); a++)
		for (int32_t b = 0; b < (by_column ? c->rows : c->cols); b++, at++) {
			int code = c->code[by_column ? (int64_t)b * c->cols + a : (int64_t)a * c->cols + b];
			if (!code) continue;
			int k = 31 - __builtin_clz((uint32_t)(at - last));
			class[k]++, value[code]++;
			classes = COP_MAX(classes, k + 1);
			bits += k;
			last = at;
		}
	return bits + bits_of(class, COP_MAX(classes, 1)) + bits_of(value + 1, levels - 1) + 8 * (8 + levels / 8.0); /* a grid codebook */
}

/* Deep Compression's own: distances of 5 bits, longer ones bridged by entries of value 0; both streams under Huffman. */
static double five_bits(const cop_codes *c)
{
	uint32_t gap[32] = {0}, value[COP_MAX_LEVELS] = {0};
	int levels = COP_MAX(c->levels, 2);
	int64_t last = -1;

	for (int64_t i = 0; i < cop__codes_count(c); i++) {
		if (!c->code[i]) continue;
		gap[31] += (uint32_t)((i - last - 1) / 32), value[0] += (uint32_t)((i - last - 1) / 32);
		gap[(i - last - 1) % 32]++, value[c->code[i]]++;
		last = i;
	}
	return 24 + bits_of(gap, 32) + bits_of(value, levels) + 8 * (8 + levels / 8.0);
}

static cop_status sizes(double sum[4], cop_ctx *cx, const cop_value *x)
{
	cop_codes c;
	int32_t rows, cols;
	float *w = cop__alloc(cx, (size_t)cop_type_count(&x->type) * 4);

	cop__matrix_of(&x->type, &rows, &cols);
	COP_TRY(w ? cop__decode(w, cx, x->name, &x->type, x->data) : COP_NOMEM);
	COP_TRY(cop__codes_of_dense(&c, cx, w, rows, cols));
	double one = static_bits(&c, false), two = static_bits(&c, true);
	sum[1] += COP_MIN(one, two) / 8;
	sum[3] += five_bits(&c) / 8;
	cop__codes_free(&c, cx);
	cop__free(cx, w);
	for (int k = 0; k < 2; k++) {
		cop_codec codec = k ? COP_CODEC_RANGE : COP_CODEC_HUFFMAN;
		cop_text t;
		cop__text_init(&t, cx);
		COP_TRY(cop__store(&t, &codec, cx, &x->type, x->data));
		sum[2 * k] += (double)t.len;
		cop__text_free(&t);
	}
	return COP_OK;
}

int main(int argc, char **argv)
{
	cop_ctx *cx;

	if (cop_ctx_new(&cx, NULL)) return 1;
	for (int i = 1; i < argc; i++) {
		cop_graph *g;
		double sum[4] = {0};
		int64_t kept = 0;
		cop_status st = cop_model_load(&g, cx, argv[i]);
		for (int32_t v = 1; !st && v <= g->n_value; v++) {
			const cop_value *x = &g->value[v];
			if (x->role != COP_PARAM || !x->data || x->type.dtype != COP_F32 || x->type.rank < 2) continue;
			st = sizes(sum, cx, x);
			kept += x->type.enc == COP_DENSE ? 0 : cop__enc_kept(&x->type, x->data);
		}
		if (st) return fprintf(stderr, "%s\n", cop_error_text(cx)), 1;
		printf("| %s | %lld | %.0f | %.0f | %.0f | %.0f | %+.1f %% | %+.1f %% | %+.1f %% |\n", g->name, (long long)kept, sum[3], sum[0], sum[1], sum[2], 100 * (sum[2] / sum[3] - 1), 100 * (sum[2] / sum[0] - 1),
			100 * (sum[2] / sum[1] - 1));
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
	return 0;
}
