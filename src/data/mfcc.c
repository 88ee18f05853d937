/* SPDX-License-Identifier: Apache-2.0
 *
 * mfcc - mel-frequency cepstral coefficients of one second of sound, as the keyword model of MLPerf Tiny takes
 * them (Banbury et al. 2021; its front end is written in TensorFlow's terms). In this order:
 *   1. the first second, zeros after its end, divided by its largest magnitude;
 *   2. 49 frames of 40 ms, one every 20 ms, times a periodic Hann window w[n] = 1/2 - 1/2 cos(2 pi n / N);
 *   3. the magnitude |X[k]| of the Fourier transform, zero-padded to the next power of two;
 *   4. 40 triangles between 20 Hz and 4 kHz (or half the rate), equally wide and straight in
 *      mel(f) = 1127 ln(1 + f / 700), bin 0 left out; S[m] = sum of weight * |X|;
 *   5. ln(S[m] + 1e-6);
 *   6. a cosine transform: c[j] = sqrt(2 / 40) * sum over m of ln(..)[m] cos(pi j (m + 1/2) / 40), j = 0..9.
 */
#include "data/data.h"

#include <math.h>

enum { MELS = 40, FRAMES = COP_MFCC_FRAMES, COEFFS = COP_MFCC_COEFFS };
static const double pi = 3.14159265358979323846;

typedef struct work {
	int32_t win, hop, fft;
	double *re, *im, *window, *cosine, *sine; /* fft, fft, win, fft/2, fft/2 */
	double *place; /* [fft/2 + 1] of each bin, in triangle widths above the lowest edge */
} work;

static double mel(double f) { return 1127.0 * log(1.0 + f / 700.0); }

static void plan(work *w, double *mem, int32_t rate)
{
	double top = COP_MIN(4000.0, rate / 2.0), lo = mel(20.0), hi = mel(top);

	w->re = mem;
	w->im = w->re + w->fft;
	w->window = w->im + w->fft;
	w->cosine = w->window + w->win;
	w->sine = w->cosine + w->fft / 2;
	for (int32_t i = 0; i < w->win; i++) w->window[i] = 0.5 - 0.5 * cos(2 * pi * i / w->win);
	for (int32_t i = 0; i < w->fft / 2; i++) {
		w->cosine[i] = cos(2 * pi * i / w->fft);
		w->sine[i] = -sin(2 * pi * i / w->fft);
	}
	w->place = w->sine + w->fft / 2;
	for (int32_t k = 0; k <= w->fft / 2; k++)
		w->place[k] = (mel((double)rate * k / w->fft) - lo) / (hi - lo) * (MELS + 1);
}

static void swap(double *a, double *b)
{
	double t = *a;
	*a = *b;
	*b = t;
}

/* Radix 2, in place, decimation in time. */
static void transform(work *w)
{
	double *re = w->re, *im = w->im;
	int32_t n = w->fft;

	for (int32_t i = 1, j = 0; i < n; i++) {
		int32_t bit = n >> 1;
		for (; j & bit; bit >>= 1) j ^= bit;
		j ^= bit;
		if (i < j) swap(&re[i], &re[j]), swap(&im[i], &im[j]);
	}
	for (int32_t len = 2; len <= n; len *= 2)
		for (int32_t from = 0; from < n; from += len)
			for (int32_t k = 0; k < len / 2; k++) {
				int32_t a = from + k, b = a + len / 2, t = k * (n / len);
				double x = re[b] * w->cosine[t] - im[b] * w->sine[t],
				       y = re[b] * w->sine[t] + im[b] * w->cosine[t];
				re[b] = re[a] - x;
				im[b] = im[a] - y;
				re[a] += x;
				im[a] += y;
			}
}

/* Triangle m rises from edge m to m + 1 and falls to m + 2, so a bin between edges i and i + 1 is in two. */
static void mels(double out[MELS], const work *w)
{
	for (int m = 0; m < MELS; m++) out[m] = 0;
	for (int32_t k = 1; k <= w->fft / 2; k++) {
		double at = w->place[k], mag = sqrt(w->re[k] * w->re[k] + w->im[k] * w->im[k]);
		if (at <= 0 || at >= MELS + 1) continue;
		int i = (int)at;
		if (i < MELS) out[i] += (at - i) * mag;
		if (i > 0) out[i - 1] += (1 - (at - i)) * mag;
	}
}

static void frame(float out[COEFFS], work *w, const float *x, int32_t n, double scale)
{
	double s[MELS];

	for (int32_t i = 0; i < w->fft; i++) {
		w->re[i] = i < w->win && i < n ? (double)x[i] * scale * w->window[i] : 0;
		w->im[i] = 0;
	}
	transform(w);
	mels(s, w);
	for (int m = 0; m < MELS; m++) s[m] = log(s[m] + 1e-6);
	for (int j = 0; j < COEFFS; j++) {
		double c = 0;
		for (int m = 0; m < MELS; m++) c += s[m] * cos(pi * j * (m + 0.5) / MELS);
		out[j] = (float)(c * sqrt(2.0 / MELS));
	}
}

cop_status cop__mfcc(float out[FRAMES * COEFFS], cop_ctx *cx, const cop_sound *s)
{
	work w = {.win = (int32_t)(((int64_t)s->rate * 40 + 500) / 1000),
	        .hop = (int32_t)(((int64_t)s->rate * 20 + 500) / 1000),
	        .fft = 1};
	int32_t n = COP_MIN(s->count, s->rate);
	double top = 0;

	while (w.fft < w.win) w.fft *= 2;
	double *mem = cop__alloc(cx, (size_t)(4 * w.fft + 1 + w.win) * sizeof *mem);
	if (!mem) return COP_NOMEM;
	plan(&w, mem, s->rate);
	for (int32_t i = 0; i < n; i++) top = COP_MAX(top, fabs((double)s->data[i]));
	for (int32_t f = 0; f < FRAMES; f++) {
		int32_t at = COP_MIN(f * w.hop, n);
		frame(out + f * COEFFS, &w, s->data + at, n - at, top > 0 ? 1 / top : 0);
	}
	cop__free(cx, mem);
	return COP_OK;
}
