/* SPDX-License-Identifier: Apache-2.0
 *
 * layers - int8 layers of many shapes by the kernels for Cortex-M and by the portable ones, on the processor that runs this: a
 * host, or an emulated board. Every result must have the same bits, also when it lies over the input as far as the kernel's row
 * allows; an input that lies behind the result must stay as it is. A line a layer: kernel, sum of the result's bytes, and instructions where the board counts them.
 * usage: layers N      N random layers of each kind
 *        layers        layers of known networks
 *        layers kinds  a layer of each kind
 *        layers sparse  layers of which more and more weights are zero, by the kernels for those and by the dense ones
 *        layers prices  the same of small layers
 *        layers ... portable  by the kernels of processors without DSP instructions
 */
#include "kernel/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __arm__
#include "io.h"
#include "board.h"
void io_stop(int code);
#else
static uint32_t board_ticks(void) { return 0; }
static uint32_t board_instructions(uint32_t from, uint32_t to) { return from - to; }
#define io_stop exit
#endif

#define ISA DSP
#define N(x) cop_##x##_dsp
#define P(base) void N(base)(const cop_call *c);
#define B(base) bool N(base)(const int32_t *k);
#define S(base) size_t N(base)(const int32_t *k);
#define T(base) int64_t N(base)(const int32_t *k, const void *w);
#define V(opname, ty, base, ...) void N(base)(const cop_call *c);
#define K(opname, ty, sym, ...) void sym(const cop_call *c);
#include "kernel/cortexm/cortexm.def"
#include "kernel/cortexm/sparse.def"
K(,, cop_qconv_i8)
K(,, cop_qconv_i4)
K(,, cop_qconv_i2)
K(,, cop_qadd_i8)
K(,, cop_qavgpool_i8)
K(,, cop_qwindow_i8)
K(,, cop_qsparse_i8)
size_t cop_conv_ahead_i8(const int32_t *k);
bool cop_qwindow_fits(const int32_t *k);
size_t cop_qwindow_work(const int32_t *k);
bool cop_conv_one_group(const int32_t *k);
int64_t cop_qsparse_steps(const int32_t *k, const void *w);
size_t cop_qsparse_pack_bytes(const int32_t *k);
size_t cop_window_work(const int32_t *k);
void cop_qsparse_pack(const cop_call *c);
#undef P
#undef B
#undef S
#undef T
#undef V
#define P(base)
#define B(base)
#define S(base)
#define T(base)
#define V(opname, ty, base, ...) {.op = #opname, .types = ty, .fn = N(base), .symbol = #base, .source = __VA_ARGS__},
static const cop_kernel rows[] = {
	{.op = "qconv", .types = "i8 i8 i8", .fn = cop_qwindow_i8, .symbol = "qwindow_i8", .fits = cop_qwindow_fits, .work = cop_qwindow_work, .ahead = cop_conv_ahead_i8},
	{.op = "qconv", .types = "i8 i8 i8", .fn = cop_qsparse_i8, .symbol = "qsparse_i8", .fits = cop_conv_one_group, .work = cop_window_work, .steps = cop_qsparse_steps,
		.pack = cop_qsparse_pack, .pack_bytes = cop_qsparse_pack_bytes},
#include "kernel/cortexm/cortexm.def"
#include "kernel/cortexm/sparse.def"
};
enum { ROWS = sizeof rows / sizeof rows[0], PORTABLE = 2 };
static int first_row, last_row = ROWS; /* that are run */

/* ---- room and contents ---- */

enum { ROOM = 240 << 10 };
static uint32_t weights[ROOM / 4], packed[ROOM / 4], scratch[16 << 8], bias[1024], multiplier[2048];
static int8_t input[ROOM], second[ROOM], both[2 * ROOM], result[ROOM], want[ROOM];
static uint32_t seed, portable_cost, zeros; /* cost: instructions of the portable kernel; zeros: of a hundred weights of each kind */
static enum { RANDOM, FOURS, TWO_OF_FOUR, PATTERNS } pattern; /* which weights are zeros: any, aligned groups of four, two of each of those */

