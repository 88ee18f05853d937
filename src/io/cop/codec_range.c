/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_range - context-adaptive storage of codes: for each element whether it is kept, its sign, and how many levels of that sign lie between
 * it and zero, all as bits of the range coder under mixed estimates (mix.h). The contexts: how full the element's row and column have been so
 * far, and its neighbours. Those lie at two distances along a row, which the encoder looks for: 1 and 28 for weights that see pictures of 28
 * columns. A dead input or output costs next to nothing. No tables.
 *
 * parameter: bit 0: column by column; bit 1: no neighbours. Both are tried (small tensors) and the best kept.
 * Stream: u16 share of kept elements; the two distances (variable length), unless bit 1; the range coder's bytes.
 */
#include "io/cop/codec.h"

#include "io/cop/bits.h"
#include "io/cop/mix.h"

enum { CLASSES = 32, FULL = 5, UNARY = 15, BY_COLUMN = 1, ALONE = 2, TRY_UP_TO = 1 << 21, NEAR_MOST = 4096 };

typedef struct model {
	cop_guess full[CLASSES][FULL][2], around[48], heavy[CLASSES][5][3], row[CLASSES][2][3], mass[24][FULL], both[CLASSES][CLASSES]; /* is it kept? */
	cop_guess sign_at[27], sign_row[7], sign_column[7];
	cop_guess more_at[UNARY][9], more_sign[UNARY][2], more_full[UNARY][CLASSES];
	cop_guess rest[COP_MAX_LEVELS];
	cop_mixer kept_mix[5], sign_mix, more_mix[UNARY], rest_mix;
	uint32_t share;          /* of kept elements in the tensor, out of 65536 */
	int below, above;        /* levels of each sign */
	int32_t near, far;       /* distances; 0: none */
	uint16_t *column;        /* share of kept ones in each inner line so far */
	int8_t *lean;            /* its signs so far */
} model;

/* Half octaves: a share and its class, and the share in the middle of a class. */
static int class_of(uint32_t share)
{
	int top = 31 - __builtin_clz(share | 2);
	return 2 * top + (int)(share >> (top - 1) & 1);
}
static uint32_t middle(int class) { return class < 2 ? 1 : (uint32_t)(5 + 2 * (class & 1)) << (class / 2) >> 2; }

static int fullness(uint32_t row, uint32_t share) { return row * 2 < share ? 0 : row * 5 < share * 4 ? 1 : row * 4 < share * 5 ? 2 : row < share * 2 ? 3 : 4; }

static uint32_t bounded(uint32_t p) { return COP_MIN(COP_MAX(p, 96u), 65000u); }

static void set(cop_guess *g, int n, uint32_t p)
{
	for (int i = 0; i < n; i++) g[i] = cop__guess(p);
}

static void begin(model *m)
{
	const uint32_t share = bounded(m->share);

	for (int k = 0; k < CLASSES; k++) {
		set(m->full[k][0], 2 * FULL, bounded(middle(k)));
		set(m->heavy[k][0], 15, bounded(middle(k)));
		set(m->row[k][0], 6, bounded(middle(k)));
	}
	set(m->around, LEN(m->around), share);
	set(m->mass[0], 24 * FULL, share);
	for (int k = 0; k < CLASSES; k++) set(m->both[k], CLASSES, bounded(middle(k)));
	set(m->sign_at, LEN(m->sign_at), 32768);
	set(m->sign_row, LEN(m->sign_row), 32768);
	set(m->sign_column, LEN(m->sign_column), 32768);
	set(m->more_at[0], UNARY * 9, 32768);
	set(m->more_sign[0], UNARY * 2, 32768);
	set(m->more_full[0], UNARY * CLASSES, 32768);
	set(m->rest, LEN(m->rest), 32768);
	for (int i = 0; i < LEN(m->kept_mix); i++) cop__mixer_begin(&m->kept_mix[i], 6, 18);
	for (int i = 0; i < UNARY; i++) cop__mixer_begin(&m->more_mix[i], 3, 15);
	cop__mixer_begin(&m->sign_mix, 3, 14);
	cop__mixer_begin(&m->rest_mix, 1, 16);
}

