/* SPDX-License-Identifier: Apache-2.0
 *
 * safetensors - weights by name: u64 length of the header, the header (JSON: name -> dtype, shape, offsets), the
 * bytes. Nothing of the file is trusted; a graph is changed only after every tensor was found and fits.
 *
 * Files of PyTorch use other names and layouts: conv weights OIHW, and the columns of the first fc behind a
 * flattening in the order C, H, W. A file that says {"format": "coppice"} is ours; one that says "pt", or whose
 * names had to be translated, is PyTorch's; else the shape decides, ours first.
 */
#include "core/need.h"
#include "io/safetensors.h"

#include <stdio.h>

cop_status cop_weights_save(const cop_graph *g, const char *path)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), path);
	COP_TRY(cop__not_outline(g, "written"));
	cop_text head, data;
	uint8_t len[8] = {0};
	cop_status st = COP_OK;

	cop__text_init(&head, g->cx);
	cop__text_init(&data, g->cx);
	cop__text_add(&head, "{\"__metadata__\":{\"format\":\"coppice\"}");
	for (int32_t v = 1; v <= g->n_value && !st; v++) {
		static const char *const names[] = {
		        [COP_F32] = "F32", [COP_I32] = "I32", [COP_I8] = "I8", [COP_U8] = "U8"};
		const cop_value *x = &g->value[v];
		if (x->role < COP_CONST || !x->data) continue;
		if (x->type.enc != COP_DENSE || (int)x->type.dtype >= LEN(names)) {
			st = cop__error(g->cx, COP_ARG,
			        "%s: '%s' is encoded, which .safetensors cannot hold; write a .cop file", path,
			        x->name);
			break;
		}
		cop__text_add(&head, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", x->name, names[x->type.dtype]);
		for (int i = 0; i < x->type.rank; i++) cop__text_add(&head, i ? ",%d" : "%d", x->type.dim[i]);
		cop__text_add(&head, "],\"data_offsets\":[%zu,%zu]}", data.len, data.len + cop_type_bytes(&x->type));
		cop__text_bytes(&data, x->data, cop_type_bytes(&x->type));
	}
	cop__text_add(&head, "}");
	while (!head.status && head.len % 8) cop__text_add(&head, " ");
	for (int i = 0; i < 8; i++) len[i] = (uint8_t)((uint64_t)head.len >> 8 * i);
	cop_text file;
	cop__text_init(&file, g->cx);
	cop__text_bytes(&file, len, 8);
	cop__text_bytes(&file, head.data ? head.data : "", head.len);
	if (data.len) cop__text_bytes(&file, data.data, data.len);
	if (!st) st = head.status ? head.status : data.status ? data.status : file.status;
	if (!st) st = cop_file_write(g->cx, path, file.data, file.len);
	cop__text_free(&head);
	cop__text_free(&data);
	cop__text_free(&file);
	return st;
}

#ifndef COP_HAVE_JANSSON

cop_status cop__weights_parse(cop_graph *g, const char *file, const void *bytes, size_t size)
{
	(void)bytes, (void)size;
	return cop__error(
	        g->cx, COP_IO, "%s: reading .safetensors needs jansson, which this library was built without", file);
}

#else

#include <jansson.h>

/* One tensor of the file. */
typedef struct entry {
	const char *name, *dtype;
	const uint8_t *data;
	size_t bytes;
	int32_t rank, dim[COP_MAX_DIM];
	bool used;
} entry;

/* Where a value comes from. */
typedef struct match {
	entry *e;
	bool torch;
} match;

typedef struct reader {
	cop_graph *g;
	const char *file;
	json_t *root;
	const uint8_t *data;
	size_t bytes; /* behind the header */
	entry *entry;
	int32_t n;
	enum { UNKNOWN, OURS, TORCH } origin;
} reader;

static cop_status get_header(reader *r, const uint8_t *p, size_t size)
{
	json_error_t why;
	uint64_t len = size >= 8 ? cop__le64(p) : 0;

	if (size < 8 || len > size - 8) return cop__error(r->g->cx, COP_FORMAT, "%s: the header is cut short", r->file);
	r->root = json_loadb((const char *)p + 8, (size_t)len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(r->root))
		return cop__error(r->g->cx, COP_FORMAT, "%s, byte %d: the header is no JSON object (%s)", r->file,
		        8 + (r->root ? 0 : why.position), r->root ? "another value" : why.text);
	r->data = p + 8 + len;
	r->bytes = size - 8 - (size_t)len;
	return COP_OK;
}