static uint32_t draw(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)n * seed >> 32);
}
static void noise(void *to, size_t n)
{
	for (size_t i = 0; i < n; i++) ((int8_t *)to)[i] = (int8_t)draw(256);
}

/* ---- a layer ---- */

typedef struct layer { const char *op; int32_t k[COP_MAX_WORDS]; char bits; size_t in, out; } layer;

static void stop(const char *what, const layer *l, const cop_kernel *row)
{
	char line[400];
	int n = snprintf(line, sizeof line, "%s: %s, words", row->symbol, what);
	for (int i = 0; i < QK_WORDS && n < 380; i++) n += snprintf(line + n, sizeof line - (size_t)n, " %ld", (long)l->k[i]);
	io_print(line);
	io_print("\n");
	io_stop(1);
}

/* plain: weights as quantisers make them, without -128 */
static void fill(const layer *l, int plain)
{
	const int32_t *k = l->k;
	int32_t dense = !strcmp(l->op, "qconv"), taps = dense ? k[CK_KH] * k[CK_KW] * k[CK_C] / k[CK_G] : 1, extreme = !plain && draw(6) == 0, wide = !plain && draw(k[QK_TWICE] ? 2 : 6) == 0, least = draw(3) ? 2 + draw(5) : 0, most = draw(8) ? 15 : 25;

	size_t w_n = dense ? (size_t)(k[CK_O] * taps + 64) : 0; /* of few bits: as many bytes as that at most */
	noise(input, l->in);
	noise(second, l->in);
	noise(weights, w_n);
	for (size_t i = 0; i < w_n && extreme; i++) ((int8_t *)weights)[i] = draw(3) ? 127 : -127;
	if (!plain && taps > 256 && draw(2)) memset(weights, l->bits == '2' ? 0xaa : l->bits == '4' ? 0x88 : 127, w_n), memset(input, -128, l->in); /* the largest sums; of 2 bits all are -2, of 4 -8 */
	if (plain || (!extreme && draw(2)))
		for (size_t i = 0; i < w_n; i++) ((int8_t *)weights)[i] |= ((int8_t *)weights)[i] == -128;
	for (uint32_t i = 0, gone = 0, left = 2; i < w_n && zeros; i++) {
		if (pattern == RANDOM || (pattern == FOURS && i % 4 == 0)) gone = draw(100) < zeros;
		if (pattern == TWO_OF_FOUR) left = i % 4 ? left - gone : 2, gone = draw(4 - i % 4) < left;
		if (gone) ((int8_t *)weights)[i] = 0;
	}
	for (int32_t i = 0; dense && i < k[CK_O]; i++) {
		int32_t scale = 2 + (int32_t)(draw(1 << 20) / (uint32_t)(1 + taps / 8));
		bias[i] = draw(65536) - 32768u;
		if (wide) bias[i] = draw(3u << 30) - (3u << 29); /* sums that no int8 holds */
		multiplier[i] = (uint32_t)(k[QK_TWICE] ? (1 << 30) + (int32_t)draw(1 << 30) : scale << (6 + (k[QK_UP] < 0 ? -k[QK_UP] : 0)));
	}
	for (int32_t i = 0; dense && k[QK_TWICE] && i < k[CK_O]; i++) multiplier[k[CK_O] + i] = -(uint32_t)(plain ? 7 : least) - draw(plain ? 6 : most - least);
}

static void call(const cop_kernel *row, const layer *l, void *y, const void *x)
{
	void *buf[5] = {y, (void *)(uintptr_t)x, strcmp(l->op, "qconv") ? (void *)second : (void *)weights, bias, multiplier};
	row->fn(&(cop_call){buf, l->k, scratch, packed, 0, 1});
}

