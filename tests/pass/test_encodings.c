/* SPDX-License-Identifier: Apache-2.0
 *
 * Every pass on every encoding of every weight: the result computes what the network did, or the refusal names a weight. No pass reads a
 * blob as the numbers it stands for (run it under the address sanitizer, too). The same for exporters, figures and the training graph;
 * and a blob that is not there is refused.
 */
#include "encoded.h"

#include <unistd.h>

/* y of what comes out, after the weights are numbers again (not every place of a weight has kernels for blobs). */
static void same_result(cop_ctx *cx, const cop_graph *plain, const cop_graph *g, const char *what)
{
	cop_graph *a = NULL, *b = NULL;

	if (cop_graph_verify(g)) fail_msg("%s: %s", what, cop_error_text(cx));
	OK(cx, cop__pass_decode(&a, plain, COP_DENSE));
	OK(cx, cop__pass_decode(&b, g, COP_DENSE));
	if (difference(cx, a, b) > 1e-4) fail_msg("%s: another result, off by %g", what, difference(cx, a, b));
	cop_graph_free(a);
	cop_graph_free(b);
}

/* The sentence names the weight itself, or the node by its weight. */
static void names_one(cop_ctx *cx, const char *what)
{
	if (!strchr(cop_error_text(cx), '\'')) fail_msg("%s: names nothing: %s", what, cop_error_text(cx));
	cop_error_clear(cx);
}

static cop_status null_file(void *ud, const char *path, const void *bytes, size_t size) { (void)ud, (void)path, (void)bytes, (void)size; return COP_OK; }

/* What else reads weights. */
static void other_readers(cop_ctx *cx, const cop_graph *g, const char *what)
{
	const char *file[] = {"encodings.cop.tmp", "encodings.onnx.tmp", "encodings.safetensors.tmp"};
	cop_target t;
	cop_figures f;
	cop_layer l;
	cop_graph *train = NULL;

	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	for (int32_t i = 0; i < cop_graph_layers(g); i++) OK(cx, cop_graph_layer(g, i, &l));
	if (cop_measure(&f, g, &t)) names_one(cx, what);
	if (cop_model_save(g, file[0])) names_one(cx, what);
	if (cop_onnx_save(g, file[1])) names_one(cx, what);
	if (cop_weights_save(g, file[2])) names_one(cx, what);
	if (cop_emit_c(g, &t, &(cop_emit_args){0}, null_file, NULL)) names_one(cx, what);
	if (cop_graph_train(&train, g, "loss=mse update=adam")) names_one(cx, what);
	cop_graph_free(train);
	for (int i = 0; i < LEN(file); i++) unlink(file[i]);
}

static void on_one(cop_ctx *cx, cop_graph *g, const char *what)
{
	const char *pass;
	cop_status st;

	for (int i = 0; (pass = cop_pass_name(i, NULL)); i++) {
		cop_graph *copy = NULL;
		char full[160];
		snprintf(full, sizeof full, "%s of %s", pass, what);
		OK(cx, cop__pass_copy(&copy, g));
		for (int32_t v = 1; v <= g->n_value; v++) /* the blocks of their own size again */
			if (g->value[v].data) copy->value[cop__find(copy, g->value[v].name)].data = g->value[v].data;
		if ((st = cop_graph_apply(&copy, spec_of(pass)))) names_one(cx, full);
		else if (strcmp(pass, "slice") && strcmp(pass, "to_train") && strcmp(pass, "head")) same_result(cx, g, copy, full);
		cop_graph_free(copy);
	}
	other_readers(cx, g, what);
}

static void every_pass(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *g = encoded_net(cx);
	int32_t values = g->n_value;
	(void)state;

	cop_graph_free(g);
	for (int32_t v = 1; v <= values; v++)
		for (cop_enc e = 0; e < COP_N_ENC; e++) {
			char what[80];
			g = encoded_net(cx);
			bool weight = cop__floats(g, (cop_vid)v) && g->value[v].role != COP_STATE;
			if (weight && (e != COP_DENSE || v == 2)) {
				encode(g, (cop_vid)v, e);
				void *own = malloc(cop_type_bytes(cop__t(g, (cop_vid)v))); /* its own block, of that size: what reads on is seen */
				g->value[v].data = memcpy(own, g->value[v].data, cop_type_bytes(cop__t(g, (cop_vid)v)));
				snprintf(what, sizeof what, "%s '%s'", cop__enc_text(e), g->value[v].name);
				on_one(cx, g, what);
				cop_graph_free(g);
				free(own);
				continue;
			}
			cop_graph_free(g);
		}
	cop_ctx_free(cx);
}

/* Encodings of what can't have one, and without their contents. */
static void refused(void **state)
{
	static const struct { const char *leaf, *word; } bad[] = {
		{"param w f32[3,4] half 24", "'w'"}, {"param w f32[3,4] half 1", "'w'"}, {"const w f32[3,4] bytes 400", "'w'"}, {"param w f32[3,4] sparse 20", "'w'"},
		{"param w f32[3,4] palette 8", "'w'"}, {"state w f32[3,4] half 24", "'w'"}, {"input w f32[3,4] half 24", "'w'"}, {"param w i8[3,4] half 24", "'w'"}, {"param w f32[] half 4", "'w'"},
	};
	cop_ctx *cx = new_ctx();
	char text[200];
	(void)state;

	for (int i = 0; i < LEN(bad); i++) {
		cop_graph *g;
		snprintf(text, sizeof text, "graph g\ninput x f32[1,4]\n%s\ny = fc x w\noutput y\n", bad[i].leaf);
		if (!cop_graph_parse(&g, cx, text, strlen(text))) fail_msg("%s: was taken", bad[i].leaf);
		if (!strstr(cop_error_text(cx), bad[i].word)) fail_msg("%s: %s", bad[i].leaf, cop_error_text(cx));
		assert_null(g);
		cop_error_clear(cx);
	}
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_pass), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