static int size_of(const char *dtype)
{
	static const struct {
		const char *name;
		int bytes;
	} sizes[] = {{"F32", 4}, {"I32", 4}, {"I8", 1}, {"U8", 1}, {"F16", 2}, {"BF16", 2}};

	for (int i = 0; i < LEN(sizes); i++)
		if (!strcmp(dtype, sizes[i].name)) return sizes[i].bytes;
	return 0;
}

/* False for what is not there, or not as long as it should be. A format we do not know is kept, but never matches. */
static bool get_entry(entry *e, const reader *r, const char *name, json_t *v)
{
	json_t *shape = json_object_get(v, "shape"), *at = json_object_get(v, "data_offsets");
	int64_t from = json_integer_value(json_array_get(at, 0)), to = json_integer_value(json_array_get(at, 1)),
	        count = 1;

	*e = (entry){.name = name, .dtype = json_string_value(json_object_get(v, "dtype"))};
	if (!e->dtype || !json_is_array(shape) || json_array_size(at) != 2) return false;
	if (from < 0 || to < from || (uint64_t)to > r->bytes) return false;
	e->data = r->data + from;
	e->bytes = (size_t)(to - from);
	e->rank = (int32_t)COP_MIN(json_array_size(shape), (size_t)COP_MAX_DIM + 1);
	for (int i = 0; i < e->rank; i++) {
		int64_t d = json_integer_value(json_array_get(shape, (size_t)i));
		if (d < 0 || d > INT32_MAX || (count *= d) > INT32_MAX) return false;
		if (i < COP_MAX_DIM) e->dim[i] = (int32_t)d;
	}
	int size = size_of(e->dtype);
	return !size || e->rank > COP_MAX_DIM || (uint64_t)count * (uint64_t)size == e->bytes;
}

static cop_status get_entries(reader *r)
{
	const char *name;
	json_t *v;

	r->entry = cop__alloc(r->g->cx, sizeof *r->entry * (json_object_size(r->root) + 1));
	if (!r->entry) return COP_NOMEM;
	json_object_foreach(r->root, name, v)
	{
		if (!strcmp(name, "__metadata__")) {
			const char *format = json_string_value(json_object_get(v, "format"));
			if (format)
				r->origin = !strcmp(format, "coppice") ? OURS : !strcmp(format, "pt") ? TORCH : UNKNOWN;
		} else if (!get_entry(&r->entry[r->n++], r, name, v)) {
			return cop__error(r->g->cx, COP_FORMAT,
			        "%s: the entry of '%s' is incomplete, or its shape does not fit its bytes", r->file,
			        name);
		}
	}
	return COP_OK;
}

/* ---- names ---- */

/* Whether `theirs` is what PyTorch calls `ours`. */
static bool same_name(const char *ours, const char *theirs)
{
	static const struct {
		const char *ours, *theirs;
	} ends[] = {{".w", ".weight"}, {".b", ".bias"}, {".gamma", ".weight"}, {".beta", ".bias"},
	        {".mean", ".running_mean"}, {".var", ".running_var"}};
	size_t a = strlen(ours), b = strlen(theirs);

	for (int i = 0; i < LEN(ends); i++) {
		size_t x = strlen(ends[i].ours), y = strlen(ends[i].theirs);
		if (a > x && b > y && a - x == b - y && !strcmp(ours + a - x, ends[i].ours) &&
		        !strcmp(theirs + b - y, ends[i].theirs) && !memcmp(ours, theirs, a - x))
			return true;
	}
	return false;
}

static match find(const reader *r, const char *name)
{
	for (int32_t i = 0; i < r->n; i++)
		if (!strcmp(r->entry[i].name, name)) return (match){&r->entry[i], r->origin == TORCH};
	for (int32_t i = 0; i < r->n; i++)
		if (same_name(name, r->entry[i].name)) return (match){&r->entry[i], r->origin != OURS};
	return (match){0};
}

/* ---- layouts ---- */

static bool has_shape(const entry *e, const int32_t *dim, int rank)
{
	return e->rank == rank && !memcmp(e->dim, dim, sizeof *dim * (size_t)rank);
}

static bool is_oihw(const entry *e, const cop_type *t)
{
	return t->rank == 4 && has_shape(e, DIMS(t->dim[0], t->dim[3], t->dim[1], t->dim[2]), 4);
}

