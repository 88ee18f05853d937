/* SPDX-License-Identifier: Apache-2.0
 *
 * blockwise - goes through the blocks of a network: what each is to make of the samples the float network says, and what
 * it reads is what the blocks before it, which are rounded already, make of them.
 */
#include "compress/quantize/blocks.h"

typedef struct walk {
	cop_quantizer *z;
	cop_watch exact;
	int64_t in;
	float *x, *q; /* of the block that is next */
} walk;

/* to [samples, numbers of v]: value v of the float network. */
static cop_status collect(float **to, walk *k, cop_vid v)
{
	cop_quantizer *z = k->z;
	const int64_t each = cop_type_count(cop__t(z->g, v)) / z->held;
	cop_tensor t;
	int32_t got;

	if (!(*to = cop__alloc(z->cx, sizeof **to * (size_t)each * (size_t)z->samples))) return COP_NOMEM;
	for (int32_t i = 0; i < z->samples; i += got) {
		COP_TRY(cop__watch_load(&k->exact, z->sets, i, z->samples, &got));
		if (v != z->g->input[0]) {
			COP_TRY(cop_session_run(k->exact.host.s, 0));
			COP_TRY(cop__watch_value(&k->exact, v, &t));
		}
		memcpy(*to + (size_t)i * (size_t)each, v == z->g->input[0] ? k->exact.x[0].samples : t.data, sizeof **to * (size_t)each * (size_t)got);
		if (cop__stopped(z->cx)) return cop__error(z->cx, COP_STOPPED, "stopped while quantising");
	}
	return COP_OK;
}

static void advance(walk *k, float *x, float *q, int64_t in)
{
	cop_ctx *cx = k->z->cx;

	cop__free(cx, k->x);
	if (k->q != k->x) cop__free(cx, k->q);
	*k = (walk){k->z, k->exact, in, x, q};
}

static cop_status one_block(walk *k, const cop_block *b)
{
	cop_quantizer *z = k->z;
	cop_block_data d = {.samples = z->samples, .in = k->in, .out = cop_type_count(cop__t(z->g, b->out)) / z->held, .x = k->x, .q = k->q};
	float *y = NULL, *after = cop__alloc(z->cx, sizeof *after * (size_t)d.out * (size_t)d.samples);
	double error[2];
	cop_status st = after ? collect(&y, k, b->out) : COP_NOMEM;

	d.y = y;
	if (!st) st = cop__reconstruct(z, b, &d, after, error);
	if (st) return cop__free(z->cx, y), cop__free(z->cx, after), st;
	char label[96];
	cop__log(z->cx, COP_LOG_INFO, "quantize: block up to %s: mean squared error %.3g, learned %.3g", cop__label(z->g, b->last, label), error[0], error[1]);
	advance(k, y, after, d.out);
	return COP_OK;
}

static cop_status all_blocks(walk *k, const cop_block *b, int32_t n)
{
	cop_quantizer *z = k->z;

	COP_TRY(cop__watch_new(&k->exact, z->g, z->batch, z->each, z->a->threads));
	COP_TRY(collect(&k->x, k, b[0].in));
	k->q = k->x;
	k->in = cop_type_count(cop__t(z->g, b[0].in)) / z->held;
	for (int32_t i = 0; i < n; i++) COP_TRY(one_block(k, &b[i]));
	return COP_OK;
}

cop_status cop__learn_blocks(cop_quantizer *z)
{
	cop_block *b = cop__alloc(z->cx, sizeof *b * (size_t)(z->g->n_node + 1));
	walk k = {.z = z};
	int32_t n = b && z->g->n_input == 1 && z->held > 0 ? cop__blocks(b, z) : 0;
	cop_status st = b ? COP_OK : COP_NOMEM;

	if (!st && !n)
		cop__log(z->cx, COP_LOG_WARN, "quantize: '%s' has no blocks that can be learned, so its layers stay as gptq rounds them: it needs one input, and values with the samples in front", z->g->name);
	if (!st && n) st = all_blocks(&k, b, n);
	advance(&k, NULL, NULL, 0);
	cop__watch_free(&k.exact);
	cop__free(z->cx, b);
	return st;
}
