/* SPDX-License-Identifier: Apache-2.0
 *
 * journey - a user's own program, by coppice.h alone: trains on drawn digits, saves, loads, scores, quantises, runs one sample, and emits C
 * for a board. usage: journey FOLDER
 */
#include <coppice.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static cop_status folder(const char *path) { return mkdir(path, 0777) && errno != EEXIST ? COP_IO : COP_OK; }

static cop_status put(void *ud, const char *path, const void *bytes, size_t size)
{
	char full[512];

	snprintf(full, sizeof full, "%s/%s", (const char *)ud, path);
	FILE *f = fopen(full, "wb");
	if (!f) return COP_IO;
	size_t n = fwrite(bytes, 1, size, f);
	return fclose(f) || n != size ? COP_IO : COP_OK;
}

static cop_status train(cop_ctx *cx, cop_dataset *data, cop_dataset *test, const char *path)
{
	const cop_train_args a = {.epochs = 3, .batch = 50, .threads = 1, .lr = 0.05f, .seed = 1};
	cop_graph *g = NULL;
	cop_score score;

	cop_status st = cop_zoo_build(&g, cx, "mlp-784x32x10", &(cop_zoo_args){.seed = 1});
	if (!st) st = cop_train(g, data, NULL, &a);
	if (!st) st = cop_eval(&score, g, test, 100, 1);
	if (!st) printf("floats %.3f\n", (double)score.accuracy);
	if (!st) st = cop_model_save(g, path);
	cop_graph_free(g);
	return st;
}

/* The first sample of the test set, by a session of one's own. */
static cop_status run(cop_ctx *cx, cop_graph *g, cop_dataset *test)
{
	cop_plan *plan = NULL;
	cop_session *s = NULL;
	cop_target t;
	cop_tensor in, out;
	float x[784], y[10];
	int32_t label = -1, best = 0;
	const cop_type type = {.dtype = COP_F32, .rank = 2, .dim = {1, 784}, .q = {.axis = -1}}, scores = {.dtype = COP_F32, .rank = 2, .dim = {1, 10}, .q = {.axis = -1}};

	cop_status st = test->get(test->ud, 0, x, &label);
	if (!st) st = cop_target_find(&t, cx, "host");
	if (!st) st = cop_plan_build(&plan, &g, 1, &t);
	if (!st) st = cop_session_new(&s, plan, 1);
	if (!st) st = cop_session_io(s, 0, 0, false, &in);
	if (!st) st = cop_session_io(s, 0, 0, true, &out);
	if (!st) st = cop_tensor_copy(cx, &in, &(cop_tensor){type, x});
	if (!st) st = cop_session_run(s, 0);
	if (!st) st = cop_tensor_copy(cx, &(cop_tensor){scores, y}, &out);
	for (int32_t k = 1; !st && k < 10; k++)
		if (y[k] > y[best]) best = k;
	if (!st) printf("sample 0 is a %d, taken for a %d\n", (int)label, (int)best);
	cop_session_free(s);
	cop_plan_free(plan);
	return st;
}

static cop_status deploy(cop_ctx *cx, cop_dataset *data, cop_dataset *test, const char *path, char *out)
{
	const cop_quantize_args a = {.limit = 200, .int8_io = true, .threads = 1, .seed = 1};
	char check[512];
	cop_graph *g = NULL;
	cop_score score;
	cop_target t;

	cop_status st = cop_model_load(&g, cx, path);
	if (!st) st = cop_quantize(&g, data, &a);
	if (!st) st = cop_eval(&score, g, test, 100, 1);
	if (!st) printf("integers %.3f\n", (double)score.accuracy);
	if (!st) st = cop_graph_apply(&g, "batch:n=1 to_infer fuse shrink");
	if (!st) st = run(cx, g, test);
	if (!st) st = cop_target_find(&t, cx, "cortex-m4");
	snprintf(check, sizeof check, "%s/check", out);
	if (!st) st = folder(out);
	if (!st) st = folder(check);
	if (!st) st = cop_emit_c(g, &t, &(cop_emit_args){.name = "digits"}, put, out);
	if (!st) printf("emitted\n");
	cop_graph_free(g);
	return st;
}

int main(int argc, char **argv)
{
	char path[256], out[256];
	cop_ctx *cx;
	cop_dataset *data = NULL, *test = NULL;

	if (argc != 2 || strlen(argv[1]) > 200 || cop_ctx_new(&cx, NULL)) return 2;
	snprintf(path, sizeof path, "%s/net.cop", argv[1]);
	snprintf(out, sizeof out, "%s/out", argv[1]);
	cop_status st = cop_data_open(&data, cx, "synth-digits", "train", 4000);
	if (!st) st = cop_data_open(&test, cx, "synth-digits", "test", 1000);
	if (!st) st = train(cx, data, test, path);
	if (!st) st = deploy(cx, data, test, path, out);
	if (st) fprintf(stderr, "%s: %s\n", cop_status_text(st), cop_error_text(cx));
	cop_data_free(test);
	cop_data_free(data);
	cop_ctx_free(cx);
	return -st;
}
