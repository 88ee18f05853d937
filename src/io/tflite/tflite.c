/* SPDX-License-Identifier: Apache-2.0
 *
 * tflite - a TensorFlow Lite model as a graph: its tables, its tensors, its operators in order. What each operator becomes
 * is in the other files tflite_*.c, by the table tflite.def. Nothing of the file is trusted: flatbuf.c checks every offset,
 * an index is checked where it is read, and constants may not be larger together than MOST_FREE and a few times the file.
 */
#include "io/tflite/tflite.h"
#include "op/qscale.h"

#include <stdio.h>

enum { MOST_FREE = 1 << 24, MOST_TENSORS = 1 << 16 };

typedef struct row { const char *name; cop_status (*add)(cop_tfl *m, const cop_tfl_node *n); uint32_t least, most; bool wide; /* of int16, too */ } row;

static const row rows[] = {
#define TFL(name, add, least, most) {#name, cop__tfl_##add, least, most, false},
#define TFW(name, add, least, most) {#name, cop__tfl_##add, least, most, true},
#define NO(name) {#name, NULL, 0, 0, false},
#include "io/tflite/tflite.def"
#undef TFL
#undef NO
};

bool cop__is_tflite(const void *bytes, size_t size)
{
	return size >= 8 && !memcmp((const uint8_t *)bytes + 4, COP_TFL_ID, 4);
}

/* ---- tensors ---- */

static cop_dtype dtype_of(int32_t file_type, bool scaled)
{
	switch (file_type) {
	case TFL_FLOAT32: case TFL_FLOAT16: return COP_F32;
	case TFL_INT32: case TFL_INT64: return COP_I32;
	case TFL_INT8: case TFL_INT4: return COP_I8;
	case TFL_INT16: return COP_I16;
	case TFL_UINT8: return scaled ? COP_I8 : COP_U8;
	case TFL_BOOL: return COP_U8;
	default: return COP_NOTYPE;
	}
}

static cop_status get_bytes(cop_tfl *m, cop_tfl_tensor *t, uint32_t buffer)
{
	if (buffer >= m->buffers.n)
		return buffer ? cop__error(m->cx, COP_FORMAT, "%s: tensor '%s' names buffer %u of %u", m->fb.file, t->name, buffer,
			m->buffers.n) : COP_OK;
	cop_fb_table b = cop__fb_vec_table(&m->buffers, buffer);
	uint64_t at = cop__fb_u64(&b, BUFFER_OFFSET, 0), size = cop__fb_u64(&b, BUFFER_SIZE, 0);
	t->bytes = cop__fb_vec(&b, BUFFER_DATA, 1);
	if (at < 2) return m->fb.status; /* 0 and 1: the bytes are in the table */
	if (size > m->fb.size || at > m->fb.size - size)
		return cop__error(m->cx, COP_FORMAT, "%s: the bytes of tensor '%s' lie beyond the end of the file", m->fb.file,
			t->name);
	t->bytes = (cop_fb_vec){&m->fb, m->fb.p + at, (uint32_t)size};
	return m->fb.status;
}

static cop_status get_shape(cop_tfl *m, cop_tfl_tensor *t, const cop_fb_vec *shape)
{
	int64_t count = 1;

	if (shape->n > COP_MAX_DIM)
		return cop__error(m->cx, COP_FORMAT, "%s: tensor '%s' has %u dimensions, at most %d are supported", m->fb.file,
			t->name, shape->n, COP_MAX_DIM);
	t->type.rank = (int32_t)shape->n;
	for (uint32_t i = 0; i < shape->n; i++) {
		int32_t d = cop__fb_vec_i32(shape, i);
		if (d < -1 || (count *= d < 1 ? 1 : d) > INT32_MAX)
			return cop__error(m->cx, COP_FORMAT, "%s: tensor '%s': dimension %u is %d, or there are 2^31 elements", m->fb.file,
				t->name, i, d);
		t->type.dim[i] = d;
	}
	return COP_OK;
}