static const cop_kernel portable[] = {{.op = "qconv", .fn = cop_qconv_i8, .types = "i8 i8 i8"}, {.op = "qconv", .fn = cop_qconv_i4, .types = "i8 i8 i4"}, {.op = "qconv", .fn = cop_qconv_i2, .types = "i8 i8 i2"}, {.op = "qadd", .fn = cop_qadd_i8}, {.op = "qavgpool", .fn = cop_qavgpool_i8}};

static void compare(const cop_kernel *row, layer *l, const char *name)
{
	void *buf[5] = {NULL, NULL, weights, bias, multiplier};
	size_t ahead = row->ahead ? row->ahead(l->k) : 0;
	uint32_t sum = 0, from, to;
	char line[200];

	if (row->steps) l->k[COP_STEPS] = (int32_t)row->steps(l->k, weights);
	if (l->k[COP_STEPS] < 0) return; /* not these weights */
	if (row->work && row->work(l->k) > sizeof scratch) stop("too much scratch", l, row);
	if (row->pack_bytes && row->pack_bytes(l->k) > sizeof packed) stop("too much to pack", l, row);
	if (row->pack) row->pack(&(cop_call){buf, l->k, packed, NULL, 0, 1});
	memset(result, 0x5a, l->out + 64);
	memset(scratch, 0x77, sizeof scratch);
	from = board_ticks();
	call(row, l, result, input);
	to = board_ticks();
	for (size_t i = row->work ? row->work(l->k) : 0; i < sizeof scratch; i++)
		if (((char *)scratch)[i] != 0x77) stop("writes past its scratch", l, row);
	if (memcmp(result, want, l->out)) stop("differs from the portable kernel", l, row);
	if (result[l->out] != 0x5a) stop("writes past its result", l, row);
	for (size_t more = 0; row->ahead && more < 8; more += 5) {
		memset(both, 0x33, ahead + more + l->in);
		memcpy(both + ahead + more, input, l->in);
		call(row, l, both, both + ahead + more);
		if (memcmp(both, want, l->out)) stop("differs when it lies over its input", l, row);
	}
	for (size_t gap = 0; gap < 12; gap += 11) { /* other layers may still read this input */
		memcpy(both + l->out + gap, input, l->in);
		call(row, l, both, both + l->out + gap);
		if (memcmp(both, want, l->out)) stop("differs when its input lies behind its result", l, row);
		if (memcmp(both + l->out + gap, input, l->in)) stop("changes an input that lies behind its result", l, row);
	}
	for (size_t i = 0; i < l->out; i++) sum = sum * 31 + (uint8_t)want[i];
	if (name) snprintf(line, sizeof line, "%-26s %-12s %08lx %lu instructions, portable %lu, scratch %lu, ahead %lu, packed %lu, spent %lu, weights %lu\n", name, row->symbol, (unsigned long)sum,
		(unsigned long)board_instructions(from, to), (unsigned long)portable_cost, (unsigned long)(row->work ? row->work(l->k) : 0), (unsigned long)ahead, (unsigned long)(row->pack_bytes ? row->pack_bytes(l->k) : 0), (unsigned long)(row->spent ? row->spent(l->k, weights) : row->steps ? l->k[COP_STEPS] : 0),
		(unsigned long)(l->k[CK_O] * l->k[CK_KH] * l->k[CK_KW] * l->k[CK_C]));
	else snprintf(line, sizeof line, "%s %08lx\n", row->symbol, (unsigned long)sum);
	io_print(line);
}

/* Is row r, which takes layer l, one to measure: of those for sparse weights the ones for its pattern, where there are zeros? Of dense ones the last counts. */
static bool measured(const cop_kernel *r, const layer *l)
{
	bool one = l->out == (size_t)l->k[CK_O];

	if (!r->steps || !zeros) return !r->steps && !zeros;
	if (last_row == PORTABLE) return pattern == RANDOM;
	return !strncmp(r->symbol, "qgroups", 7) == (pattern == FOURS) && (strstr(r->symbol, "_fc") != NULL) == one;
}