static bool is_op(const cop_graph *g, cop_nid n, const char *op)
{
	char label[96];
	size_t len = strlen(op);

	return n && !strncmp(cop__label(g, n, label), op, len) && (label[len] == ' ' || !label[len]);
}

/* The picture [h, w, c] whose flattening the fc weight v reads; false if there is none with more than one pixel. */
static bool behind_flatten(const cop_graph *g, cop_vid v, int32_t hwc[3])
{
	for (int32_t n = 1; n <= g->n_node; n++) {
		if (!is_op(g, (cop_nid)n, "fc") || cop__arg(g, (cop_nid)n, 1) != v) continue;
		cop_nid flat = g->value[cop__arg(g, (cop_nid)n, 0)].producer;
		while (flat && !is_op(g, flat, "reshape") && g->node[flat].n_in == 1)
			flat = g->value[cop__arg(g, flat, 0)].producer; /* relu, dropout */
		if (!flat || !is_op(g, flat, "reshape")) return false;
		const cop_type *x = cop__in(g, flat, 0);
		if (x->rank != 4 || (int64_t)x->dim[1] * x->dim[2] * x->dim[3] != cop__t(g, v)->dim[1]) return false;
		memcpy(hwc, x->dim + 1, 3 * sizeof *hwc);
		return x->dim[1] * x->dim[2] > 1 && x->dim[3] > 1;
	}
	return false;
}

/* [o, c, h, w] -> [o, h, w, c], elements of `size` bytes */
static void to_ohwi(char *out, const char *in, int64_t o, int64_t h, int64_t w, int64_t c, size_t size)
{
	for (int64_t i = 0; i < o; i++)
		for (int64_t k = 0; k < c; k++)
			for (int64_t p = 0; p < h * w; p++, in += size)
				memcpy(out + (size_t)((i * h * w + p) * c + k) * size, in, size);
}

/* ---- numbers ---- */