static cop_status get_tensor(cop_tfl *m, cop_tfl_tensor *t, const cop_fb_table *f)
{
	cop_fb_vec shape = cop__fb_vec(f, TENSOR_SHAPE, 4), name = cop__fb_vec(f, TENSOR_NAME, 1);
	cop_fb_table q = cop__fb_table(f, TENSOR_QUANTIZATION), sparsity = cop__fb_table(f, TENSOR_SPARSITY);

	cop__tfl_name(t->name, &name);
	t->scales = cop__fb_vec(&q, QUANT_SCALE, 4);
	t->zeros = cop__fb_vec(&q, QUANT_ZERO_POINT, 8);
	t->axis = cop__fb_int(&q, QUANT_DIMENSION, 4, 0);
	t->file_type = cop__fb_int(f, TENSOR_TYPE, 1, TFL_FLOAT32);
	COP_TRY(get_shape(m, t, &shape));
	t->type.dtype = dtype_of(t->file_type, t->scales.n > 0);
	t->type.q.axis = -1;
	if (sparsity.at) return cop__error(m->cx, COP_FORMAT, "%s: tensor '%s' is stored sparse, which is not supported", m->fb.file, t->name);
	if (cop__fb_int(f, TENSOR_IS_VARIABLE, 1, 0)) return m->fb.status; /* starts at zero */
	return get_bytes(m, t, (uint32_t)cop__fb_int(f, TENSOR_BUFFER, 4, 0));
}

static cop_status get_tensors(cop_tfl *m, const cop_fb_table *graph)
{
	cop_fb_vec list = cop__fb_vec(graph, SUBGRAPH_TENSORS, 4);

	if (list.n > MOST_TENSORS) return cop__error(m->cx, COP_FORMAT, "%s: has %u tensors, at most %d are supported", m->fb.file, list.n, MOST_TENSORS);
	m->tensor = cop__arena_get(&m->mem, sizeof *m->tensor * (list.n + 1));
	if (!m->tensor) return COP_NOMEM;
	m->n_tensor = (int32_t)list.n;
	for (uint32_t i = 0; i < list.n; i++) {
		cop_fb_table f = cop__fb_vec_table(&list, i);
		COP_TRY(get_tensor(m, &m->tensor[i], &f));
	}
	return m->fb.status;
}

static cop_status check_list(cop_tfl *m, const cop_fb_vec *list, int32_t least, const char *what)
{
	for (uint32_t i = 0; i < list->n; i++) {
		int32_t at = cop__fb_vec_i32(list, i);
		if (at < least || at >= m->n_tensor) return cop__error(m->cx, COP_FORMAT, "%s: %s names tensor %d of %d", m->fb.file, what, at, m->n_tensor);
	}
	return COP_OK;
}

/* ---- operators ---- */

/* What to do about an operator that nobody here computes. */
static const char *advice(int32_t code, const char *custom)
{
	if (code == TFL_CUSTOM && !strncmp(custom, "Flex", 4)) return "it is one of TensorFlow's own: convert the model without SELECT_TF_OPS";
	if (code == TFL_CUSTOM && strstr(custom, "Detection")) return "it picks boxes from what a detector gives: end the model before it and do that in your program";
	if (code == TFL_CUSTOM) return "it is known to the program that made the model alone: replace it by operators of TensorFlow Lite";
	if (code == TFL_IF || code == TFL_WHILE)
		return "a graph here has no branches and loops: convert the model with fixed shapes, and "
			"recurrent layers unrolled (unroll=True)";
	return "replace it in the model, or end the model before it; docs/tflite.md lists what is supported";
}

static cop_status unsupported(cop_tfl *m, const cop_tfl_node *n, const cop_fb_table *code)
{
	cop_fb_vec custom = cop__fb_vec(code, CODE_CUSTOM, 1);
	char own[64];

	cop__tfl_name(own, &custom);
	COP_TRY(check_list(m, &n->out, 0, "an operator"));
	const cop_tfl_tensor *y = n->out.n ? cop__tfl_out(m, n, 0) : NULL;
	return cop__error(m->cx, COP_FORMAT, "%s: operator %d is %s%s%s, which is not supported (it makes '%s'); %s",
		m->fb.file, n->index, n->name, *own ? " " : "", own,
		y ? y->name : "", advice(n->code, own));
}