/* By every row that takes it, or, with a name, by those to measure. */
static void run(layer *l, const char *name)
{
	int last = 0;

	fill(l, name != NULL);
	for (size_t i = 0; i < sizeof portable / sizeof portable[0]; i++)
		if (!strcmp(portable[i].op, l->op) && (!l->bits || portable[i].types[7] == l->bits)) {
			memset(scratch, 0, sizeof scratch);
			uint32_t from = board_ticks();
			call(&portable[i], l, want, input);
			portable_cost = board_instructions(from, board_ticks());
			break;
		}
	for (int i = first_row; i < last_row; i++) {
		const cop_kernel *r = &rows[i];
		if (strcmp(r->op, l->op) || (r->fits && !r->fits(l->k)) || (l->bits && r->types[7] != l->bits)) continue;
		if (name && !measured(r, l)) continue;
		last = i + 1;
		if (!name || r->steps) compare(r, l, name);
		if (name || !r->roomy) continue;
		l->k[COP_ROOMY] = 1;
		compare(r, l, name);
		l->k[COP_ROOMY] = 0;
	}
	if (name && last && !rows[last - 1].steps) compare(&rows[last - 1], l, name);
}

static layer add(int32_t n, int32_t twice)
{
	layer l = {.op = "qadd", .in = (size_t)n, .out = (size_t)n};

	l.k[QA_COUNT] = n, l.k[QA_LO] = -128, l.k[QA_HI] = 127;
	for (int32_t i = QA_ZA; i <= QA_ZY; i++) l.k[i] = draw(256) - 128;
	l.k[QA_MA] = draw(1 << 21), l.k[QA_MB] = draw(1 << 21), l.k[QA_SY] = 2 + draw(21);
	if (!twice) return l;
	l.k[QA_TWICE] = 1;
	for (int32_t i = QA_MA; i <= QA_SY; i += 2) l.k[i] = (1 << 30) + (int32_t)draw(1 << 30), l.k[i + 1] = -(int32_t)draw(i == QA_MY ? 24 : 4);
	if (draw(3)) l.k[QA_MA + 2 * draw(2)] = 1 << 30; /* half of the operand with the larger scale */
	for (int32_t i = QA_MA; i < QA_MY; i += 2)
		if (l.k[i] == 1 << 30) l.k[i + 1] = 0;
	return l;
}

static int32_t out_size(int32_t n, int32_t window, int32_t stride, int32_t pads) { return (n + pads - window) / stride + 1; }

static layer pool(int32_t n, int32_t h, int32_t w, int32_t c, int32_t kh, int32_t kw, int32_t s, int32_t pad)
{
	layer l = {.op = "qavgpool", .in = (size_t)(n * h * w * c)};
	int32_t k[QP_WORDS] = {[PK_N] = n, [PK_H] = h, [PK_W] = w, [PK_C] = c, [PK_OH] = out_size(h, kh, s, 2 * pad), [PK_OW] = out_size(w, kw, s, 2 * pad), [PK_KH] = kh, [PK_KW] = kw,
		[PK_SH] = s, [PK_SW] = s, [PK_PT] = pad, [PK_PL] = pad, [QP_HI] = 127};

	k[QP_ZX] = draw(256) - 128, k[QP_ZY] = draw(256) - 128, k[QP_LO] = -128 + (int32_t)draw(9);
	if (draw(2)) k[QP_M] = (1 << 30) + (int32_t)draw(1 << 30), k[QP_S] = -(int32_t)draw(9);
	memcpy(l.k, k, sizeof k);
	l.out = (size_t)(n * k[PK_OH] * k[PK_OW] * c);
	return l;
}

static layer random_pool(void)
{
	int32_t kh = 1 + draw(5), kw = 1 + draw(5), h = kh + draw(6), w = kw + draw(6);
	int32_t n = 1 + draw(2), c = 4 * (1 + draw(5)), s = 1 + draw(3), pad = kh > 2 && kw > 2 && draw(2);
	return pool(n, h, w, c, kh, kw, s, pad);
}

