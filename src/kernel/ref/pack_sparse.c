/* SPDX-License-Identifier: Apache-2.0
 *
 * pack_sparse - how the weights of the kernels for sparse ones are put together. Runs where the plan is made; not shipped to devices.
 */
#include "kernel/gaps_pack.h"

int64_t cop_fc_sparse_steps(const int32_t *k, const void *w);
size_t cop_fc_sparse_pack_bytes(const int32_t *k);
void cop_fc_sparse_pack(const cop_call *c);
int64_t cop_conv_sparse_steps(const int32_t *k, const void *w);
size_t cop_conv_sparse_pack_bytes(const int32_t *k);
void cop_conv_sparse_pack(const cop_call *c);
int64_t cop_qsparse_steps(const int32_t *k, const void *w);
size_t cop_qsparse_pack_bytes(const int32_t *k);
void cop_qsparse_pack(const cop_call *c);

static int32_t taps(const int32_t *k) { return k[CK_KH] * k[CK_KW] * k[CK_C]; }

static const cop_form singles = {1, 1, NULL, 0, 0, 1};

int64_t cop_qsparse_steps(const int32_t *k, const void *w) { return cop_form_steps(&singles, w, k[CK_O], taps(k), NULL); }
void cop_qsparse_pack(const cop_call *c) { if (!c->part) cop_form_pack(&singles, c->work, c->buf[2], c->k[CK_O], taps(c->k)); }
size_t cop_qsparse_pack_bytes(const int32_t *k) { return cop_form_size(&singles, k[CK_O], k[COP_STEPS]); }

/* ---- f32: as an encoded sparse weight without a codebook (kernel/blob.h). A step is an entry ---- */

enum { MOST_GAP = 255 };

/* Entries of a row with the fillers; puts them, if `gap` is given. */
static int64_t row(uint8_t *gap, uint32_t *value, const uint32_t *w, int32_t n)
{
	int64_t entries = 0;
	int32_t last = -1;

	for (int32_t i = 0; i < n; i++) {
		if (!(w[i] << 1)) continue;
		for (; i - last - 1 > MOST_GAP; last += MOST_GAP + 1, entries++)
			if (gap) gap[entries] = MOST_GAP, value[entries] = 0;
		if (gap) gap[entries] = (uint8_t)(i - last - 1), value[entries] = w[i];
		last = i;
		entries++;
	}
	return entries;
}

static int64_t entries_of(const uint32_t *w, int32_t rows, int32_t n)
{
	int64_t entries = 0;

	for (int32_t r = 0; r < rows; r++) entries += row(0, 0, w + (int64_t)r * n, n);
	return entries;
}

static size_t blob_bytes(int32_t rows, int64_t entries) { return 8 + 4 * ((size_t)rows + 1) + (((size_t)entries + 3) & ~(size_t)3) + 4 * (size_t)entries; }

static void pack(const cop_call *c, int32_t rows, int32_t n)
{
	uint32_t *head = c->work, *start = head + 2, at = 0, entries = (uint32_t)c->k[COP_STEPS];
	uint8_t *gap = (uint8_t *)(start + rows + 1);
	uint32_t *value = (uint32_t *)(void *)(gap + ((entries + 3) & ~3u));

	if (c->part) return;
	head[0] = (uint32_t)rows;
	head[1] = 0;
	for (uint32_t i = entries; i % 4; i++) gap[i] = 0;
	for (int32_t r = 0; r < rows; r++) {
		start[r] = at;
		at += (uint32_t)row(gap + at, value + at, (const uint32_t *)c->buf[2] + (int64_t)r * n, n);
	}
	start[rows] = at;
}

int64_t cop_fc_sparse_steps(const int32_t *k, const void *w) { return entries_of(w, k[FK_OUT], k[FK_IN]); }
size_t cop_fc_sparse_pack_bytes(const int32_t *k) { return blob_bytes(k[FK_OUT], k[COP_STEPS]); }
void cop_fc_sparse_pack(const cop_call *c) { pack(c, c->k[FK_OUT], c->k[FK_IN]); }
int64_t cop_conv_sparse_steps(const int32_t *k, const void *w) { return entries_of(w, k[CK_O], taps(k)); }
size_t cop_conv_sparse_pack_bytes(const int32_t *k) { return blob_bytes(k[CK_O], k[COP_STEPS]); }
void cop_conv_sparse_pack(const cop_call *c) { pack(c, c->k[CK_O], taps(c->k)); }
