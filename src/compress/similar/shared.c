/* SPDX-License-Identifier: Apache-2.0
 *
 * shared - a neuron goes, and all that stay make good for it. What two rectified neurons have in common is known without data for inputs that may come
 * from any direction alike: the mean of their product is |w| |v| (sin t + (pi - t) cos t) / 2 pi, t the angle between their weights (Cho and Saul 2009).
 * With these products for the Gram matrix the rest is optimal brain surgeon on the columns that read the neurons.
 */
#include "compress/gram/gram.h"
#include "compress/similar/similar.h"

#include <math.h>

/* The bias is one more weight, of an input that is 1. */
static double product(const cop_neurons *x, int32_t i, int32_t j)
{
	const float *a = x->w + (size_t)i * (size_t)x->in, *b = x->w + (size_t)j * (size_t)x->in;
	double s = x->b ? (double)x->b[i] * (double)x->b[j] : 0;

	for (int32_t k = 0; k < x->in; k++) s += (double)a[k] * (double)b[k];
	return s;
}

double cop__neuron_product(const cop_neurons *x, int32_t i, int32_t j)
{
	const double pi = 3.14159265358979323846, dot = product(x, i, j);

	if (!x->rectified) return dot;
	double size = sqrt(product(x, i, i) * product(x, j, j)), cosine = size > 0 ? COP_MAX(COP_MIN(dot / size, 1.0), -1.0) : 1, t = acos(cosine);
	return size * (sin(t) + (pi - t) * cosine) / (2 * pi);
}

typedef struct sharing { const cop_neurons *x; uint8_t *stays; double *inverse, *column; } sharing; /* [n,n], [n] */

static cop_status begin(sharing *s, cop_arena *mem, cop_ctx *cx)
{
	const size_t n = (size_t)s->x->n;
	double *room = cop__arena_get(mem, sizeof *room * n * n), mean = 0;

	s->inverse = cop__arena_get(mem, sizeof *s->inverse * n * n);
	s->column = cop__arena_get(mem, sizeof *s->column * n);
	if (!room || !s->inverse || !s->column) return COP_NOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j <= i; j++) s->inverse[i * n + j] = s->inverse[j * n + i] = cop__neuron_product(s->x, (int32_t)i, (int32_t)j);
	for (size_t i = 0; i < n; i++) mean += s->inverse[i * n + i] / (double)n;
	for (size_t i = 0; i < n; i++) s->inverse[i * n + i] += mean > 0 ? 1e-6 * mean : 1;
	return cop__invert(s->inverse, s->x->n, room) ? COP_OK : cop__error(cx, COP_ARG, "similar: by: shared: the weights of the neurons are not finite");
}

static double cost_of(const sharing *s, int32_t j)
{
	double sum = 0;

	for (int32_t o = 0; o < s->x->out; o++) sum += pow((double)s->x->next[(size_t)o * (size_t)s->x->n + (size_t)j], 2);
	return 0.5 * sum / COP_MAX(s->inverse[(size_t)j * (size_t)s->x->n + (size_t)j], 1e-300);
}

static void remove_one(sharing *s, int32_t j)
{
	const size_t n = (size_t)s->x->n;
	const double d = s->inverse[(size_t)j * n + (size_t)j];

	memcpy(s->column, s->inverse + (size_t)j * n, sizeof *s->column * n);
	for (int32_t o = 0; o < s->x->out; o++) {
		float *a = s->x->next + (size_t)o * n;
		double f = (double)a[j] / d;
		for (size_t i = 0; i < n; i++) a[i] = (float)((double)a[i] - f * s->column[i]);
		a[j] = 0;
	}
	for (size_t i = 0; i < n; i++) {
		double f = s->column[i] / d, *row = s->inverse + i * n;
		if (f == 0) continue;
		for (size_t k = 0; k < n; k++) row[k] -= f * s->column[k];
	}
	s->stays[j] = 0;
}

cop_status cop__shared(uint8_t *stays, int32_t *gone, float *saliency, cop_arena *mem, const cop_neurons *x, int32_t most, bool rule)
{
	sharing s = {x, stays, NULL, NULL};
	float *value = cop__arena_get(mem, sizeof *value * (size_t)x->n);
	double until = -1;

	if (!value) return COP_NOMEM;
	COP_TRY(begin(&s, mem, mem->cx));
	for (int32_t j = 0; j < x->n; j++) value[j] = (float)cost_of(&s, j);
	if (rule) until = cop__mode(value, x->n);
	for (*gone = 0; *gone < most; (*gone)++) {
		int32_t best = -1;
		double least = 0;
		for (int32_t j = 0; j < x->n; j++) {
			double cost = stays[j] ? cost_of(&s, j) : 0;
			if (stays[j] && (best < 0 || cost < least)) best = j, least = cost;
		}
		if (best < 0 || (rule && least > until)) break;
		if (saliency) saliency[*gone] = (float)least;
		remove_one(&s, best);
	}
	return COP_OK;
}