/* pad: before; the same or one more after. depth: one filter a channel. */
static layer conv(int32_t n, int32_t h, int32_t w, int32_t c, int32_t o, int32_t kh, int32_t kw, int32_t s, int32_t pad, int32_t after, int32_t depth)
{
	layer l = {.op = "qconv", .bits = '8'};
	int32_t *k = l.k;

	k[CK_N] = n, k[CK_H] = h, k[CK_W] = w, k[CK_C] = c, k[CK_O] = depth ? c : o, k[CK_KH] = kh, k[CK_KW] = kw, k[CK_SH] = k[CK_SW] = s;
	k[CK_PT] = pad && kh > 1 ? (kh - 1) / 2 - (s == 2 && !after) * 0 : 0, k[CK_PL] = pad && kw > 1 ? (kw - 1) / 2 : 0, k[CK_DH] = k[CK_DW] = 1, k[CK_G] = depth ? c : 1;
	if (s == 2 && after) k[CK_PT] = k[CK_PL] = 0; /* all of an even size's padding comes after */
	k[CK_OH] = out_size(h, kh, s, pad ? kh - 1 : 0), k[CK_OW] = out_size(w, kw, s, pad ? kw - 1 : 0);
	k[CK_LO] = -128, k[CK_HI] = 127, k[QK_ZX] = -128, k[QK_ZY] = -3;
	l.in = (size_t)(n * h * w * c);
	l.out = (size_t)(n * k[CK_OH] * k[CK_OW] * k[CK_O]);
	return l;
}

/* Other strides, dilation, groups, or filters a channel; the sizes are the input's and its padding's still. */
static layer reshaped(layer l, int32_t sh, int32_t sw, int32_t dh, int32_t dw, int32_t groups, int32_t o)
{
	int32_t *k = l.k, high = k[CK_H] + 2 * k[CK_PT], wide = k[CK_W] + 2 * k[CK_PL];

	k[CK_SH] = sh, k[CK_SW] = sw, k[CK_DH] = dh, k[CK_DW] = dw, k[CK_G] = groups, k[CK_O] = o;
	k[CK_OH] = out_size(high, (k[CK_KH] - 1) * dh + 1, sh, 0), k[CK_OW] = out_size(wide, (k[CK_KW] - 1) * dw + 1, sw, 0);
	l.out = (size_t)(k[CK_N] * k[CK_OH] * k[CK_OW] * o);
	return l;
}

static void draw_arithmetic(layer *l)
{
	l->bits = "8884488222888888"[draw(16)];
	l->k[QK_ZX] = draw(256) - 128;
	l->k[QK_ZY] = draw(256) - 128;
	l->k[QK_TWICE] = draw(4) == 0;
	if (!l->k[QK_TWICE] && draw(4) == 0) l->k[QK_UP] = (int32_t)draw(8) - 4;
	if (draw(3) == 0) l->k[CK_LO] = l->k[QK_ZY], l->k[CK_HI] = l->k[QK_ZY] + draw(128 - l->k[QK_ZY]);
}

/* Groups, of one channel where `depth`, windows of up to 7 taps each way or a long line of them, dilated. */
static layer random_groups(int32_t depth)
{
	int32_t line = draw(3) == 0, down = draw(2), kh = line && !down ? 1 : 1 + draw(7), kw = line && down ? 1 : 1 + draw(7), dh = draw(2) ? 1 : 1 + draw(4), dw = draw(2) ? 1 : 1 + draw(4);
	int32_t h = (kh - 1) * dh + 1, w = (kw - 1) * dw + 1, groups = 1 + draw(depth ? 20 : 5), each = 1 + draw(3), cg = depth ? 1 : 1 + draw(9), n = 1 + draw(2);
	int32_t more = draw(8), wider = draw(8), sh = 1 + draw(3), sw = 1 + draw(3);

	if (line && draw(3) == 0) more = wider = 1500 + draw(2000), groups = 1 + draw(depth ? 4 : 2), cg = n = 1;
	if (depth && draw(3)) each = 1;
	if (!line || down) h += more;
	if (!line || !down) w += wider;
	layer l = conv(n, h, w, groups * cg, groups * each, kh, kw, 1, 0, 0, 0);
	l.k[CK_PT] = draw(kh);
	l.k[CK_PL] = draw(kw);
	l = reshaped(l, sh, sw, dh, dw, groups, groups * each);
	draw_arithmetic(&l);
	return l;
}

