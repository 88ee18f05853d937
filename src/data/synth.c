/* SPDX-License-Identifier: Apache-2.0
 *
 * synth - synth-digits: 28x28 handwriting-like digits, drawn when first wanted, for machines without MNIST.
 *
 * Sample i is a function of i alone: counter-based random numbers and float arithmetic without libm (this file is
 * compiled without contraction), so that every machine draws the same bytes. Samples 0..59,999 are the training
 * part, 60,000..69,999 the test part.
 *
 * A glyph of glyph.h is chosen, its strokes become a polyline whose points are moved a little one by one, bent
 * by a smooth field (three plane waves), scaled, sheared, rotated and moved; a round pen of random width draws it,
 * edges one pixel soft; noise is added last.
 */
#include "data/data.h"
#include "data/glyph.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

enum { SIDE = 28, TRAIN = 60000, TEST = 10000, POINTS = 160, WAVES = 3 };
static const int32_t shape[3] = {SIDE, SIDE, 1};
static const float pi = 3.14159265f;

/* How wild the hand is. Chosen so that a linear model stays below 93 % and LeNet-5 passes 98 % (tests/data). */
static const float WOBBLE = 8.0f, BEND = 9.0f, TURN = 0.24f, SHEAR = 0.26f, MOVE = 1.2f;
static const float SMALL = 7.2f, LARGE = 10.2f, THIN = 0.75f, THICK = 1.65f, NOISE = 0.07f;

typedef struct point { float x, y; bool down; } point; /* down: a line leads here from the point before */
typedef struct hand { uint64_t from; uint32_t used; point at[POINTS]; int n; } hand;

/* The next of this sample's own random numbers, in [lo, hi). */
static float draw(hand *h, float lo, float hi)
{
	return lo + (hi - lo) * cop__rand_unit(0, 0x5d161751u, h->from + h->used++);
}
/* About normal, of standard deviation s, never beyond 3 s. */
static float around(hand *h, float s) { return draw(h, -s, s) + draw(h, -s, s) + draw(h, -s, s); }

/* Sine to 2e-6 for |x| < 40: reduced to |r| <= pi/2, then the Taylor series to r^9. */
static float sine(float x)
{
	int32_t n = (int32_t)(x / pi + (x < 0 ? -0.5f : 0.5f));
	float r = x - (float)n * 3.140625f - (float)n * 9.67653590e-4f, z = r * r;
	float p = r * (1 + z * (-1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880)))));
	return n & 1 ? -p : p;
}
static float cosine(float x) { return sine(x + pi / 2); }

static void put(hand *h, float x, float y, bool down)
{
	if (h->n < POINTS) h->at[h->n++] = (point){x, y, down};
}

static void line_to(hand *h, float x, float y)
{
	enum { PARTS = 6 };
	point a = h->n ? h->at[h->n - 1] : (point){x, y, false};

	for (int i = 1; i <= PARTS; i++) {
		float t = (float)i / PARTS;
		put(h, a.x + (x - a.x) * t, a.y + (y - a.y) * t, true);
	}
}

static void curve_to(hand *h, float cx, float cy, float x, float y)
{
	enum { PARTS = 9 };
	point a = h->n ? h->at[h->n - 1] : (point){x, y, false};

	for (int i = 1; i <= PARTS; i++) {
		float t = (float)i / PARTS, u = 1 - t;
		put(h, u * u * a.x + 2 * u * t * cx + t * t * x, u * u * a.y + 2 * u * t * cy + t * t * y, true);
	}
}

static void arc(hand *h, float cx, float cy, float rx, float ry, float from, float to)
{
	int parts = (int)((to > from ? to - from : from - to) / 18) + 2;

	for (int i = 0; i <= parts; i++) {
		float a = (from + (to - from) * (float)i / (float)parts) * (pi / 180);
		put(h, cx + rx * cosine(a), cy + ry * sine(a), true);
	}
}

/* The numbers of a stroke are shaken, so that no two hands write alike. */
static void trace(hand *h, const stroke *s)
{
	float v[6];

	for (int k = 0; k < 6; k++)
		v[k] = (float)s->v[k] + around(h, s->kind == 'A' && k >= 4 ? WOBBLE : WOBBLE * 0.6f);
	if (s->kind == 'M') put(h, v[0], v[1], false);
	else if (s->kind == 'L') line_to(h, v[0], v[1]);
	else if (s->kind == 'Q') curve_to(h, v[0], v[1], v[2], v[3]);
	else arc(h, v[0], v[1], v[2], v[3], v[4], v[5]);
}

/* dx = sum of amplitude * sin(a x + b y + phase), wavelengths of about one to three heights. */
static void bend(hand *h)
{
	float a[WAVES], b[WAVES], p[WAVES], sx[WAVES], sy[WAVES];

	for (int k = 0; k < WAVES; k++) {
		a[k] = draw(h, -0.028f, 0.028f);
		b[k] = draw(h, -0.028f, 0.028f);
		p[k] = draw(h, -pi, pi);
		sx[k] = draw(h, -BEND, BEND);
		sy[k] = draw(h, -BEND, BEND);
	}
	for (int i = 0; i < h->n; i++) {
		float x = h->at[i].x, y = h->at[i].y;
		for (int k = 0; k < WAVES; k++) {
			float s = sine(a[k] * x + b[k] * y + p[k]);
			h->at[i].x += sx[k] * s;
			h->at[i].y += sy[k] * s;
		}
	}
}

