/* SPDX-License-Identifier: Apache-2.0
 *
 * pack_sparse - what a plan needs to know about the kernels for sparse int8 weights of Cortex-M and of portable C. Runs where the plan is made; not
 * shipped to devices.
 */
#include "kernel/cortexm/sparse.h"
#include "kernel/gaps_pack.h"

static int32_t taps(const int32_t *k) { return k[CK_KH] * k[CK_KW] * k[CK_C]; }
static size_t padding(const int32_t *k) { return (size_t)((k[CK_C] + 3) & ~3); }
static bool one_pixel(const int32_t *k)
{
	return k[CK_G] == 1 && k[CK_KH] * k[CK_KW] == 1 && k[CK_N] * k[CK_H] * k[CK_W] == 1 && k[CK_OH] * k[CK_OW] == 1 && !k[CK_PT] && !k[CK_PL];
}

enum { MOST_SCRATCH = 16 << 10 }; /* of a kernel that stages more than the dense one: a board has little memory */
enum { TAP = 2 * COP_PIXELS, QUAD = 6 * 4 * COP_PIXELS, GROUP_ONE = 8, GROUP_FOUR = GROUP_ONE * COP_PIXELS }; /* bytes of staged input: a tap, the pairs of four taps, a group */

/* In planes; an u16 has to say it. */
static int32_t plane_place(int32_t n, int32_t i, int32_t d, int32_t unit)
{
	int32_t at = cop_plane_at(n, i, d);
	return at * unit <= 65535 ? at : -1;
}
static int32_t weights_place(int32_t n, int32_t i, int32_t j) { return j - i <= COP_NEAR ? plane_place(n, i, j - i, 2) : -1; }
static int32_t groups_place(int32_t n, int32_t i, int32_t j) { return j - i <= COP_NEAR_GROUPS ? plane_place(n, i, j - i, GROUP_ONE) : -1; }
static int32_t quad_place(int32_t n, int32_t i, int32_t j)
{
	static const int8_t at[4][4] = {{0, 0, 1, 2}, {0, 0, 3, 4}, {0, 0, 0, 5}};
	return (void)n, i / 4 == j / 4 ? i / 4 * 6 + at[i % 4][j % 4] : -1;
}

/* Costs of steps are tenths of instructions, loops included. */
static const cop_form singles = {1, TAP, NULL, 0, 550, 1}, groups = {COP_GROUP, GROUP_FOUR, NULL, 0, 590, 1}, quads = {1, 4 * COP_PIXELS, quad_place, 310, 0, 1};
static const cop_form single_weights = {1, 1, NULL, 0, 300, 1}, near_weights = {1, 2, weights_place, 175, 316, 1}, near_groups = {COP_GROUP, GROUP_ONE, groups_place, 180, 230, 2};

/* What a row spends is tens of instructions: those of its steps, and what else it does more than the dense kernel, in tenths of instructions: for each number it stages, for each
 * result, at all. Fitted to layers of many shapes, not to be less than they take. plan/breakeven.def has what the dense kernel makes of ten instructions. */
typedef struct more { int32_t number, result, all; } more;

static int64_t spent(const cop_form *f, const int32_t *k, const void *w, more m)
{
	int64_t cost, other = (int64_t)m.number * taps(k) + (int64_t)m.result * k[CK_O] + m.all;

	cop_form_steps(f, w, k[CK_O], taps(k), &cost);
	return cost + other > 0 ? (cost + other + 99) / 100 : 1;
}

/* Sums that are not scaled as usual leave the loop over rows. */
static int32_t apart(const int32_t *k, int32_t cost) { return k[CK_LO] == -128 && k[CK_HI] == 127 && (k[QK_TWICE] || !k[QK_UP]) ? 0 : cost; }

static int64_t spent_on_one(const cop_form *f, const int32_t *k, const void *w, more m)
{
	m.result += apart(k, 200);
	return spent(f, k, w, m);
}