/* Activations of 16 bits beside weights of 8 (16x8), of an operator that knows none. */
static cop_status refuse_int16(cop_tfl *m, const cop_tfl_node *n, const cop_fb_vec *list)
{
	for (uint32_t i = 0; i < list->n; i++) {
		int32_t at = cop__fb_vec_i32(list, i);
		if (at >= 0 && m->tensor[at].file_type == TFL_INT16)
			return cop__tfl_fail(m, n, "tensor '%s' is int16, of which this operator is not supported; convert the model with int8 activations, or in "
				"floats and use `coppice quantize --scheme w8a16`", m->tensor[at].name);
	}
	return COP_OK;
}

static cop_status add_operator(cop_tfl *m, const cop_fb_table *f, int32_t index)
{
	uint32_t code_at = (uint32_t)cop__fb_int(f, OPERATOR_CODE, 4, 0);
	cop_tfl_node n = {.index = index, .in = cop__fb_vec(f, OPERATOR_INPUTS, 4), .out = cop__fb_vec(f, OPERATOR_OUTPUTS, 4),
		.mid = cop__fb_vec(f, OPERATOR_INTERMEDIATES, 4), .options = cop__fb_table(f, OPERATOR_OPTIONS)};
	char number[24];

	COP_TRY(m->fb.status);
	if (code_at >= m->codes.n) return cop__error(m->cx, COP_FORMAT, "%s: operator %d has code %u of %u", m->fb.file, index, code_at, m->codes.n);
	cop_fb_table code = cop__fb_vec_table(&m->codes, code_at);
	n.code = COP_MAX(cop__fb_int(&code, CODE_DEPRECATED, 1, 0), cop__fb_int(&code, CODE_BUILTIN, 4, 0));
	snprintf(number, sizeof number, "number %d", n.code);
	n.name = n.code >= 0 && n.code < LEN(rows) ? rows[n.code].name : number;
	COP_TRY(m->fb.status);
	if (n.code < 0 || n.code >= LEN(rows) || !rows[n.code].add) return unsupported(m, &n, &code);
	const row *r = &rows[n.code];
	bool silent = n.code == TFL_CALL_ONCE || n.code == TFL_ASSIGN_VARIABLE;
	if (n.in.n < r->least || n.in.n > r->most || (!n.out.n && !silent) || n.out.n > 64)
		return cop__tfl_fail(m, &n, "has %u inputs and %u outputs, %u to %u inputs are supported", n.in.n, n.out.n, r->least, r->most);
	COP_TRY(check_list(m, &n.in, -1, "an operator"));
	COP_TRY(check_list(m, &n.out, 0, "an operator"));
	COP_TRY(check_list(m, &n.mid, -1, "an operator"));
	if (!r->wide && n.code != TFL_UNIDIRECTIONAL_SEQUENCE_LSTM && n.code != TFL_BIDIRECTIONAL_SEQUENCE_LSTM && n.code != TFL_SVDF) { /* whose states are int16 */
		COP_TRY(refuse_int16(m, &n, &n.in));
		COP_TRY(refuse_int16(m, &n, &n.out));
	}
	cop_status st = r->add(m, &n);
	return st ? st : m->fb.status ? m->fb.status : m->cx->code;
}

/* Do the network's results need operator f? Then what it reads is needed, too. What has no result acts in another way. */
static bool needs(cop_tfl *m, const cop_fb_table *f)
{
	cop_fb_vec list[2] = {cop__fb_vec(f, OPERATOR_INPUTS, 4), cop__fb_vec(f, OPERATOR_OUTPUTS, 4)};
	bool any = !list[1].n;

	for (uint32_t i = 0; i < list[1].n; i++) {
		int32_t at = cop__fb_vec_i32(&list[1], i);
		any |= at < 0 || at >= m->n_tensor || m->tensor[at].needed; /* one that is nonsense is refused later */
	}
	for (uint32_t i = 0; any && i < list[0].n; i++) {
		int32_t at = cop__fb_vec_i32(&list[0], i);
		if (at >= 0 && at < m->n_tensor) m->tensor[at].needed = true;
	}
	return any;
}