static model *new_model(cop_ctx *cx, const cop_codes *c, const cop_range_how *h, int32_t columns)
{
	model *m = cop__alloc(cx, sizeof *m + 3 * (size_t)columns + 8);

	if (!m) return NULL;
	m->share = COP_MAX(h->share, 96u);
	if (!(h->parameter & ALONE)) m->near = h->near, m->far = h->far;
	while (m->below + 1 < c->levels && cop__book_of(c, 0)[m->below + 1] < 0) m->below++; /* of groups the first */
	m->above = c->levels ? c->levels - 1 - m->below : 1;
	m->column = (uint16_t *)(m + 1);
	m->lean = (int8_t *)(m->column + columns);
	for (int32_t i = 0; i < columns; i++) m->column[i] = (uint16_t)COP_MIN(m->share, 65000u);
	begin(m);
	return m;
}

/* ---- an element ---- */

/* What is known around it: q is signed, and how far from zero. */
typedef struct place { int a, b, c, d, e, f; int before; uint32_t row, column; int lean_row, lean_column; int32_t inner; } place;

static int size_of(int q) { return q < 0 ? -q : q; }
static int sign_of(int q) { return (q > 0) - (q < 0); }
static int third(int q) { return COP_MIN(size_of(q), 2); }

static int code_kept(cop_range *r, model *m, const place *p, int kept)
{
	int near = (p->a != 0) + (p->b != 0) + (p->c != 0) + (p->d != 0), wide = (p->e != 0) + (p->f != 0), class = class_of(p->column);
	int heavy = COP_MIN(size_of(p->a) + size_of(p->b), 4), corner = (p->c != 0) + (p->d != 0);
	int mass = 2 * (size_of(p->a) + size_of(p->b)) + size_of(p->c) + size_of(p->d) + size_of(p->e) + size_of(p->f);
	cop_guess *of[6] = {&m->full[class][fullness(p->row, m->share)][p->before], &m->around[(p->a != 0) + 2 * (p->b != 0) + 4 * (p->c != 0) + 8 * (p->d != 0) + 16 * wide],
		&m->heavy[class][heavy][corner], &m->row[class_of(p->row)][p->before][COP_MIN(near, 2)], &m->mass[COP_MIN(mass, 23)][fullness(p->row, m->share)], &m->both[class][class_of(p->row)]};
	return cop__mix_bit(r, &m->kept_mix[near], of, 6, kept);
}

static int lean_class(int lean) { return lean < -6 ? 0 : lean < -2 ? 1 : lean < 0 ? 2 : lean == 0 ? 3 : lean < 3 ? 4 : lean < 7 ? 5 : 6; }

static int code_sign(cop_range *r, model *m, const place *p, int negative)
{
	if (!m->below || !m->above) return m->below != 0;
	cop_guess *of[3] = {&m->sign_at[(sign_of(p->a) + 1) * 9 + (sign_of(p->b) + 1) * 3 + sign_of(p->c + p->d) + 1], &m->sign_row[lean_class(p->lean_row)], &m->sign_column[lean_class(p->lean_column)]};
	return cop__mix_bit(r, &m->sign_mix, of, 3, negative);
}

/* The tree has a leaf for each number up to `top`; a branch beyond it is not taken and costs nothing. */
static int code_rest(cop_range *r, model *m, int top, int number)
{
	int node = 1, from = 0, bits = 0;

	while (top >> bits) bits++;
	for (int i = bits - 1; i >= 0; i--) {
		cop_guess *of[1] = {&m->rest[node]};
		int bit = from + (1 << i) > top ? 0 : cop__mix_bit(r, &m->rest_mix, of, 1, number >> i & 1);
		node = 2 * node + bit;
		from += bit << i;
	}
	return from;
}