static layer random_long(void)
{
	int32_t w = 1 + draw(4) / 3, whole = draw(2) ? 3 : 0, c = (257 + draw(900)) & ~whole, o = 1 + draw(9);
	layer l = conv(1, 1, w, c, o, 1, 1, 1, 0, 0, 0);

	draw_arithmetic(&l);
	if (draw(2)) l.bits = "42"[draw(2)]; /* sums of few bits that are too large to be told from each other */
	return l;
}

static layer random_conv(int32_t depth)
{
	int32_t point = !depth && draw(3) == 0, c = 1 + draw(draw(2) ? 9 : 40), o = 1 + draw(draw(2) ? 9 : 40), kh = point ? 1 : depth ? 3 : 1 + draw(5);
	int32_t kw = point ? 1 : depth ? 3 : 1 + draw(4), h = kh + draw(9), w = kw + draw(9), one = point && draw(2);
	int32_t n = one ? 1 : 1 + draw(2), s = point ? 1 : 1 + draw(2), pad = draw(2), after = draw(2);
	layer l = conv(n, one ? 1 : h, one ? 1 : w, c, o, kh, kw, s, pad, after, depth);

	draw_arithmetic(&l);
	return l;
}

/* One layer of a kind: a window, its dilation, groups, and filters a group. */
static void kinds(void)
{
	static const struct { const char *name; int32_t h, w, c, kh, kw, s, d, groups, each; } t[] = {
		{"3x3", 16, 16, 16, 3, 3, 1, 1, 1, 16},
		{"3x3, one filter", 16, 16, 16, 3, 3, 1, 1, 1, 1},
		{"3x3, two filters", 16, 16, 16, 3, 3, 1, 1, 1, 2},
		{"3x3, three filters", 16, 16, 16, 3, 3, 1, 1, 1, 3},
		{"3x3, 256 channels, two", 6, 6, 256, 3, 3, 1, 1, 1, 2},
		{"1x1, two filters", 16, 16, 16, 1, 1, 1, 1, 1, 2},
		{"3x3, 256 channels", 6, 6, 256, 3, 3, 1, 1, 1, 16},
		{"3x3, dilation 2", 16, 16, 16, 3, 3, 1, 2, 1, 16},
		{"1x3, dilation 4", 1, 200, 16, 1, 3, 1, 4, 1, 16},
		{"3x3, 4 groups", 16, 16, 16, 3, 3, 1, 1, 4, 4},
		{"1x1, 4 groups", 16, 16, 64, 1, 1, 1, 1, 4, 16},
		{"depthwise 3x3", 16, 16, 16, 3, 3, 1, 1, 16, 1},
		{"depthwise 5x5", 16, 16, 16, 5, 5, 1, 1, 16, 1},
		{"depthwise 5x5, stride 2", 16, 16, 16, 5, 5, 2, 1, 16, 1},
		{"depthwise 7x7", 16, 16, 16, 7, 7, 1, 1, 16, 1},
		{"depthwise 3x3, dilation 2", 16, 16, 16, 3, 3, 1, 2, 16, 1},
		{"depthwise 3x3, 2 filters", 16, 16, 16, 3, 3, 1, 1, 16, 2},
		{"depthwise 1x9", 1, 200, 16, 1, 9, 1, 1, 16, 1},
		{"depthwise 9x1", 200, 1, 16, 9, 1, 1, 1, 16, 1},
		{"depthwise 1x3", 1, 200, 16, 1, 3, 1, 1, 16, 1},
	};
	char name[64];

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		layer l = conv(1, t[i].h, t[i].w, t[i].c, 1, t[i].kh, t[i].kw, 1, 0, 0, 0);
		l.k[CK_PT] = t[i].kh / 2 * t[i].d, l.k[CK_PL] = t[i].kw / 2 * t[i].d;
		l = reshaped(l, t[i].s, t[i].s, t[i].d, t[i].d, t[i].groups, t[i].groups * t[i].each);
		seed = 2;
		snprintf(name, sizeof name, "%s: %ld", t[i].name, (long)l.out * t[i].kh * t[i].kw * t[i].c / t[i].groups);
		run(&l, name);
	}
}

