/* SPDX-License-Identifier: Apache-2.0
 *
 * qlinear - QLinear operators, ONNX's and ONNX Runtime's, are another spelling of DequantizeLinear, the plain operator,
 * QuantizeLinear, and are read as that where their scales stand in the file (pass/integers.c makes integers of it).
 * With scales that the network computes they are left to quant.c.
 */
#include "io/onnx/model.h"

/* Operands stand as value, scale, zero point; the result's scale and zero point at `scale`, the bias at `bias` (-1:
 * none). */
typedef struct form { const char *name, *plain; int first, operands, scale, bias; } form;
static const form forms[] = {
	{"QLinearConv", "Conv", 0, 2, 6, 8}, {"QLinearMatMul", "MatMul", 0, 2, 6, -1}, {"QGemm", "Gemm", 0, 2, 7, 6},
	{"QLinearAdd", "Add", 0, 2, 6, -1},
	{"QLinearMul", "Mul", 0, 2, 6, -1}, {"QLinearAveragePool", "AveragePool", 0, 1, 3, -1},
	{"QLinearGlobalAveragePool", "GlobalAveragePool", 0, 1, 3, -1},
	{"QLinearSigmoid", "Sigmoid", 0, 1, 3, -1}, {"QLinearLeakyRelu", "LeakyRelu", 0, 1, 3, -1},
	{"QLinearSoftmax", "Softmax", 0, 1, 3, -1},
	{"QLinearConcat", "Concat", 2, 0, 0, -1}, /* any number of operands */
};

/* NodeProtos of which the attribute alone is read. */
static const uint8_t axis_0[] = {NODE_ATTRIBUTE << 3 | 2, 11, ATTR_NAME << 3 | 2, 4, 'a', 'x', 'i', 's', ATTR_I << 3, 0,
	0xa0, 1, ATTR_IS_INT};

static const form *form_of(const cop_ox_node *n)
{
	for (int i = 0; i < LEN(forms); i++)
		if (!strcmp(n->type, forms[i].name)) return &forms[i];
	return NULL;
}

static bool stored(const cop_ox *m, const cop_ox_node *n, int i)
{
	return i < n->n_in && n->in[i] && m->value[n->in[i]].tensor;
}

static bool absent(const cop_ox_node *n, int i) { return i >= n->n_in || !n->in[i]; }

static int operands_of(const cop_ox_node *n, const form *f) { return f->operands ? f->operands : (n->n_in - 2) / 3; }

/* Is all there that the plain form asks for? */
static bool fits(cop_ox *m, const cop_ox_node *n, const form *f)
{
	int count = operands_of(n, f);

	if (n->n_out != 1 || n->n_in < f->first + 3 * count || (!f->operands && n->n_in != 2 + 3 * count) ||
		cop__ox_i(n, "channels_last", 0)) return false;
	for (int k = 0; k < count; k++) {
		int at = f->first + 3 * k;
		if (absent(n, at) || !stored(m, n, at + 1) || (!stored(m, n, at + 2) && !absent(n, at + 2))) return false;
	}
	if (f->bias == 6)
		return !(cop__ox_f(n, "alpha", 1) < 1 || cop__ox_f(n, "alpha", 1) > 1) &&
			(absent(n, f->scale) || stored(m, n, f->scale));
	return stored(m, n, f->scale) && (stored(m, n, f->scale + 1) || absent(n, f->scale + 1));
}

/* A node from values to a new value, or to `out`; there is room (OX_QLINEAR_ROOM). Its first `n_in` inputs. */
static int32_t append(cop_ox *m, const cop_ox_node *n, const char *type, const uint8_t *proto, size_t size, int n_in,
	const int32_t *in, int32_t out)
{
	cop_ox_node *to = &m->node[m->n_node];
	int32_t *list = cop__ox_room(m, sizeof *list * (size_t)(n_in + 1));

	if (!list) return 0;
	if (m->n_node >= m->cap_node)
		return cop__error(m->cx, COP_FORMAT, "%s: has more nodes than it has room for", m->file), 0;
	if (!out) {
		if (m->n_value >= m->cap_value)
			return cop__error(m->cx, COP_FORMAT, "%s: names more values than it has room for", m->file), 0;
		m->value[out = ++m->n_value] = (cop_ox_value){.name = m->value[in[0]].name};
	}
	memcpy(list, in, sizeof *in * (size_t)n_in);
	list[n_in] = out;
	*to = (cop_ox_node){.op = cop__ox_op_of(type), .name = n->name, .type = type, .proto = proto, .size = size,
		.n_in = n_in, .n_out = 1, .in = list, .out = list + n_in, .index = m->n_node,
		.domain = "", .call = proto == n->proto ? n->call : NULL, .opset = n->opset};
	m->value[out].producer = ++m->n_node;
	return out;
}

/* Does operand k's scale run along its first axis? Of a convolution's weight, and of a matrix [out,in]. */
static bool by_first_axis(const cop_ox_node *n, const form *f, int k)
{
	return k == 1 && (!strcmp(f->plain, "Conv") || (!strcmp(f->plain, "Gemm") && cop__ox_i(n, "transB", 0)));
}

/* The bias is whole multiples of the product of both scales. */
static int32_t bias_of(cop_ox *m, const cop_ox_node *n, const form *f)
{
	int32_t scale = append(m, n, "Mul", NULL, 0, 2, (const int32_t[]){n->in[1], n->in[4]}, 0);
	return scale ? append(m, n, "DequantizeLinear", axis_0, sizeof axis_0, 2, (const int32_t[]){n->in[f->bias], scale}, 0)
		: 0;
}

static cop_status expand(cop_ox *m, cop_ox_node *n, const form *f)
{
	int count = operands_of(n, f), plain = 0;
	int32_t *in = cop__ox_room(m, sizeof *in * (size_t)(count + 1)), y = n->out[0], result;

	if (!in) return m->cx->code;
	for (int k = 0; k < count; k++) {
		const int32_t *from = n->in + f->first + 3 * k;
		bool first = by_first_axis(n, f, k);
		in[plain++] = append(m, n, "DequantizeLinear", first ? axis_0 : NULL, first ? sizeof axis_0 : 0, 3, from, 0);
	}
	if (f->bias >= 0 && !absent(n, f->bias)) in[plain++] = bias_of(m, n, f);
	for (int k = 0; k < plain; k++)
		if (!in[k]) return m->cx->code;
	bool floats = absent(n, f->scale); /* the result stays as it is */
	const int32_t q[3] = {0, floats ? 0 : n->in[f->scale], floats || absent(n, f->scale + 1) ? 0 : n->in[f->scale + 1]};
	if (!(result = append(m, n, f->plain, n->proto, n->size, plain, in, floats ? y : 0))) return m->cx->code;
	if (!floats && !append(m, n, "QuantizeLinear", NULL, 0, 3, (const int32_t[]){result, q[1], q[2]}, y))
		return m->cx->code;
	return COP_OK;
}

cop_status cop__ox_expand_qlinear(cop_ox *m)
{
	int32_t nodes = m->n_node;

	for (int32_t i = 0; i < nodes; i++) {
		const form *f = form_of(&m->node[i]);
		if (f && fits(m, &m->node[i], f)) COP_TRY(expand(m, &m->node[i], f));
	}
	return COP_OK;
}
