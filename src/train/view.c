/* SPDX-License-Identifier: Apache-2.0
 *
 * view - how a teacher sees the samples of the network that it teaches. The network gets x = (times * raw - mean) / std; a teacher whose own file says what it is
 * to get (cop_samples) gets that, and pictures with their channels where it has them. What is missing is computed in the teacher's graph, in front of it.
 */
#include "data/fit.h"
#include "pass/pass.h"
#include "train/build_record.h"

/* y = mult[c] * x + add[c] */
typedef struct affine { int32_t channels; float mult[COP_MOST_CHANNELS], add[COP_MOST_CHANNELS]; } affine;

static float times(const cop_samples *s) { return s->times > 0 ? s->times : 1; }
static float mean(const cop_samples *s, int32_t c) { return s->channels ? s->mean[s->channels > 1 ? c : 0] : 0; }
static float std(const cop_samples *s, int32_t c) { return s->channels ? s->std[s->channels > 1 ? c : 0] : 1; }

/* From what the network gets to what its teacher gets. A teacher that says nothing about its samples gets the network's. Returns whether that changes anything. */
static bool rescale(affine *out, const cop_samples *its, const cop_samples *own)
{
	const float ratio = times(its) / times(own);
	bool changes = false;

	*out = (affine){.channels = COP_MAX(COP_MAX(its->channels, own->channels), 1)};
	if (!its->channels && !(its->times > 0)) return false;
	for (int32_t c = 0; c < out->channels; c++) {
		out->mult[c] = ratio * std(own, c) / std(its, c);
		out->add[c] = (ratio * mean(own, c) - mean(its, c)) / std(its, c);
		changes |= out->mult[c] != 1 || out->add[c] != 0;
	}
	return changes;
}

static bool same_bands(const cop_samples *a, const cop_samples *b) { return a->channels <= 1 || b->channels <= 1 || a->channels == b->channels; }

/* A number for each channel or column, as they lie in the input t. */
static cop_status bands(cop_type *out, cop_ctx *cx, const cop_type *t, int32_t n, const char *teacher)
{
	const cop_type sample = cop__type(COP_F32, t->rank > 1 ? t->rank - 1 : 0, t->dim + 1);
	const int32_t axis = sample.rank ? cop__scale_axis(&sample, n) : 0;

	*out = cop__type(COP_F32, 1, &n);
	if (n == 1) return COP_OK;
	if (!sample.rank || sample.dim[axis] != n)
		return cop__error(cx, COP_SHAPE, "the teacher '%s' or the network has a mean for each of %d channels, and the network's input has another number of them", teacher, n);
	for (int32_t i = axis + 1; i < sample.rank; i++) out->dim[out->rank++] = 1;
	return COP_OK;
}

static cop_status scaled(cop_vid *x, cop_graph *out, const cop_graph *teacher, const cop_graph *network)
{
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	affine a;
	cop_type t;

	if (!same_bands(&teacher->samples, &network->samples))
		return cop__error(out->cx, COP_SHAPE, "the teacher '%s' takes samples with %d means, the network with %d", teacher->name, teacher->samples.channels, network->samples.channels);
	if (!rescale(&a, &teacher->samples, &network->samples)) return COP_OK;
	COP_TRY(bands(&t, out->cx, cop__t(out, *x), a.channels, teacher->name));
	cop_vid m = cop__data(out, COP_CONST, "view.mult", &t, a.mult), b = m ? cop__data(out, COP_CONST, "view.add", &t, a.add) : 0;
	cop_vid y = b ? cop__apply(out, OP_mul, &none, VIDS(*x, m)) : 0;
	*x = y ? cop__apply(out, OP_add, &none, VIDS(y, b)) : 0;
	return *x ? COP_OK : cop__failed(out->cx);
}

/* ---- the order of axes ---- */

static const cop_shape_attr TO_FIRST = {4, {0, 3, 1, 2}}, TO_LAST = {4, {0, 2, 3, 1}};

/* From pictures as the network takes them (own) to those of the teacher, which has their channels at the other end: .onnx has them first, .tflite last.
 * NULL: they are the same, or something else. */
static const cop_shape_attr *turn(const cop_type *its, const cop_type *own)
{
	const int32_t *a = its->dim, *b = own->dim;

	if (its->rank != 4 || own->rank != 4 || !memcmp(a + 1, b + 1, 3 * sizeof *a)) return NULL;
	if (a[1] == b[3] && a[2] == b[1] && a[3] == b[2]) return &TO_FIRST;
	return a[1] == b[2] && a[2] == b[3] && a[3] == b[1] ? &TO_LAST : NULL;
}

/* One input of the teacher as the network has it, up to what the teacher reads. */
static cop_status put_input(cop_graph *out, const cop_graph *g, cop_vid *map, int32_t i, const cop_graph *network)
{
	const cop_value *its = &g->value[g->input[i]];
	const cop_type *own = cop__t(network, network->input[i]);
	const cop_shape_attr *how = turn(&its->type, own);
	cop_type t = its->type;

	if (its->type.dtype != COP_F32 || own->dtype != COP_F32) return cop__copy_value(out, g, map, g->input[i]) ? COP_OK : cop__failed(g->cx);
	for (int d = 1; how && d < 4; d++) t.dim[d] = own->dim[d];
	cop_vid x = cop__input(out, its->name, &t);
	if (!x) return cop__failed(g->cx);
	out->value[x].lead = its->lead, out->value[x].samples = its->samples;
	if (!i) COP_TRY(scaled(&x, out, g, network)); /* samples go into the first input */
	return (map[g->input[i]] = how ? cop__apply(out, OP_transpose, how, VIDS(x)) : x) ? COP_OK : cop__failed(g->cx);
}

cop_status cop__teacher_view(cop_graph **out, const cop_graph *g, const cop_graph *network)
{
	cop_status st = COP_OK;
	cop_vid *map;

	if (g->n_input != network->n_input) return cop__error(g->cx, COP_SHAPE, "the teacher '%s' takes %d inputs, the network %d", g->name, g->n_input, network->n_input);
	COP_TRY(cop__copy_begin(out, g, &map));
	for (int32_t i = 0; !st && i < g->n_input; i++) st = put_input(*out, g, map, i, network);
	for (int32_t n = 1; !st && n <= g->n_node; n++) st = cop__copy_node(*out, g, map, (cop_nid)n);
	if (!st) st = cop__copy_rest(*out, g, map);
	return cop__pass_end(out, st);
}