/* Of 1 .. most: one bit for each that it is more than, then a tree. */
static int code_size(cop_range *r, model *m, const place *p, int negative, int most, int size)
{
	int at = third(p->a) * 3 + third(p->b), class = class_of(p->column);

	for (int i = 0; i < UNARY; i++) {
		if (i + 1 >= most) return most;
		cop_guess *of[3] = {&m->more_at[i][at], &m->more_sign[i][negative], &m->more_full[i][class]};
		if (!cop__mix_bit(r, &m->more_mix[i], of, 3, size > i + 1)) return i + 1;
	}
	return UNARY + 1 + code_rest(r, m, most - UNARY - 1, size - UNARY - 1);
}

/* ---- all of them ---- */

static int q_of(const model *m, int code) { return !code ? 0 : code <= m->below ? code - m->below - 1 : code - m->below; }

static int code_one(cop_range *r, model *m, const place *p, int code)
{
	int q = q_of(m, code);

	if (!code_kept(r, m, p, q != 0)) return 0;
	int negative = code_sign(r, m, p, q < 0), size = code_size(r, m, p, negative, negative ? m->below : m->above, size_of(q));
	return negative ? m->below + 1 - size : m->below + size;
}

static uint16_t follow(uint32_t share, bool kept, int rate) { return (uint16_t)(kept ? share + ((65535 - share) >> rate) : share - (share >> rate)); }

/* The neighbour at a distance along the row. */
static int beside(const model *m, const uint8_t *code, int32_t column, int32_t distance) { return distance && column >= distance ? q_of(m, code[-distance]) : 0; }

static void look(place *p, const model *m, const uint8_t *code, int32_t column)
{
	p->a = beside(m, code, column, m->near);
	p->b = beside(m, code, column, m->far);
	p->c = m->near ? beside(m, code, column, m->far + m->near) : 0;
	p->d = m->far ? beside(m, code, column, m->far - m->near) : 0;
	p->e = beside(m, code, column, 2 * m->near);
	p->f = beside(m, code, column, 2 * m->far);
}

static int leaned(int lean, int q) { return q ? COP_MIN(COP_MAX(lean + sign_of(q), -100), 100) : lean; }

/* Both ways: encoding reads the codes, decoding writes them; a decoder stops at the end of a row once the bytes are
 * used up. */
static void walk(cop_range *r, model *m, cop_codes *c, bool by_column)
{
	int32_t outer = by_column ? c->cols : c->rows, inner = by_column ? c->rows : c->cols;
	int64_t so = by_column ? 1 : c->cols, si = by_column ? c->cols : 1;

	for (int32_t a = 0; a < outer && !cop__range_over(r); a++) {
		place p = {.row = m->share};
		int rate = COP_MIN(cop__range_rate((uint32_t)a + 2), 6);
		for (int32_t b = 0; b < inner; b++) {
			uint8_t *code = &c->code[a * so + b * si];
			p.column = m->column[b];
			p.lean_column = m->lean[b];
			look(&p, m, code, by_column ? a : b);
			*code = (uint8_t)code_one(r, m, &p, *code);
			p.before = *code != 0;
			p.lean_row = leaned(p.lean_row, q_of(m, *code));
			m->lean[b] = (int8_t)leaned(m->lean[b], q_of(m, *code));
			m->column[b] = follow(m->column[b], p.before, rate);
			p.row = follow(p.row, p.before, 5);
		}
	}
}

/* ---- the distances ---- */

/* How often two kept elements of a row lie so far apart, and more often than by chance: the best, and the best that does not touch it. */
static cop_status find_distances(int32_t *near, int32_t *far, cop_ctx *cx, const cop_codes *c)
{
	int32_t most = COP_MIN(c->cols / 2, NEAR_MOST), best[2] = {0, 0};
	double *met = cop__alloc(cx, sizeof *met * ((size_t)most + 1));
	int64_t looks = 0;

	if (!met) return COP_NOMEM;
	for (int32_t r = 0; r < c->rows && looks < 1 << 24; r++) {
		const uint8_t *row = c->code + (int64_t)r * c->cols;
		for (int32_t i = 0; i < c->cols; i++)
			for (int32_t d = 1; row[i] && d <= most && d <= i; d++, looks++) met[d] += row[i - d] ? 1.0 / (double)(c->cols - d) : 0;
	}
	for (int k = 0; k < 2; k++)
		for (int32_t d = 1; d <= most; d++) {
			bool touches = k && (d == best[0] || d == 2 * best[0] || d == best[0] - 1 || d == best[0] + 1);
			if (!touches && met[d] > (best[k] ? met[best[k]] : 0)) best[k] = d;
		}
	*near = COP_MIN(best[0], best[1]);
	*far = COP_MAX(best[0], best[1]);
	cop__free(cx, met);
	return COP_OK;
}

