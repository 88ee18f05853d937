/* SPDX-License-Identifier: Apache-2.0
 *
 * tfl_make.h - writes small TensorFlow Lite files, for tests: tables front to back, references patched when what they lead to
 * is written. A field is a reference (R) or a number of 1 or 4 bytes (B, W).
 */
#ifndef TESTS_TFL_MAKE_H
#define TESTS_TFL_MAKE_H

#include "io/tflite/tflite.h"

#include <math.h>

typedef struct field { int at; char kind; int32_t value; } field;
typedef struct maker { uint8_t p[8192]; uint32_t n; } maker;

static inline void put32(maker *m, uint32_t v) { cop__put32(m->p + m->n, v), m->n += 4; }

/* A table with these fields; where[i] becomes the byte of field i. */
static inline uint32_t put_table(maker *m, const field *f, int n, uint32_t *where)
{
	uint32_t vtable = m->n, slots = 0, at = 4;

	for (int i = 0; i < n; i++) slots = COP_MAX(slots, (uint32_t)f[i].at + 1);
	memset(m->p + vtable, 0, 4 + 2 * slots);
	m->n += (4 + 2 * slots + 3) / 4 * 4;
	uint32_t table = m->n;
	put32(m, table - vtable);
	for (int i = 0; i < n; i++, at += 4) {
		m->p[vtable + 4 + 2 * (uint32_t)f[i].at] = (uint8_t)at;
		if (where) where[i] = m->n;
		put32(m, (uint32_t)f[i].value);
	}
	m->p[vtable] = (uint8_t)(4 + 2 * slots);
	m->p[vtable + 2] = (uint8_t)at;
	return table;
}

static inline void refer(maker *m, uint32_t from, uint32_t to) { cop__put32(m->p + from, to - from); }

static inline uint32_t put_bytes(maker *m, const void *data, uint32_t count, uint32_t size)
{
	uint32_t at = m->n;
	put32(m, count);
	memcpy(m->p + m->n, data, count * size);
	m->n = (m->n + count * size + 3) / 4 * 4;
	return at;
}

/* A vector of n references; elements are at the result + 4 + 4 i. */
static inline uint32_t put_refs(maker *m, uint32_t n)
{
	static const uint32_t none[16];
	return put_bytes(m, none, n, 4);
}

typedef struct tfl_tensor { int type, rank; int32_t dim[4]; float scale; int64_t zero; const void *data; uint32_t bytes; } tfl_tensor;
typedef struct tfl_model {
	int n_tensor;
	tfl_tensor t[8];
	int32_t code, n_in, n_out, in[6], out[4]; /* of the first operator; the network's input is 0, its output out[0] of the last */
	int n_option;
	field option[8];
} tfl_model;

static inline void make_tensor(maker *m, const tfl_tensor *t, uint32_t buffer, uint32_t from)
{
	uint32_t w[4], q[2];
	bool scaled = t->scale > 0 || signbit(t->scale); /* -0 stands for a scale of 0, 0 for none */

	refer(m, from, put_table(m, (const field[]){{TENSOR_SHAPE, 'R', 0}, {TENSOR_TYPE, 'B', t->type}, {TENSOR_BUFFER, 'W', (int32_t)buffer}, {TENSOR_QUANTIZATION, 'R', 0}}, scaled ? 4 : 3, w));
	refer(m, w[0], put_bytes(m, t->dim, (uint32_t)t->rank, 4));
	if (!scaled) return;
	refer(m, w[3], put_table(m, (const field[]){{QUANT_SCALE, 'R', 0}, {QUANT_ZERO_POINT, 'R', 0}}, 2, q));
	refer(m, q[0], put_bytes(m, &t->scale, 1, 4));
	refer(m, q[1], put_bytes(m, &t->zero, 1, 8));
}

static inline void make_operator(maker *m, const tfl_model *x, int32_t code, uint32_t from)
{
	uint32_t o[4];

	refer(m, from, put_table(m, (const field[]){{OPERATOR_CODE, 'W', code}, {OPERATOR_INPUTS, 'R', 0}, {OPERATOR_OUTPUTS, 'R', 0}, {OPERATOR_OPTIONS, 'R', 0}}, 4, o));
	refer(m, o[1], put_bytes(m, x->in, (uint32_t)x->n_in, 4));
	refer(m, o[2], put_bytes(m, x->out, (uint32_t)x->n_out, 4));
	refer(m, o[3], put_table(m, x->option, x->n_option, NULL));
}

static inline void make_graph(maker *m, const tfl_model *x, int32_t operators, uint32_t from, uint32_t inputs)
{
	static const int32_t first[] = {0, 1, 2, 3};
	uint32_t w[4], list;

	refer(m, from, put_table(m, (const field[]){{SUBGRAPH_TENSORS, 'R', 0}, {SUBGRAPH_INPUTS, 'R', 0}, {SUBGRAPH_OUTPUTS, 'R', 0}, {SUBGRAPH_OPERATORS, 'R', 0}}, 4, w));
	refer(m, w[1], put_bytes(m, first, inputs, 4));
	refer(m, w[2], put_bytes(m, x[operators - 1].out, 1, 4));
	refer(m, w[0], list = put_refs(m, (uint32_t)x->n_tensor));
	for (int i = 0; i < x->n_tensor; i++) make_tensor(m, &x->t[i], (uint32_t)i + 1, list + 4 + 4 * (uint32_t)i);
	refer(m, w[3], list = put_refs(m, (uint32_t)operators));
	for (int32_t i = 0; i < operators; i++) make_operator(m, &x[i], i, list + 4 + 4 * (uint32_t)i);
}

/* The whole file, of one operator after the other; the tensors are those of the first. Buffer i + 1 belongs to tensor i; the first tensors are
 * the network's inputs. */
static inline void make_models(maker *m, const tfl_model *x, int32_t operators, uint32_t inputs)
{
	uint32_t w[4], list, b = 0;

	*m = (maker){.n = 8};
	memcpy(m->p + 4, COP_TFL_ID, 4);
	refer(m, 0, put_table(m, (const field[]){{MODEL_VERSION, 'W', 3}, {MODEL_OPERATOR_CODES, 'R', 0}, {MODEL_SUBGRAPHS, 'R', 0}, {MODEL_BUFFERS, 'R', 0}}, 4, w));
	refer(m, w[1], list = put_refs(m, (uint32_t)operators));
	for (int32_t i = 0; i < operators; i++) refer(m, list + 4 + 4 * (uint32_t)i, put_table(m, (const field[]){{CODE_BUILTIN, 'W', x[i].code}}, 1, NULL));
	refer(m, w[2], list = put_refs(m, 1));
	make_graph(m, x, operators, list + 4, inputs);
	refer(m, w[3], list = put_refs(m, (uint32_t)x->n_tensor + 1));
	refer(m, list + 4, put_table(m, NULL, 0, NULL));
	for (int i = 0; i < x->n_tensor; i++) {
		refer(m, list + 8 + 4 * (uint32_t)i, put_table(m, (const field[]){{BUFFER_DATA, 'R', 0}}, x->t[i].data ? 1 : 0, &b));
		if (x->t[i].data) refer(m, b, put_bytes(m, x->t[i].data, x->t[i].bytes, 1));
	}
}

static inline void make_model_of(maker *m, const tfl_model *x, uint32_t inputs) { make_models(m, x, 1, inputs); }
static inline void make_model(maker *m, const tfl_model *x) { make_model_of(m, x, 1); }

#endif
