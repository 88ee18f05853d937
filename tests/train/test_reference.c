/* SPDX-License-Identifier: Apache-2.0
 *
 * Ten training steps against PyTorch, from the files that make_reference.py wrote: every loss, and after the last step
 * the mean magnitude, the first and the last element of every parameter and running statistic. With the
 * portable kernels and with the fastest ones this machine has.
 */
#include "help.h"
#include "pass/pass.h"

#ifndef COP_SOURCE_DIR
#define COP_SOURCE_DIR "."
#endif

/* The formula of make_reference.py. */
static double value_of(int64_t i, int k)
{
	uint32_t h = (uint32_t)i * 2654435761u + (uint32_t)k * 40503u;
	h = (h ^ h >> 15) * 2246822519u;
	h = (h ^ h >> 13) * 3266489917u;
	return (double)(h ^ h >> 16) / 4294967296.0;
}

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), m = strlen(with);
	return n >= m && !strcmp(s + n - m, with);
}

static void set_weights(cop_graph *g)
{
	int k = 0;
	for (int32_t v = 1; v <= g->n_value; v++) {
		cop_value *x = &g->value[v];
		if (x->role != COP_PARAM && x->role != COP_STATE) continue;
		int64_t n = cop_type_count(&x->type);
		double bound = sqrt(3.0 * x->type.dim[0] / (double)n);
		float *w = cop__arena_get(&g->mem, (size_t)n * 4 + 64);
		for (int64_t i = 0; i < n; i++) {
			double u = value_of(i, k);
			if (x->type.rank > 1) w[i] = (float)(bound * (2 * u - 1));
			else w[i] = (float)(ends(x->name, "gamma") || ends(x->name, "var") ? 1 + 0.1 * u : 0.1 * u);
		}
		x->data = w;
		k++;
	}
}

static void close_to(const char *net, const char *what, double got, double want, double slack)
{
	if (!(fabs(got - want) <= slack * fmax(1e-3, fabs(want)))) fail_msg("%s: %s is %.7g, PyTorch has %.7g", net, what, got, want);
}

/* A wrong gradient is off by a percent in the first steps. Rounding doubles from step to step, since a rectifier that
 * flips is amplified by batch norm: PyTorch in float32 is as far from these numbers. */
static double loss_slack(int step) { return ldexp(5e-6, step); }

static void compare(cop_ctx *cx, const char *net, uint32_t isa)
{
	char path[512], line[512], options[200] = "", name[128];
	cop_graph *model, *train;
	cop_plan *plan;
	cop_session *s;
	cop_target t;
	cop_tensor x, label, loss, value;
	int batch = 0, step;
	double want, mean, first, last, lr = 0.01;

	snprintf(path, sizeof path, COP_SOURCE_DIR "/tests/train/reference/%s.ref", net);
	FILE *f = fopen(path, "r");
	if (!f) fail_msg("%s is not there", path);
	assert_true(fgets(line, sizeof line, f) && sscanf(line, "options %199[^\n]", options) == 1);
	assert_true(fgets(line, sizeof line, f) && sscanf(line, "batch %d", &batch) == 1);
	sscanf(strstr(options, "lr="), "lr=%lf", &lr);
	cop_zoo_args args = {.batch = batch, .seed = 1};
	OK(cx, cop_zoo_build(&model, cx, net, &args));
	set_weights(model);
	OK(cx, cop_graph_train(&train, model, options));
	OK(cx, cop_target_find(&t, cx, "host"));
	t.isa = isa;
	t.threads = 2;
	OK(cx, cop_plan_build(&plan, &train, 1, &t));
	OK(cx, cop_session_new(&s, plan, 2));
	OK(cx, cop_session_tensor(s, 0, "x", &x));
	OK(cx, cop_session_tensor(s, 0, "label", &label));
	OK(cx, cop_session_tensor(s, 0, "loss", &loss));
	while (fgets(line, sizeof line, f)) {
		if (sscanf(line, "loss %d %lf", &step, &want) == 2) {
			for (int64_t i = 0; i < cop_type_count(&x.type); i++) ((float *)x.data)[i] = (float)value_of(i, 1000 + step);
			for (int i = 0; i < batch; i++) ((int32_t *)label.data)[i] = (7 * i + step) % 10;
			OK(cx, cop_session_run(s, 0));
			snprintf(name, sizeof name, "loss at step %d", step);
			close_to(net, name, (double)*(float *)loss.data, want, loss_slack(step));
		} else if (sscanf(line, "value %127s %lf %lf %lf", name, &mean, &first, &last) == 4) {
			double sum = 0;
			OK(cx, cop_session_tensor(s, 0, name, &value));
			int64_t n = cop_type_count(&value.type);
			const float *p = value.data;
			for (int64_t i = 0; i < n; i++) sum += fabs((double)p[i]);
			close_to(net, name, sum / (double)n, mean, 1e-3);
			close_to(net, name, (double)p[0], first, fmax(2e-3, 2e-3 * mean / fmax(1e-9, fabs(first))));
			close_to(net, name, (double)p[n - 1], last, fmax(2e-3, 2e-3 * mean / fmax(1e-9, fabs(last))));
		}
	}
	fclose(f);
	cop_session_free(s);
	cop_plan_free(plan);
	cop_graph_free(train);
	cop_graph_free(model);
}

static const char *const nets[] = {"lenet-300-100", "lenet-5", "resnet-8", "mobilenet-v2-0.35@64"};

static void portable_kernels(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(nets); i++) {
		cop_ctx *cx = new_ctx();
		compare(cx, nets[i], 0);
		cop_ctx_free(cx);
	}
}

static void fast_kernels(void **state)
{
	(void)state;
	for (int i = 0; i < LEN(nets); i++) {
		cop_ctx *cx = new_ctx();
		compare(cx, nets[i], cx->isa);
		cop_ctx_free(cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(portable_kernels), cmocka_unit_test(fast_kernels)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