/* ---- a tensor ---- */

cop_status cop__range_walk(cop_range *r, cop_ctx *cx, cop_codes *c, const cop_range_how *h)
{
	bool by_column = h->parameter & BY_COLUMN;
	model *m = new_model(cx, c, h, by_column ? c->rows : c->cols);

	if (!m) return COP_NOMEM;
	walk(r, m, c, by_column);
	cop__free(cx, m);
	return COP_OK;
}

static cop_status encode(cop_text *out, cop_ctx *cx, cop_codes *c, const cop_range_how *h)
{
	cop_range r;

	cop__range_encoder(&r, out);
	COP_TRY(cop__range_walk(&r, cx, c, h));
	cop__range_end(&r);
	return out->status;
}

cop_status cop__range_choose(cop_range_how *best, cop_ctx *cx, const cop_codes *c)
{
	int64_t count = cop__codes_count(c), kept = 0;
	cop_codes view = *c; /* walk writes back what it read */
	size_t least = SIZE_MAX;

	for (int64_t i = 0; i < count; i++) kept += c->code[i] != 0;
	cop_range_how h = {.share = (uint32_t)(kept * 65535 / count)};
	COP_TRY(find_distances(&h.near, &h.far, cx, c));
	for (*best = h; count <= TRY_UP_TO && h.parameter < 4; h.parameter++) {
		cop_text t;
		cop__text_init(&t, cx);
		cop_status st = encode(&t, cx, &view, &h);
		if (!st && t.len < least) least = t.len, *best = h;
		cop__text_free(&t);
		COP_TRY(st);
	}
	if (best->parameter & ALONE) best->near = best->far = 0;
	return COP_OK;
}

void cop__range_put_how(cop_text *out, const cop_range_how *h)
{
	uint8_t b[2] = {(uint8_t)h->share, (uint8_t)(h->share >> 8)};

	cop__text_bytes(out, b, 2);
	if (h->parameter & ALONE) return;
	cop__var_put(out, (uint32_t)h->near);
	cop__var_put(out, (uint32_t)h->far);
}

bool cop__range_get_how(cop_range_how *h, int parameter, const uint8_t **p, const uint8_t *end)
{
	uint32_t near = 0, far = 0;

	if (end - *p < 2 || parameter > 3) return false;
	*h = (cop_range_how){.parameter = parameter, .share = (*p)[0] | (uint32_t)(*p)[1] << 8};
	*p += 2;
	if (!(parameter & ALONE) && (!cop__var_get(p, end, &near) || !cop__var_get(p, end, &far) || near > far || far > NEAR_MOST)) return false;
	h->near = (int32_t)near, h->far = (int32_t)far;
	return true;
}

cop_status cop__range_put(cop_text *out, int *parameter, cop_ctx *cx, const cop_codes *c)
{
	cop_codes view = *c;
	cop_range_how h;

	COP_TRY(cop__range_choose(&h, cx, c));
	*parameter = h.parameter;
	cop__range_put_how(out, &h);
	return encode(out, cx, &view, &h);
}

cop_status cop__range_get(cop_codes *c, cop_ctx *cx, const char *name, int parameter, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	cop_range_how h;
	cop_range r;

	if (!cop__range_get_how(&h, parameter, &p, end)) return cop__error(cx, COP_FORMAT, "%s: the stored stream is cut short", name);
	memset(c->code, 0, (size_t)cop__codes_count(c));
	cop__range_decoder(&r, p, (size_t)(end - p));
	COP_TRY(cop__range_walk(&r, cx, c, &h));
	return cop__range_over(&r) ? cop__error(cx, COP_FORMAT, "%s: the stored stream ends after %zu bytes, too early", name, len) : COP_OK;
}
