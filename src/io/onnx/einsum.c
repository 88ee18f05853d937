/* SPDX-License-Identifier: Apache-2.0
 *
 * einsum - Einsum of one or more operands, two at a time: letters that stand twice in an operand take its diagonal,
 * letters that nobody asks for any more are summed, and the rest is one product of matrices: [both and the result, left
 * alone, summed] times [.., summed, right alone].
 * "..." stands for the axes that the letters leave, and broadcasts.
 */
#include "io/onnx/onnx.h"

enum { ELLIPSIS = 64, MOST_TERMS = 8 }; /* axis i from the end of "..." is the letter ELLIPSIS + i */

/* An operand: its axes as letters. known: the array that it is as it stands, or NULL. */
typedef struct term { cop_vid v; int rank; uint8_t letter[COP_MAX_DIM]; const cop_ox_value *known; } term;

static int place(const term *t, uint8_t letter)
{
	for (int i = 0; i < t->rank; i++)
		if (t->letter[i] == letter) return i;
	return -1;
}

static int32_t length(cop_ox *m, const term *t, uint8_t letter)
{
	int i = place(t, letter);
	return i < 0 || !t->v ? 1 : cop__t(m->g, t->v)->dim[i];
}

/* "ab...c" up to an end as the letters of `rank` axes; rank < 0: of the result, where "..." has `dots` axes. */
static cop_status letters(cop_ox *m, const cop_ox_node *n, const char *s, size_t len, int rank, int dots, term *t)
{
	int plain = 0;
	bool has = false;

	t->rank = 0;
	for (size_t i = 0; i < len; i++) {
		bool dot = !strncmp(s + i, "...", 3) && i + 3 <= len, letter = (s[i] | 32) >= 'a' && (s[i] | 32) <= 'z';
		if (s[i] == ' ') continue;
		if (!dot && !letter) return cop__ox_fail(m, n, "'%c' has no meaning in the equation", s[i]);
		if (dot && has) return cop__ox_fail(m, n, "'...' stands twice in a term");
		has |= dot, plain += letter;
		i += dot ? 2 : 0;
	}
	int extra = rank < 0 ? dots : rank - plain;
	if (extra < 0 || (extra && !has && rank >= 0))
		return cop__ox_fail(m, n, "a term of %d letters for %d dimensions", plain, rank);
	if (plain + (has ? extra : 0) > COP_MAX_DIM)
		return cop__ox_fail(m, n, "a term of more than %d dimensions", COP_MAX_DIM);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == ' ') continue;
		if (s[i] != '.') {
			t->letter[t->rank++] = (uint8_t)(s[i] - 'A');
			continue;
		}
		for (int k = extra - 1; k >= 0; k--) t->letter[t->rank++] = (uint8_t)(ELLIPSIS + k);
		i += 2;
	}
	return COP_OK;
}

static void drop(term *t, int i)
{
	memmove(t->letter + i, t->letter + i + 1, (size_t)(t->rank - i - 1));
	t->rank--;
}

/* A letter that stands twice: axis j is masked to where it equals axis i, and summed. */
static cop_status diagonals(cop_ox *m, const cop_ox_node *n, term *t)
{
	for (int i = 0; i < t->rank; i++)
		for (int j = i + 1; t->v && j < t->rank; j++) {
			if (t->letter[i] != t->letter[j]) continue;
			cop_type x = *cop__t(m->g, t->v);
			int32_t d = x.dim[i], dim[COP_MAX_DIM];
			if (x.dim[j] != d)
				return cop__ox_fail(m, n, "a letter that stands twice in a term has lengths %d and %d", d, x.dim[j]);
			float *eye = cop__ox_room(m, 4 * (size_t)d * (size_t)d);
			for (int32_t k = 0; eye && k < d; k++) eye[(int64_t)k * d + k] = 1;
			for (int k = 0; k < x.rank; k++) dim[k] = k == i || k == j ? d : 1;
			cop_type te = cop__type(COP_F32, x.rank, dim);
			t->v = eye ? cop__ox_reduce(m, REDUCE_SUM,
				cop__ox_two(m, OP_mul, t->v, cop__ox_const(m, "diagonal", COP_CONST, &te, eye)), 1u << j, false) : 0;
			drop(t, j--);
			t->known = NULL;
		}
	return t->v ? COP_OK : m->cx->code;
}

/* Sums the axes that neither `a` nor `b` has (NULL: nothing has). */
static void sum_alone(cop_ox *m, term *t, const term *a, const term *b)
{
	uint32_t axes = 0;

	for (int i = 0; i < t->rank; i++)
		if (place(a, t->letter[i]) < 0 && (!b || place(b, t->letter[i]) < 0)) axes |= 1u << i;
	if (axes) t->v = cop__ox_reduce(m, REDUCE_SUM, t->v, axes, false), t->known = NULL;
	for (int i = t->rank - 1; i >= 0; i--)
		if (axes >> i & 1) drop(t, i);
}