static int64_t spent_on_four(const cop_form *f, const int32_t *k, const void *w, int32_t number)
{
	int64_t pixels = (int64_t)k[CK_N] * k[CK_OH] * k[CK_OW], whole = (pixels + COP_PIXELS - 1) / COP_PIXELS * COP_PIXELS;

	return (spent(f, k, w, (more){number, apart(k, 2300), 5000}) * whole + pixels - 1) / pixels;
}

/* ---- convolutions ---- */

bool cop_qsparse_fits_dsp(const int32_t *k) { return k[CK_G] == 1; }
int64_t cop_qsparse_steps_dsp(const int32_t *k, const void *w) { return cop_form_steps(&singles, w, k[CK_O], taps(k), NULL); }
int64_t cop_qsparse_spent_dsp(const int32_t *k, const void *w) { return spent_on_four(&singles, k, w, 100); }
void cop_qsparse_pack_dsp(const cop_call *c) { cop_form_pack(&singles, c->work, c->buf[2], c->k[CK_O], taps(c->k)); }
size_t cop_qsparse_pack_bytes_dsp(const int32_t *k) { return cop_form_size(&singles, k[CK_O], k[COP_STEPS]); }
size_t cop_qsparse_work_dsp(const int32_t *k) { return padding(k) + (size_t)taps(k) * TAP; }

bool cop_qgroups_fits_dsp(const int32_t *k) { return k[CK_G] == 1 && k[CK_C] % COP_GROUP == 0; }
int64_t cop_qgroups_steps_dsp(const int32_t *k, const void *w) { return cop_form_steps(&groups, w, k[CK_O], taps(k), NULL); }
int64_t cop_qgroups_spent_dsp(const int32_t *k, const void *w) { return spent_on_four(&groups, k, w, 10); }
void cop_qgroups_pack_dsp(const cop_call *c) { cop_form_pack(&groups, c->work, c->buf[2], c->k[CK_O], taps(c->k)); }
size_t cop_qgroups_pack_bytes_dsp(const int32_t *k) { return cop_form_size(&groups, k[CK_O], k[COP_STEPS]); }
size_t cop_qgroups_work_dsp(const int32_t *k) { return padding(k) + (size_t)taps(k) / COP_GROUP * GROUP_FOUR + GROUP_FOUR * COP_GROUPS; }

size_t cop_qpairs_work_dsp(const int32_t *k) { return padding(k) + (size_t)taps(k) / 4 * QUAD; }
bool cop_qpairs_fits_dsp(const int32_t *k) { return cop_qgroups_fits_dsp(k) && cop_qpairs_work_dsp(k) <= MOST_SCRATCH; }
int64_t cop_qpairs_steps_dsp(const int32_t *k, const void *w) { return cop_form_steps(&quads, w, k[CK_O], taps(k), NULL); }
int64_t cop_qpairs_spent_dsp(const int32_t *k, const void *w) { return spent_on_four(&quads, k, w, 80); }
void cop_qpairs_pack_dsp(const cop_call *c) { cop_form_pack(&quads, c->work, c->buf[2], c->k[CK_O], taps(c->k)); }
size_t cop_qpairs_pack_bytes_dsp(const int32_t *k) { return cop_form_size(&quads, k[CK_O], k[COP_STEPS]); }

/* ---- fully connected ---- */

bool cop_qsparse_fc_fits_dsp(const int32_t *k) { return one_pixel(k); }
int64_t cop_qsparse_fc_steps_dsp(const int32_t *k, const void *w) { return cop_form_steps(&single_weights, w, k[CK_O], taps(k), NULL); }
int64_t cop_qsparse_fc_spent_dsp(const int32_t *k, const void *w) { return spent_on_one(&single_weights, k, w, (more){-17, 40, 0}); }
void cop_qsparse_fc_pack_dsp(const cop_call *c) { cop_form_pack(&single_weights, c->work, c->buf[2], c->k[CK_O], taps(c->k)); }
size_t cop_qsparse_fc_pack_bytes_dsp(const int32_t *k) { return cop_form_size(&single_weights, k[CK_O], k[COP_STEPS]); }

