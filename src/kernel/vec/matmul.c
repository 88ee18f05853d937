/* SPDX-License-Identifier: Apache-2.0
 *
 * matmul - y[m,n] = sum_k a[m,k] b[k,n] for each item of a batch, either operand transposed.
 *
 * Few rows against a transposed b are dot products; few rows otherwise take b as it lies. Else b is packed a
 * block of KC x NC at a time: a panel of it stays in the first cache for a tile, and MC rows of a stay in the
 * second while all panels pass by. Those rows are copied first: at a pitch of 4096 bytes, say, the rows of
 * a tile would all fall into the same few lines of the first cache.
 * Each element is a sum over blocks of KC, each one chain, for any split.
 */
#include "kernel/vec/dot.h"
#include "kernel/vec/mk.h"
#include "kernel/vec/pack.h"

enum { KC = 384, MC = 112, NC = 512, FEW = 48 };

typedef enum mm_form { MM_DOTS, MM_PLAIN, MM_PACKED } mm_form;

typedef struct mm {
	const float *a, *b;
	float *y;
	long m, n, k;
	bool ta, tb;
} mm;

typedef struct operand { const float *p; long pitch; } operand; /* where a tile's first element lies */

static mm_form form(const int32_t *k)
{
	if (k[MK_TB] && !k[MK_TA] && k[MK_M] < VW / 2 + 1) return MM_DOTS;
	return !k[MK_TB] && k[MK_M] < FEW ? MM_PLAIN : MM_PACKED;
}

static long group(long n) { return lmin(panels(n), lmax(1, NC / VW / 2)); } /* panels of a block */

static size_t b_floats(long n, long k) { return (size_t)(lmin(KC, k) * lmin(vectors(n), 3 * group(n)) * VW); }

/* A copied row is a little longer than a power of two. */
static long a_pitch(bool ta, long m, long k) { return (ta ? lmin(MC, m) : lmin(KC, k)) + VW; }

size_t VN(matmul_work)(const int32_t *k)
{
	long m = k[MK_M], depth = k[MK_K];
	if (form(k) != MM_PACKED) return 0;
	return (b_floats(k[MK_N], depth) +
		       (size_t)(a_pitch(k[MK_TA], m, depth) * (k[MK_TA] ? lmin(KC, depth) : lmin(MC, m)))) *
	       sizeof(float);
}

/* Rows [m0, m0 + m) by panel q, k steps from k0. */
static void tiles(const mm *g, long q, long m0, long m, long k0, long k, operand a, operand b)
{
	long n0 = panel_at(g->n, q) * VW, nv = panel_nv(g->n, q);
	mk_args p = {.n2 = 1, .n1 = 1, .k = k, .as = a.pitch, .ldb = b.pitch, .ldc = g->n,
		.cols = lmin(nv * VW, g->n - n0), .add = k0 > 0};
	float *y = g->y + m0 * g->n + n0;

	mk_run((g->ta ? VN(mk_tn) : VN(mk_nn))[nv], mk_cap(nv), m, &p, a.p, g->ta ? 1 : a.pitch, b.p, y);
}

/* Rows m0.., k steps from k0, of a as it lies. */
static operand a_at(const mm *g, long m0, long k0)
{
	return g->ta ? (operand){g->a + k0 * g->m + m0, g->m} : (operand){g->a + m0 * g->k + k0, g->k};
}

static void pack(const mm *g, float *d, long q, long k0, long k)
{
	long n0 = panel_at(g->n, q) * VW, nn = panel_nv(g->n, q) * VW, n = lmin(nn, g->n - n0);

	if (g->tb)
		VN(transpose)(d, nn, g->b + n0 * g->k + k0, g->k, n, k, nn);
	else
		VN(copy_rows)(d, nn, g->b + k0 * g->n + n0, g->n, k, n);
}

static operand copy_a(const mm *g, float *d, long m0, long m, long k0, long k)
{
	operand from = a_at(g, m0, k0), to = {d, a_pitch(g->ta, g->m, g->k)};
	long rows = g->ta ? k : m, cols = g->ta ? m : k;

	for (long r = 0; r < rows; r++) vcopy(d + r * to.pitch, from.p + r * from.pitch, cols);
	return to;
}

/* Rows [m0, m1), panels [q0, q1). */
static void packed(const mm *g, float *work, long m0, long m1, long q0, long q1)
{
	long step = group(g->n);
	float *copy = work + b_floats(g->n, g->k);

	for (long q = q0; q < q1; q += step)
		for (long k0 = 0; k0 < g->k; k0 += KC) {
			long k = lmin(KC, g->k - k0), at = panel_at(g->n, q), end = lmin(q + step, q1);
			for (long j = q; j < end; j++) pack(g, work + (panel_at(g->n, j) - at) * VW * k, j, k0, k);
			for (long m = m0; m < m1; m += MC) {
				long rows = lmin(MC, m1 - m);
				operand a = copy_a(g, copy, m, rows, k0, k);
				for (long j = q; j < end; j++)
					tiles(g, j, m, rows, k0, k, a,
						(operand){work + (panel_at(g->n, j) - at) * VW * k,
							panel_nv(g->n, j) * VW});
			}
		}
}

/* One item of the batch, as part `part` of `parts`: columns are shared out if there are enough, else rows. */
static void item(const mm *g, mm_form f, float *work, int32_t part, int32_t parts)
{
	cop_call c = {.part = part, .parts = parts};
	int32_t np = (int32_t)panels(g->n);
	bool by_panel = np >= 2 * parts || g->m < 2 * parts;
	long q0 = by_panel ? cop_from(&c, np, 1) : 0, q1 = by_panel ? cop_to(&c, np, 1) : np;
	long m0 = by_panel ? 0 : cop_from(&c, (int32_t)g->m, 1), m1 = by_panel ? g->m : cop_to(&c, (int32_t)g->m, 1);

	if (f == MM_PACKED) {
		packed(g, work, m0, m1, q0, q1);
	} else if (f == MM_PLAIN) {
		for (long q = q0; q < q1; q++)
			tiles(g, q, m0, m1 - m0, 0, g->k, a_at(g, m0, 0),
				(operand){g->b + panel_at(g->n, q) * VW, g->n});
	} else {
		dots(g->y, g->n, g->a, g->k, g->b, g->k, g->m, cop_from(&c, (int32_t)g->n, DOT_O),
			cop_to(&c, (int32_t)g->n, DOT_O), g->k, NULL, -__builtin_inff(), __builtin_inff());
	}
}

void VN(matmul_f32)(const cop_call *c)
{
	const int32_t *k = c->k;
	int32_t batch = k[MK_BATCH];
	bool whole = batch >= c->parts; /* whole items */
	int32_t from = whole ? cop_from(c, batch, 1) : 0, to = whole ? cop_to(c, batch, 1) : batch;
	mm g = {.m = k[MK_M], .n = k[MK_N], .k = k[MK_K], .ta = k[MK_TA], .tb = k[MK_TB]};

	for (long i = from; i < to; i++) {
		g.a = (const float *)c->buf[1] + i * k[MK_SA];
		g.b = (const float *)c->buf[2] + i * k[MK_SB];
		g.y = (float *)c->buf[0] + i * g.m * g.n;
		item(&g, form(k), c->work, whole ? 0 : c->part, whole ? 1 : c->parts);
	}
}