/* t with its axes in the order of `to`; those it has not are of length 1. */
static cop_vid ordered(cop_ox *m, const term *t, const term *to)
{
	int32_t perm[COP_MAX_DIM], dim[COP_MAX_DIM];
	int k = 0;

	for (int i = 0; i < to->rank; i++) {
		int at = place(t, to->letter[i]);
		dim[i] = at < 0 ? 1 : length(m, t, to->letter[i]);
		if (at >= 0) perm[k++] = at;
	}
	return cop__ox_reshape(m, cop__ox_transpose(m, t->v, perm), to->rank, dim);
}

static void add(term *t, uint8_t letter) { t->letter[t->rank++] = letter; }

static int64_t size_of(const int32_t *dim, int from, int to)
{
	int64_t n = 1;
	for (int i = from; i < to; i++) n *= dim[i];
	return n;
}

/* How two terms meet: l = [shared..,left..,summed..], r = [shared..,summed..,right..], out =
 * [shared..,left..,right..]. */
typedef struct meeting { term l, r, out; int shared, left, summed; } meeting;

static cop_status too_many(cop_ox *m, const cop_ox_node *n)
{
	return cop__ox_fail(m, n, "has more than %d dimensions on the way", COP_MAX_DIM);
}

static bool push(term *t, uint8_t letter)
{
	if (t->rank == COP_MAX_DIM) return false;
	t->letter[t->rank++] = letter;
	return true;
}

/* `keep`: letters that are asked for later. */
static cop_status arrange(cop_ox *m, const cop_ox_node *n, const term *a, const term *b, const term *keep, meeting *p)
{
	term summed = {0};
	bool fits = true;

	*p = (meeting){.shared = 0};
	for (int i = 0; i < a->rank; i++) {
		uint8_t c = a->letter[i];
		int32_t x = length(m, a, c), y = length(m, b, c);
		if (place(b, c) < 0) continue;
		bool kept = place(keep, c) >= 0;
		if (x != y && ((x != 1 && y != 1) || c < ELLIPSIS || !kept))
			return cop__ox_fail(m, n, "a letter has lengths %d and %d", x, y);
		fits &= push(kept ? &p->out : &summed, c);
	}
	p->shared = p->out.rank, p->summed = summed.rank;
	for (int i = 0; i < a->rank; i++)
		if (place(b, a->letter[i]) < 0) fits &= push(&p->out, a->letter[i]);
	p->left = p->out.rank;
	for (int i = 0; i < b->rank; i++)
		if (place(a, b->letter[i]) < 0) fits &= push(&p->out, b->letter[i]);
	for (int i = 0; i < p->left; i++) fits &= push(&p->l, p->out.letter[i]);
	for (int i = 0; i < p->shared; i++) fits &= push(&p->r, p->out.letter[i]);
	for (int i = 0; i < p->summed; i++) fits &= push(&p->l, summed.letter[i]) && push(&p->r, summed.letter[i]);
	for (int i = p->left; i < p->out.rank; i++) fits &= push(&p->r, p->out.letter[i]);
	return fits && p->shared + 2 <= COP_MAX_DIM ? COP_OK : too_many(m, n);
}

/* A known right side is the weight [right,summed] of a fully connected layer. */
static cop_vid layer(cop_ox *m, const term *b, const meeting *p, cop_vid rows)
{
	int64_t own[COP_MAX_DIM], stride[COP_MAX_DIM], s = 1;
	int32_t dim[COP_MAX_DIM], two[2] = {1, 1};
	int right = p->r.rank - p->summed;

	for (int i = b->rank - 1; i >= 0; i--) own[i] = s, s *= b->known->dim[i];
	for (int i = 0; i < p->r.rank; i++) {
		int at = place(b, p->r.letter[i < right ? p->summed + i : i - right]);
		dim[i] = b->known->dim[at], stride[i] = own[at], two[i >= right] *= dim[i];
	}
	float *w = cop__ox_room(m, 4 * (size_t)s);
	if (!w || !rows) return 0;
	cop__ox_gather(b->known, w, p->r.rank, dim, stride, 0);
	cop_type t = cop__type(COP_F32, 2, two);
	cop_vid v = cop__ox_const(m, b->known->name, COP_PARAM, &t, w);
	return v ? cop__apply(m->g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(rows, v)) : 0;
}