size_t cop_qpairs_fc_work_dsp(const int32_t *k) { return (size_t)taps(k) * 2 * COP_NEAR; }
bool cop_qpairs_fc_fits_dsp(const int32_t *k) { return one_pixel(k) && cop_qpairs_fc_work_dsp(k) <= MOST_SCRATCH; }
int64_t cop_qpairs_fc_steps_dsp(const int32_t *k, const void *w) { return cop_form_steps(&near_weights, w, k[CK_O], taps(k), NULL); }
int64_t cop_qpairs_fc_spent_dsp(const int32_t *k, const void *w) { return spent_on_one(&near_weights, k, w, (more){62, 90, 2600}); }
void cop_qpairs_fc_pack_dsp(const cop_call *c) { cop_form_pack(&near_weights, c->work, c->buf[2], c->k[CK_O], taps(c->k)); }
size_t cop_qpairs_fc_pack_bytes_dsp(const int32_t *k) { return cop_form_size(&near_weights, k[CK_O], k[COP_STEPS]); }

/* In a group b a b a, each b a is an int16, 256 b + a. */
static void add_halves(uint8_t *group)
{
	for (int32_t i = 0; i < COP_GROUP; i += 2) group[i + 1] = (uint8_t)(group[i + 1] - (group[i] >> 7));
}

/* No half of a word and no sum times 128 * 256 may overflow. */
static bool halves_hold(const int8_t *w, int32_t rows, int32_t n)
{
	for (int32_t r = 0; r < rows; r++, w += n) {
		int64_t sum = 0;
		for (int32_t i = 0; i < n; i++) {
			if (i % 2 && w[i] == -128) return false;
			sum += w[i] < 0 ? -w[i] : w[i];
		}
		if (sum > 65535) return false;
	}
	return true;
}

bool cop_qgroups_fc_fits_dsp(const int32_t *k) { return one_pixel(k) && k[CK_C] % COP_GROUP == 0; }
int64_t cop_qgroups_fc_steps_dsp(const int32_t *k, const void *w)
{
	return halves_hold(w, k[CK_O], taps(k)) ? cop_form_steps(&near_groups, w, k[CK_O], taps(k), NULL) : -1;
}
int64_t cop_qgroups_fc_spent_dsp(const int32_t *k, const void *w) { return spent_on_one(&near_groups, k, w, (more){15, 140, 0}); }
size_t cop_qgroups_fc_pack_bytes_dsp(const int32_t *k) { return cop_form_size(&near_groups, k[CK_O], k[COP_STEPS]); }
size_t cop_qgroups_fc_work_dsp(const int32_t *k) { return (size_t)taps(k) * 2 * COP_NEAR_GROUPS + GROUP_ONE * COP_GROUPS; } /* what groups of zeros behind a row read may be anything */

/* Before a row what its sum begins with. */
void cop_qgroups_fc_pack_dsp(const cop_call *c)
{
	int32_t n = taps(c->k);
	uint32_t *row = c->work;
	const int8_t *w = c->buf[2];

	cop_form_pack(&near_groups, row, w, c->k[CK_O], n);
	for (int32_t r = 0; r < c->k[CK_O]; r++, w += n) {
		uint8_t *step = (uint8_t *)(row + 2), *end = step + 4 * COP_GROUP_WORDS * (size_t)(row[0] >> 16);
		row[1] = 0;
		for (int32_t i = 0; i < n; i += 2) row[1] -= (uint32_t)(127 * w[i]);
		for (; step < end; step += 4 * COP_GROUP_WORDS)
			for (int32_t g = 1; g <= COP_GROUPS; g++) add_halves(step + COP_GROUP * g);
		row = (uint32_t *)(void *)end;
	}
}