static void known(void)
{
	static const struct { const char *name; int32_t h, w, c, o, kh, kw, s, after, depth; } t[] = {
		{"resnet 32x32x3->16", 32, 32, 3, 16, 3, 3, 1, 0, 0},
		{"resnet 32x32x16->16", 32, 32, 16, 16, 3, 3, 1, 0, 0},
		{"resnet 32x32x16->32 s2", 32, 32, 16, 32, 3, 3, 2, 1, 0},
		{"resnet 16x16x32->32", 16, 16, 32, 32, 3, 3, 1, 0, 0},
		{"resnet 1x1 32x32x16 s2", 32, 32, 16, 32, 1, 1, 2, 0, 0},
		{"resnet 8x8x64->64", 8, 8, 64, 64, 3, 3, 1, 0, 0},
		{"kws 10x4 49x10x1->64 s2", 49, 10, 1, 64, 10, 4, 2, 0, 0},
		{"kws 1x1 25x5x64->64", 25, 5, 64, 64, 1, 1, 1, 0, 0},
		{"kws dw 25x5x64", 25, 5, 64, 64, 3, 3, 1, 0, 1},
		{"vww 96x96x3->8 s2", 96, 96, 3, 8, 3, 3, 2, 1, 0},
		{"vww dw 48x48x8", 48, 48, 8, 8, 3, 3, 1, 0, 1},
		{"vww 1x1 48x48x8->16", 48, 48, 8, 16, 1, 1, 1, 0, 0},
		{"vww dw 48x48x16 s2", 48, 48, 16, 16, 3, 3, 2, 1, 1},
		{"vww 1x1 24x24x16->32", 24, 24, 16, 32, 1, 1, 1, 0, 0},
		{"vww dw 6x6x128", 6, 6, 128, 128, 3, 3, 1, 0, 1},
		{"vww 1x1 6x6x128->128", 6, 6, 128, 128, 1, 1, 1, 0, 0},
		{"vww dw 3x3x256", 3, 3, 256, 256, 3, 3, 1, 0, 1},
		{"vww 1x1 3x3x256->256", 3, 3, 256, 256, 1, 1, 1, 0, 0},
		{"ad 640->128", 1, 1, 640, 128, 1, 1, 1, 0, 0},
		{"ad 128->8", 1, 1, 128, 8, 1, 1, 1, 0, 0},
		{"ad 8->128", 1, 1, 8, 128, 1, 1, 1, 0, 0},
	};
	char name[64];

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		layer l = conv(1, t[i].h, t[i].w, t[i].c, t[i].o, t[i].kh, t[i].kw, t[i].s, 1, t[i].after, t[i].depth);
		long mac = (long)l.out * t[i].kh * t[i].kw * (t[i].depth ? 1 : t[i].c);
		seed = 2;
		snprintf(name, sizeof name, "%s: %ld", t[i].name, mac);
		run(&l, name);
	}
	layer sum = add(16384, 0), exact = add(16384, 1), mean = pool(1, 8, 8, 64, 8, 8, 1, 0);
	run(&sum, "resnet add: 16384");
	run(&exact, "resnet add, TFLite's: 16384");
	run(&mean, "resnet average: 4096");
}

typedef struct shape { const char *name; int32_t h, w, c, o, k; } shape;
static const shape shapes[] = {
	{"fc 784->300", 1, 1, 784, 300, 1}, {"fc 300->100", 1, 1, 300, 100, 1}, {"fc 64->32", 1, 1, 64, 32, 1}, {"1x1 25x5x64->64", 25, 5, 64, 64, 1}, {"1x1 6x6x128->128", 6, 6, 128, 128, 1},
	{"3x3 16x16x32->32", 16, 16, 32, 32, 3}, {"3x3 8x8x64->64", 8, 8, 64, 64, 3}, {NULL, 0, 0, 0, 0, 0}};
