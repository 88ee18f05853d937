/* SPDX-License-Identifier: Apache-2.0
 *
 * type - number formats and sizes. cop_type_bytes is the only code that knows how many bytes a value takes.
 */
#include "graph/graph.h"

static const struct { const char *text; int bits; } dtypes[] = {
	[COP_NOTYPE] = {"?", 0},
#define X(name, text, bits) [COP_##name] = {text, bits},
	COP_DTYPE_MAP(X)
#undef X
};
static const char *const encs[] = {
	[COP_DENSE] = "dense",
#define ENC(NAME, name) [COP_##NAME] = #name,
#include "enc/enc.def"
#undef ENC
};

const char *cop__dtype_text(cop_dtype d) { return (int)d < LEN(dtypes) ? dtypes[d].text : "?"; }
int cop__dtype_bits(cop_dtype d) { return (int)d < LEN(dtypes) ? dtypes[d].bits : 0; }
int32_t cop__dtype_least(cop_dtype d) { return d == COP_U8 ? 0 : (int32_t)-(INT64_C(1) << (cop__dtype_bits(d) - 1)); }
int32_t cop__dtype_most(cop_dtype d) { return (int32_t)(cop__dtype_least(d) + (INT64_C(1) << cop__dtype_bits(d)) - 1); }
const char *cop_enc_name(cop_enc e) { return e >= 0 && e < LEN(encs) ? encs[e] : NULL; }
const char *cop__enc_text(cop_enc e) { return cop_enc_name(e) ? cop_enc_name(e) : "?"; }

cop_dtype cop__dtype_find(const char *s, size_t len)
{
	for (int i = 1; i < LEN(dtypes); i++)
		if (strlen(dtypes[i].text) == len && !memcmp(dtypes[i].text, s, len)) return (cop_dtype)i;
	return COP_NOTYPE;
}

int64_t cop_type_count(const cop_type *t)
{
	if (!t) return 0;
	int64_t n = 1;
	for (int i = 0; i < t->rank && i < COP_MAX_DIM; i++) n *= t->dim[i]; /* a type of the caller's may claim more */
	return n;
}

/* Sub-byte rows begin at a byte. */
size_t cop_type_bytes(const cop_type *t)
{
	if (!t) return 0;
	if (t->enc != COP_DENSE) return t->enc_bytes;
	int bits = cop__dtype_bits(t->dtype);
	if (bits >= 8 || !t->rank) return (size_t)cop_type_count(t) * (size_t)COP_MAX(bits / 8, 1);
	int64_t row = t->dim[t->rank - 1], rows = row ? cop_type_count(t) / row : 0;
	return (size_t)(rows * ((row * bits + 7) / 8));
}

void cop__matrix_of(const cop_type *t, int32_t *rows, int32_t *cols)
{
	*rows = t->rank > 1 ? t->dim[0] : 1;
	*cols = (int32_t)(cop_type_count(t) / *rows);
}

cop_type cop__type(cop_dtype dtype, int32_t rank, const int32_t *dim)
{
	cop_type t = {.dtype = dtype, .rank = rank, .q.axis = -1};
	for (int i = 0; i < rank && i < COP_MAX_DIM; i++) t.dim[i] = dim[i];
	return t;
}

bool cop__same_shape(const cop_type *a, const cop_type *b)
{
	if (a->rank != b->rank) return false;
	for (int i = 0; i < a->rank; i++)
		if (a->dim[i] != b->dim[i]) return false;
	return true;
}
