/* SPDX-License-Identifier: Apache-2.0
 *
 * whole - weights of int8, int4 and int2 as whole numbers, for the coders.
 */
#include "io/cop/whole.h"

#include <math.h>

/* Bits that a value takes in the mean, each by itself. */
static double entropy(const int64_t *count, int levels, int64_t n)
{
	double bits = 0;

	for (int i = 0; i < levels; i++)
		if (count[i]) bits -= (double)count[i] / (double)n * log2((double)count[i] / (double)n);
	return bits;
}

/* Of int8 where at least a quarter is zero or values take half of their bits, as 16 shared ones do, of fewer bits where values take four fifths of those, as seven of int4 or three of int2 do: others are read
 * faster as they are. */
bool cop__whole_codable(const cop_type *t, const void *data)
{
	int64_t count[256] = {0}, n = cop_type_count(t);

	if (n < 64) return false;
	for (int64_t i = 0; i < n; i++) count[cop__whole_at(t, data, i) + 128]++;
	if (t->dtype == COP_I8) return 4 * count[128] >= n || entropy(count, 256, n) <= 0.5 * 8;
	return entropy(count, 256, n) <= 0.8 * cop__dtype_bits(t->dtype);
}

cop_status cop__codes_of_whole(cop_codes *c, cop_ctx *cx, const cop_type *t, const void *data, int32_t rows, int32_t cols)
{
	int64_t n = (int64_t)rows * cols;
	float *w = cop__alloc(cx, sizeof *w * (size_t)n);

	if (!w) return COP_NOMEM;
	for (int64_t i = 0; i < n; i++) w[i] = (float)cop__whole_at(t, data, i);
	cop_status st = cop__codes_of_dense(c, cx, w, rows, cols);
	cop__free(cx, w);
	return st;
}

/* Of codes that nobody has checked: what is no such number is refused. */
cop_status cop__whole_of_codes(uint8_t *q, cop_ctx *cx, const char *name, const cop_type *t, const cop_codes *c)
{
	const int bits = cop__dtype_bits(t->dtype), lo = -(1 << (bits - 1)), hi = -1 - lo;

	for (int i = 0; i < c->levels; i++)
		if (!(c->codebook[i] >= (float)lo && c->codebook[i] <= (float)hi))
			return cop__error(cx, COP_FORMAT, "%s: entry %d of the codebook is no int%d", name, i, bits);
	if (!c->levels) return cop__error(cx, COP_FORMAT, "%s: whole numbers are stored with a codebook, and there is none", name);
	memset(q, 0, cop_type_bytes(t));
	for (int64_t i = 0; i < cop__codes_count(c); i++) cop__whole_put(t, q, i, (int32_t)c->codebook[c->code[i]]);
	return COP_OK;
}