/* a = a times b. */
static cop_status contract(cop_ox *m, const cop_ox_node *n, term *a, term *b, const term *keep)
{
	int32_t dl[COP_MAX_DIM], dr[COP_MAX_DIM] = {0}, mat[COP_MAX_DIM], full[COP_MAX_DIM];
	meeting p;

	COP_TRY(arrange(m, n, a, b, keep, &p));
	const int s = p.shared, left = p.left, sum = p.summed;
	bool weight = b->known && !a->known && !s;
	p.l.v = ordered(m, a, &p.l);
	p.r.v = weight ? b->v : ordered(m, b, &p.r);
	if (!p.l.v || !p.r.v) return m->cx->code;
	memcpy(dl, cop__t(m->g, p.l.v)->dim, sizeof dl);
	for (int i = 0; i < p.r.rank; i++) dr[i] = length(m, b, p.r.letter[i]);
	for (int i = 0; i < s; i++) full[i] = COP_MAX(dl[i], dr[i]); /* axes of "..." broadcast */
	for (int i = s; i < left; i++) full[i] = dl[i];
	for (int i = left; i < p.out.rank; i++) full[i] = dr[s + sum + i - left];
	memcpy(mat, dl, sizeof mat);
	mat[s] = (int32_t)size_of(dl, s, left), mat[s + 1] = (int32_t)size_of(dl, left, left + sum);
	cop_vid x = cop__ox_reshape(m, p.l.v, s + 2, mat), y;
	memcpy(mat, dr, sizeof mat);
	mat[s] = (int32_t)size_of(dr, s, s + sum), mat[s + 1] = (int32_t)size_of(dr, s + sum, p.r.rank);
	y = weight ? layer(m, b, &p, x) : cop__ox_product(m, n, x, cop__ox_reshape(m, p.r.v, s + 2, mat));
	p.out.v = cop__ox_reshape(m, y, p.out.rank, full);
	*a = p.out;
	return a->v ? COP_OK : m->cx->code;
}

/* Without "->" the result has every letter that stands once, in alphabetical order, behind "...". */
static void implicit(const term *t, int count, int dots, term *out)
{
	out->rank = 0;
	for (int k = dots - 1; k >= 0 && out->rank < COP_MAX_DIM; k--) add(out, (uint8_t)(ELLIPSIS + k));
	for (int c = 0; c < ELLIPSIS; c++) {
		int times = 0;
		for (int i = 0; i < count; i++)
			for (int k = 0; k < t[i].rank; k++) times += t[i].letter[k] == c;
		if (times == 1 && out->rank < COP_MAX_DIM) add(out, (uint8_t)c);
	}
}

static cop_status parse(cop_ox *m, const cop_ox_node *n, const char *s, term *t, term *out)
{
	const char *arrow = strstr(s, "->");
	size_t left = arrow ? (size_t)(arrow - s) : strlen(s);
	int dots = 0;

	for (int i = 0; i < n->n_in; i++) {
		size_t len = strcspn(s, ",-");
		if (i == n->n_in - 1 ? len != left : len >= left)
			return cop__ox_fail(m, n, "the equation has another number of terms than the node has inputs");
		COP_TRY(letters(m, n, s, len, cop__ox_in(m, n, i)->rank, 0, &t[i]));
		for (int k = 0; k < t[i].rank; k++) dots = COP_MAX(dots, t[i].letter[k] - ELLIPSIS + 1);
		s += len + 1, left -= COP_MIN(left, len + 1);
	}
	if (arrow) return letters(m, n, arrow + 2, strlen(arrow + 2), -1, dots, out);
	implicit(t, n->n_in, dots, out);
	return COP_OK;
}

cop_status cop__ox_add_einsum(cop_ox *m, cop_ox_node *n)
{
	const char *equation = cop__ox_s(m, n, "equation", NULL);
	term t[MOST_TERMS] = {0}, out = {0}, keep;

	for (int i = 0; i < n->n_in; i++)
		if (!cop__ox_in(m, n, i)) return cop__ox_fail(m, n, "input %d is missing", i);
	if (!equation) return m->cx->code ? m->cx->code : cop__ox_fail(m, n, "has no equation");
	COP_TRY(parse(m, n, equation, t, &out));
	for (int i = 0; i < n->n_in; i++) {
		t[i].v = cop__ox_float(m, n, i, OX_PLAIN);
		if (!t[i].v) return m->cx->code;
		t[i].known = cop__ox_in(m, n, i)->data ? cop__ox_in(m, n, i) : NULL;
		COP_TRY(diagonals(m, n, &t[i]));
	}
	for (int i = 0; i < out.rank; i++) {
		bool there = false;
		for (int k = 0; k < n->n_in; k++) there |= place(&t[k], out.letter[i]) >= 0;
		if (!there || place(&out, out.letter[i]) != i)
			return cop__ox_fail(m, n, "a letter of the result is in no term, or stands twice");
	}
	for (int i = 1; i < n->n_in; i++) {
		if (t[0].known && !t[i].known) { /* what is known stands on the right */
			term swap = t[0];
			t[0] = t[i], t[i] = swap;
		}
		keep = out; /* and the letters of the terms to come */
		for (int k = i + 1; k < n->n_in; k++)
			for (int j = 0; j < t[k].rank; j++)
				if (place(&keep, t[k].letter[j]) < 0) {
					if (keep.rank == COP_MAX_DIM) return cop__ox_fail(m, n, "has more than %d letters", COP_MAX_DIM);
					add(&keep, t[k].letter[j]);
				}
		sum_alone(m, &t[0], &keep, &t[i]), sum_alone(m, &t[i], &keep, &t[0]);
		COP_TRY(contract(m, n, &t[0], &t[i], &keep));
	}
	sum_alone(m, &t[0], &out, NULL);
	return cop__ox_set(m, n, 0, ordered(m, &t[0], &out), OX_PLAIN, 0);
}