static float from_half(uint32_t h)
{
	uint32_t sign = (h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
	float f;

	if (e == 31) m = sign | 0x7f800000u | m << 13;
	else if (e) m = sign | (e + 112) << 23 | m << 13;
	else { /* zero, or denormal: m * 2^-24 */ f = (float)m * 0x1p-24f;
		return sign ? -f : f;
	}
	memcpy(&f, &m, 4);
	return f;
}

static void convert(void *out, const entry *e, cop_dtype to)
{
	float *f = out;
	bool half = !strcmp(e->dtype, "F16"), brain = !strcmp(e->dtype, "BF16");

	if (to != COP_F32 || !(half || brain)) {
		memcpy(out, e->data, e->bytes);
		return;
	}
	for (size_t i = 0; i < e->bytes / 2; i++) {
		uint32_t h = e->data[2 * i] | (uint32_t)e->data[2 * i + 1] << 8, wide = h << 16;
		if (half) f[i] = from_half(h);
		else memcpy(&f[i], &wide, 4);
	}
}

static bool fits_dtype(const entry *e, cop_dtype t)
{
	if (t == COP_F32)
		return e->dtype[0] == 'F' ? !strcmp(e->dtype, "F32") || !strcmp(e->dtype, "F16")
		                          : !strcmp(e->dtype, "BF16");
	return !strcmp(e->dtype, t == COP_I32 ? "I32" : t == COP_I8 ? "I8" : t == COP_U8 ? "U8" : "?");
}

/* ---- filling the graph ---- */

static cop_status check(const reader *r, cop_vid v, const match *m)
{
	const cop_value *x = &r->g->value[v];

	if (!fits_dtype(m->e, x->type.dtype) || x->type.enc != COP_DENSE)
		return cop__error(r->g->cx, COP_FORMAT, "%s: '%s' is %s, but '%s' is %s %s", r->file, m->e->name,
		        m->e->dtype, x->name, cop__enc_text(x->type.enc), cop__dtype_text(x->type.dtype));
	if (has_shape(m->e, x->type.dim, x->type.rank) || is_oihw(m->e, &x->type)) return COP_OK;
	return cop__error(r->g->cx, COP_SHAPE,
	        "%s: '%s' has another shape than '%s' (first dimension %d and %d, rank %d and %d)", r->file, m->e->name,
	        x->name, m->e->dim[0], x->type.dim[0], m->e->rank, x->type.rank);
}

static cop_status fill(cop_contents **out, const reader *r, cop_vid v, const match *m)
{
	const cop_value *x = &r->g->value[v];
	size_t bytes = cop_type_bytes(&x->type), size = bytes / (size_t)cop_type_count(&x->type);
	char *data = (*out = cop__contents_new(r->g->cx, bytes)) ? (*out)->bytes : NULL;
	int32_t p[3];
	const int32_t *d = x->type.dim;
	bool conv = is_oihw(m->e, &x->type) && (m->torch || !has_shape(m->e, d, x->type.rank));
	bool flat = !conv && m->torch && x->type.rank == 2 && behind_flatten(r->g, v, p);

	if (!data) return COP_NOMEM;
	if (conv || flat) {
		char *raw = cop__alloc(r->g->cx, bytes);
		if (!raw) return COP_NOMEM;
		convert(raw, m->e, x->type.dtype);
		if (conv) to_ohwi(data, raw, d[0], d[1], d[2], d[3], size);
		else to_ohwi(data, raw, d[0], p[0], p[1], p[2], size);
		cop__free(r->g->cx, raw);
		cop__log(r->g->cx, COP_LOG_INFO, "%s: '%s' reordered from %s into '%s'", r->file, m->e->name,
		        conv ? "OIHW" : "columns in C, H, W order", x->name);
	} else {
		convert(data, m->e, x->type.dtype);
	}
	return COP_OK;
}

/* What a model cannot do without: weights, and the running statistics of bn. */
static bool needed(const cop_value *x)
{
	size_t n = strlen(x->name);
	if (x->role == COP_STATE)
		return (n > 5 && !strcmp(x->name + n - 5, ".mean")) || (n > 4 && !strcmp(x->name + n - 4, ".var"));
	return x->role == COP_PARAM;
}

static cop_status match_all(reader *r, match *of)
{
	const char *missing = NULL;
	int n_missing = 0;

	for (int32_t v = 1; v <= r->g->n_value; v++) {
		const cop_value *x = &r->g->value[v];
		if (x->role < COP_CONST) continue;
		of[v] = find(r, x->name);
		if (of[v].e) {
			of[v].e->used = true;
			COP_TRY(check(r, (cop_vid)v, &of[v]));
		} else if (needed(x)) {
			if (!n_missing++) missing = x->name;
		}
	}
	if (n_missing)
		return cop__error(r->g->cx, COP_FORMAT,
		        "%s: has no tensor for '%s' and %d more of graph '%s'; it begins with '%s'", r->file, missing,
		        n_missing - 1, r->g->name, r->n ? r->entry[0].name : "nothing");
	return COP_OK;
}

static void tell_unused(const reader *r)
{
	int n = 0;
	const char *first = NULL;

	for (int32_t i = 0; i < r->n; i++)
		if (!r->entry[i].used && !strstr(r->entry[i].name, "num_batches_tracked") && !n++)
			first = r->entry[i].name;
	if (n)
		cop__log(r->g->cx, COP_LOG_WARN, "%s: %d tensors have no place in graph '%s', '%s' first", r->file, n,
		        r->g->name, first);
}

cop_status cop__weights_parse(cop_graph *g, const char *file, const void *bytes, size_t size)
{
	reader r = {.g = g, .file = file};
	size_t values = (size_t)g->n_value + 1;
	match *of = cop__alloc(g->cx, sizeof *of * values);
	cop_contents **read = cop__alloc(g->cx, sizeof *read * values);
	cop_status st = of && read ? get_header(&r, bytes, size) : COP_NOMEM;

	if (!st) st = get_entries(&r);
	if (!st) st = match_all(&r, of);
	for (int32_t v = 1; !st && v <= g->n_value; v++)
		if (of[v].e) st = fill(&read[v], &r, (cop_vid)v, &of[v]);
	if (!st) st = cop__replace_contents(g, read);
	if (!st) tell_unused(&r);
	for (int32_t v = 1; st && read && v <= g->n_value; v++) cop__contents_drop(read[v]);
	cop__free(g->cx, r.entry);
	cop__free(g->cx, read);
	cop__free(g->cx, of);
	json_decref(r.root);
	return st;
}

#endif

cop_status cop_weights_load(cop_graph *g, const char *path)
{
	COP_NEED(COP_CX(g), g);
	COP_NEED(COP_CX(g), path);
	void *bytes;
	size_t size;

	COP_TRY(cop_file_read(&bytes, &size, g->cx, path, 0));
	cop_status st = cop__weights_parse(g, path, bytes, size);
	cop_free(g->cx, bytes);
	return st;
}