static const shape small_shapes[] = {
	{"fc 300->50", 1, 1, 300, 50, 1}, {"fc 64->32", 1, 1, 64, 32, 1}, {"fc 100->10", 1, 1, 100, 10, 1}, {"fc 32->100", 1, 1, 32, 100, 1}, {"1x1 5x5x64->16", 5, 5, 64, 16, 1},
	{"1x1 5x5x24->4", 5, 5, 24, 4, 1}, {"3x3 6x6x16->8", 6, 6, 16, 8, 3}, {"3x3 5x5x15->30", 5, 5, 15, 30, 3}, {NULL, 0, 0, 0, 0, 0}};

/* Every layer dense, then with more and more zeros. */
static void sparse(const shape *t)
{
	static const uint32_t part[] = {0, 50, 60, 70, 75, 80, 91, 95};
	char name[64];

	for (; t->name; t++)
		for (pattern = RANDOM; pattern < PATTERNS; pattern++)
			for (size_t j = pattern != RANDOM; j < (pattern == TWO_OF_FOUR ? 2 : sizeof part / sizeof part[0]); j++) {
				layer l = conv(1, t->h, t->w, t->c, t->o, t->k, t->k, 1, 1, 0, 0);
				zeros = part[j];
				seed = 2;
				snprintf(name, sizeof name, "%s, %lu %%%s: %ld", t->name, (unsigned long)part[j], (const char *[]){"", " in fours", ", 2:4"}[pattern], (long)l.out * t->k * t->k * t->c);
				run(&l, name);
			}
	pattern = RANDOM;
}

/* Layers whose multipliers are below 1, and the same with larger ones. */
static void scaled(void)
{
	static const struct { const char *name; int32_t h, w, c, o, k, depth; } t[] = {
		{"dw 3x3", 25, 5, 16, 16, 3, 1}, {"dw 5x5", 12, 12, 16, 16, 5, 1}, {"1x1", 25, 5, 32, 32, 1, 0}, {"3x3", 8, 8, 16, 16, 3, 0}, {"fc", 1, 1, 64, 32, 1, 0}};
	char name[64];

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
		for (int32_t up = 0; up < 3; up++) {
			layer l = conv(1, t[i].h, t[i].w, t[i].c, t[i].o, t[i].k, t[i].k, 1, 1, 0, t[i].depth);
			l.k[QK_UP] = up;
			zeros = 0;
			seed = 2;
			snprintf(name, sizeof name, "%s, up %ld: 1", t[i].name, (long)up);
			run(&l, name);
		}
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 0, portable_rows = argc > 1 && !strcmp(argv[argc - 1], "portable");

	if (portable_rows) last_row = PORTABLE, argc--;
	else if (!n) first_row = PORTABLE;
	if (!n && argc > 1 && !strcmp(argv[1], "sparse")) sparse(shapes);
	else if (!n && argc > 1 && !strcmp(argv[1], "prices")) sparse(small_shapes);
	else if (!n && argc > 1 && !strcmp(argv[1], "scaled")) scaled();
	else if (!n && argc > 1) kinds();
	else if (!n) known();
	for (int i = 0; i < n; i++) {
		seed = (uint32_t)i;
		draw(1);
		zeros = i % 3 ? draw(100) : 0;
		pattern = draw(PATTERNS);
		layer l = random_conv(0);
		run(&l, NULL);
		l = random_conv(1);
		run(&l, NULL);
		l = random_groups(i & 1);
		run(&l, NULL);
		l = random_long();
		run(&l, NULL);
		l = add(1 + draw(300), i & 1);
		run(&l, NULL);
		l = random_pool();
		run(&l, NULL);
	}
	io_print("all equal\n");
	return 0;
}