static cop_status add_operators(cop_tfl *m, const cop_fb_vec *ops)
{
	bool *needed = cop__tfl_room(m, ops->n);

	for (uint32_t i = ops->n; needed && i-- > 0;) {
		cop_fb_table f = cop__fb_vec_table(ops, i);
		needed[i] = needs(m, &f);
	}
	for (uint32_t i = 0; needed && i < ops->n; i++) {
		cop_fb_table f = cop__fb_vec_table(ops, i);
		COP_TRY(m->fb.status);
		if (needed[i]) COP_TRY(add_operator(m, &f, (int32_t)i));
	}
	return needed ? m->fb.status : m->cx->code;
}

/* The subgraph that gives variables their first contents: its tensors take the place of the network's for a while. */
cop_status cop__tfl_call_once(cop_tfl *m, const cop_tfl_node *n)
{
	int32_t at = cop__fb_int(&n->options, CALL_ONCE_SUBGRAPH, 4, 0), n_tensor = m->n_tensor;
	cop_tfl_tensor *tensor = m->tensor;

	if (m->once) return cop__tfl_fail(m, n, "within what CALL_ONCE calls is not supported");
	if (at < 1 || (uint32_t)at >= m->subgraphs.n) return cop__tfl_fail(m, n, "calls subgraph %d of %u", at, m->subgraphs.n);
	cop_fb_table graph = cop__fb_vec_table(&m->subgraphs, (uint32_t)at);
	cop_fb_vec ops = cop__fb_vec(&graph, SUBGRAPH_OPERATORS, 4);
	m->once = true;
	cop_status st = get_tensors(m, &graph);
	if (!st) st = add_operators(m, &ops);
	m->once = false;
	m->tensor = tensor;
	m->n_tensor = n_tensor;
	return st;
}

/* ---- inputs and outputs ---- */

static cop_status keep_scale(cop_tfl *m, const cop_tfl_tensor *t, cop_vid v)
{
	static const cop_tfl_node none = {.name = "input or output"};
	int32_t zero;
	float scale;

	if (!t->scales.n || !cop__tfl_whole(t)) return COP_OK;
	COP_TRY(cop__tfl_scale(m, &none, t, &scale, &zero));
	if (!(scale > 0)) return COP_OK; /* no number but 0 has an integer */
	return cop__set_quant(m->g, v, scale, zero + (cop__t(m->g, v)->dtype == COP_U8 ? 128 : 0));
}

static cop_status add_input(cop_tfl *m, cop_tfl_tensor *t)
{
	char name[80];
	cop_type type = t->type;

	if (t->v) return cop__error(m->cx, COP_FORMAT, "%s: tensor '%s' is an input twice", m->fb.file, t->name);
	if (!type.dtype)
		return cop__error(m->cx, COP_FORMAT,
			"%s: input '%s' has tensor type %d; float32, int8, int16, uint8 and int32 are supported", m->fb.file, t->name,
			t->file_type);
	for (int i = 0; i < type.rank; i++)
		if (type.dim[i] < 1) type.dim[i] = t->type.dim[i] = 1; /* open: the batch */
	bool flip = t->file_type == TFL_UINT8 && type.dtype == COP_I8;
	if (flip) type.dtype = COP_U8;
	cop__tfl_unique(m->g, name, t->name);
	if (!(t->v = cop__input(m->g, name, &type))) return m->cx->code;
	COP_TRY(keep_scale(m, t, t->v));
	if (flip) t->v = cop__flip_bytes(m->g, "input.table", t->v, COP_I8);
	return t->v ? COP_OK : m->cx->code;
}