/* To pixels: scale by axis, shear, turn, move. The middle of the image is 13.5. */
static void place(hand *h)
{
	float size = draw(h, SMALL, LARGE) / 100, wide = size * draw(h, 0.75f, 1.2f);
	float shear = around(h, SHEAR), turn = around(h, TURN), s = sine(turn), c = cosine(turn);
	float mx = 13.5f + around(h, MOVE), my = 13.5f + around(h, MOVE);

	for (int i = 0; i < h->n; i++) {
		float x = h->at[i].x * wide - h->at[i].y * size * shear, y = h->at[i].y * size;
		h->at[i].x = c * x - s * y + mx;
		h->at[i].y = s * x + c * y + my;
	}
}

static int bound(float v) { return v < 0 ? 0 : v > SIDE - 1 ? SIDE - 1 : (int)v; }

/* The square of each pixel's distance to the line, kept where smaller. */
static void segment(float *near, const point *a, const point *b, float reach)
{
	float dx = b->x - a->x, dy = b->y - a->y, len = dx * dx + dy * dy, inv = len > 1e-9f ? 1 / len : 0;
	int x0 = bound(COP_MIN(a->x, b->x) - reach), x1 = bound(COP_MAX(a->x, b->x) + reach + 1);
	int y0 = bound(COP_MIN(a->y, b->y) - reach), y1 = bound(COP_MAX(a->y, b->y) + reach + 1);

	for (int y = y0; y <= y1; y++)
		for (int x = x0; x <= x1; x++) {
			float px = (float)x - a->x, py = (float)y - a->y, t = (px * dx + py * dy) * inv;
			t = t < 0 ? 0 : t > 1 ? 1 : t;
			float ex = px - t * dx, ey = py - t * dy, d = ex * ex + ey * ey;
			float *at = &near[y * SIDE + x];
			*at = d < *at ? d : *at;
		}
}

static void ink(uint8_t *out, hand *h)
{
	float near[SIDE * SIDE], pen = draw(h, THIN, THICK), dark = draw(h, 0.7f, 1.0f), reach = pen + 0.5f;

	for (int i = 0; i < SIDE * SIDE; i++) near[i] = 1e9f;
	for (int i = 1; i < h->n; i++)
		if (h->at[i].down) segment(near, &h->at[i - 1], &h->at[i], reach);
	for (int i = 0; i < SIDE * SIDE; i += 4) {
		uint32_t r = cop__rand(0, 0x5d161752u, h->from + (uint64_t)i);
		for (int k = 0; k < 4; k++, r >>= 8) {
			float d = near[i + k] < reach * reach ? __builtin_sqrtf(near[i + k]) : reach, v = reach - d;
			v = (v > 1 ? 1 : v) * dark + ((float)(r & 255) / 255 - 0.5f) * NOISE;
			out[i + k] = (uint8_t)((v < 0 ? 0 : v > 1 ? 1 : v) * 255 + 0.5f);
		}
	}
}

/* The digit of that index into code [SIDE, SIDE]; returns which it is. */
int32_t cop__synth_digit(uint8_t *code, uint64_t index)
{
	hand h;

	h.from = index * 1024; /* more than a sample draws; the noise takes the same counters of another stream */
	h.used = h.n = 0;
	int32_t label = (int32_t)draw(&h, 0, 10);
	const glyph *g = &glyphs[label];
	const stroke *way = g->way[(int)draw(&h, 0, (float)g->way_count)];
	for (int k = 0; k < GLYPH_STROKES && way[k].kind; k++) trace(&h, &way[k]);
	bend(&h);
	place(&h);
	ink(code, &h);
	return label;
}

static cop_status make(cop_store *s, int32_t i, uint8_t *code, float *value, int32_t *label)
{
	(void)value;
	*label = cop__synth_digit(code, s->make_from + (uint64_t)i);
	return COP_OK;
}

static cop_status open_synth(cop_store *s, const char *path, const cop_want *w)
{
	int32_t from, count;
	bool test = w->split & COP_SPLIT_TEST;

	(void)path;
	cop__split_range(&from, &count, w, test ? TEST : TRAIN);
	COP_TRY(cop__store_shape(s, 3, shape, false));
	COP_TRY(cop__store_room(s, count));
	s->have = cop__alloc(s->cx, (size_t)count);
	if (!s->have) return COP_NOMEM;
	s->make = make;
	s->make_from = (uint64_t)from + (test ? TRAIN : 0);
	return cop__store_class_list(s, "0 1 2 3 4 5 6 7 8 9");
}

const cop_data_row cop_data_synth_digits = {
	.name = "synth-digits", .summary = "drawn digits, 28x28 grey, 60,000 + 10,000, 10 classes; needs no files",
	.licence = "Apache-2.0 (made by this program)", .made = true, .open = open_synth,
};