static cop_status add_output(cop_tfl *m, const cop_tfl_node *list, int i)
{
	cop_tfl_tensor *t = cop__tfl_in(m, list, i);
	char name[80];
	bool made = t->v || t->apart.x || cop__tfl_data(m, t);
	cop_vid v = made ? cop__tfl_own(m->g, cop__tfl_value(m, list, i)) : 0;

	COP_TRY(m->cx->code);
	if (!v) return cop__error(m->cx, COP_FORMAT, "%s: output '%s' is written by no operator", m->fb.file, t->name);
	if (t->file_type == TFL_UINT8 && t->type.dtype == COP_I8) v = cop__flip_bytes(m->g, "output.table", v, COP_U8);
	if (!v) return m->cx->code;
	COP_TRY(keep_scale(m, t, v));
	cop__tfl_unique(m->g, name, t->name);
	return cop__output(m->g, v, m->g->value[v].name ? NULL : name);
}

static cop_status add_all(cop_tfl *m, const cop_fb_table *graph)
{
	cop_fb_vec in = cop__fb_vec(graph, SUBGRAPH_INPUTS, 4), out = cop__fb_vec(graph, SUBGRAPH_OUTPUTS, 4), ops = cop__fb_vec(graph, SUBGRAPH_OPERATORS, 4);

	COP_TRY(get_tensors(m, graph));
	COP_TRY(check_list(m, &in, 0, "the list of inputs"));
	COP_TRY(check_list(m, &out, 0, "the list of outputs"));
	for (uint32_t i = 0; i < out.n; i++) m->tensor[cop__fb_vec_i32(&out, i)].needed = true;
	for (uint32_t i = 0; i < in.n; i++) COP_TRY(add_input(m, &m->tensor[cop__fb_vec_i32(&in, i)]));
	COP_TRY(add_operators(m, &ops));
	COP_TRY(cop__tfl_keep_variables(m));
	const cop_tfl_node ends = {.name = "output", .in = out};
	for (uint32_t i = 0; i < out.n; i++) COP_TRY(add_output(m, &ends, (int)i));
	return m->fb.status;
}

static cop_status read_model(cop_tfl *m, const cop_fb_table *root)
{
	m->subgraphs = cop__fb_vec(root, MODEL_SUBGRAPHS, 4);
	m->buffers = cop__fb_vec(root, MODEL_BUFFERS, 4);
	m->codes = cop__fb_vec(root, MODEL_OPERATOR_CODES, 4);
	if (!m->fb.status && m->subgraphs.n < 1) return cop__error(m->cx, COP_FORMAT, "%s: the model has no graph", m->fb.file);
	COP_TRY(m->fb.status);
	cop_fb_table graph = cop__fb_vec_table(&m->subgraphs, 0); /* the others are bodies of loops and branches, and what CALL_ONCE calls */
	COP_TRY(add_all(m, &graph));
	return cop_graph_verify(m->g);
}

/* The file's name without folder and ending. */
static void graph_name(char out[64], const char *file)
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	cop_fb_vec s = {NULL, (const uint8_t *)base, (uint32_t)strlen(base)};

	cop__tfl_name(out, &s);
	char *dot = strrchr(out, '.');
	if (dot && dot > out) *dot = 0;
}

cop_status cop__tflite_read(cop_graph **out, cop_ctx *cx, const char *file, const void *bytes, size_t size)
{
	cop_tfl m = {.cx = cx, .budget = MOST_FREE + 8 * (int64_t)size};
	cop_fb_table root;
	char name[64];

	*out = NULL;
	COP_TRY(cop__fb_open(&m.fb, &root, cx, file, bytes, size, COP_TFL_ID));
	graph_name(name, file);
	COP_TRY(cop__graph_new(&m.g, cx, *name ? name : NULL));
	cop__arena_init(&m.mem, cx);
	cop_status st = read_model(&m, &root);
	cop__arena_free(&m.mem);
	if (st) cop_graph_free(m.g);
	else *out = m.g;
	return st;
}
