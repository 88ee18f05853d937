/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers that are frozen from the front on: a network in two parts answers as the whole one; when layers are frozen follows from what they put out, by hand; what goes
 * on is as if the weights had been frozen by layers=; kept values give the same bits as layers that run again.
 */
#include "help.h"
#include "train/alike.h"
#include "train/loop.h"
#include "pass/pass.h"
#include "train/policy.h"

/* ---- in two ---- */

static void answer(float *y, cop_ctx *cx, const cop_graph *g, const float *x)
{
	cop_deployed dep;
	cop_tensor in, out;

	OK(cx, cop__deploy(&dep, g, &(cop_deploy_args){.batch = 2, .threads = 1}));
	OK(cx, cop_session_io(dep.host.s, 0, 0, false, &in));
	OK(cx, cop_session_io(dep.host.s, 0, 0, true, &out));
	memcpy(in.data, x, cop_type_bytes(&in.type));
	OK(cx, cop_session_run(dep.host.s, 0));
	memcpy(y, out.data, cop_type_bytes(&out.type));
	cop__deploy_free(&dep);
}

/* Every place of resnet-8: where a block begins, never within one whose shortcut goes past. */
static void two_parts(void **state)
{
	static float x[2 * 32 * 32 * 3], between[2 * 32 * 32 * 16], whole[20], parts[20];
	cop_ctx *cx = new_ctx();
	cop_graph *g, *front, *back;
	int n = 0;

	(void)state;
	OK(cx, cop_zoo_build(&g, cx, "resnet-8", &(cop_zoo_args){.seed = 2}));
	for (int k = 0; k < LEN(x); k++) x[k] = (float)sin(0.7 * k);
	answer(whole, cx, g, x);
	for (cop_nid i = 1; i <= (cop_nid)g->n_node; i++) {
		const cop_vid v = g->node[i].out[0];
		if (!cop__can_cut(g, v)) continue;
		n++;
		if (i == (cop_nid)g->n_node) continue;
		OK(cx, cop__cut_front(&front, g, &v, 1));
		OK(cx, cop__cut_back(&back, g, v));
		answer(between, cx, front, x);
		answer(parts, cx, back, between);
		for (int k = 0; k < 20; k++)
			if (!(fabsf(parts[k] - whole[k]) < 1e-4f)) fail_msg("cut behind node %d: %g, not %g", (int)i, (double)parts[k], (double)whole[k]);
		cop_graph_free(front);
		cop_graph_free(back);
	}
	assert_int_equal(n, 3 + 3 * 2 + 3); /* conv, bn, relu; add and relu of each block; mean, flatten, fc */
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- when ---- */

enum { EPOCHS = 8 };
typedef struct watch { const cop_graph *g; float w[EPOCHS][12 * 784], b[EPOCHS][12]; int32_t to[EPOCHS]; int n, layer; } watch;

static cop_status see(void *ud, const cop_progress *p, cop_verdict *v)
{
	watch *u = ud;

	(void)v;
	memcpy(u->w[u->n], cop__floats(u->g, cop__find(u->g, "fc1.w")), sizeof *u->w);
	memcpy(u->b[u->n], cop__floats(u->g, cop__find(u->g, "fc1.b")), sizeof *u->b);
	u->to[u->n++] = p->frozen->to; /* as the epoch began */
	return COP_OK;
}

static watch *watched(cop_ctx *cx, const char *policies)
{
	cop_dataset d = alike(16);
	cop_graph *g = net(cx);
	watch *u = calloc(1, sizeof *u);
	cop_policy p = {.name = "watch", .ud = u, .epoch = see};
	cop_train_args a = base;

	u->g = g;
	a.epochs = EPOCHS;
	a.policies = policies;
	OK(cx, cop__train(g, &d, NULL, &a, "train", &p, 1));
	assert_int_equal(u->n, EPOCHS);
	cop_graph_free(g);
	return u;
}

/* relu(w x + b) of the sample. */
static void put_out(double y[12], const float *w, const float *b)
{
	float x[784];
	int32_t label;

	get(NULL, 0, x, &label);
	for (int o = 0; o < 12; o++) {
		y[o] = (double)b[o];
		for (int k = 0; k < 784; k++) y[o] += (double)w[o * 784 + k] * (double)x[k];
		y[o] = y[o] > 0 ? y[o] : 0;
	}
}

static double moved(const watch *u, int e)
{
	double now[12], was[12], d = 0, all = 0;

	put_out(now, u->w[e], u->b[e]);
	put_out(was, u->w[e - 1], u->b[e - 1]);
	for (int o = 0; o < 12; o++) d += (now[o] - was[o]) * (now[o] - was[o]), all += was[o] * was[o];
	return sqrt(d / all);
}

/* The first epoch after whose end the weights stay; EPOCHS: none. */
static int froze(const watch *u)
{
	int e = EPOCHS - 1;

	while (e > 0 && !memcmp(u->w[e], u->w[e - 1], sizeof *u->w)) e--;
	return e;
}

static void by_movement(void **state)
{
	cop_ctx *cx = new_ctx();
	watch *all = watched(cx, NULL), *u;
	char text[64];

	(void)state;
	assert_int_equal(froze(all), EPOCHS - 1);
	u = watched(cx, "prefix:tol=1000,patience=1"); /* the first epoch has nothing to be compared with */
	assert_int_equal(froze(u), 1);
	assert_true(u->to[1] == 0 && u->to[2] > 0);
	free(u);
	u = watched(cx, "prefix:tol=1000,patience=3");
	assert_int_equal(froze(u), 3);
	free(u);
	for (int e = 2; e < 6; e++) { /* by the movement up to that epoch, which falls */
		const double here = moved(all, e), before = moved(all, e - 1);
		print_message("epoch %d: moved by %.5f\n", e, here);
		if (!(here < before * 0.99)) fail_msg("the movement does not fall: %g, then %g", before, here);
		cop__format(text, sizeof text, "prefix:patience=1,tol=%.9g", sqrt(here * before));
		u = watched(cx, text);
		if (froze(u) != e) fail_msg("%s: frozen after epoch %d, not %d", text, froze(u), e);
		free(u);
	}
	free(all);
	cop_ctx_free(cx);
}

/* As if the first layer had been left out of layers=. */
static void as_by_layers(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	cop_graph *a = net(cx), *b = net(cx);
	cop_train_args args = base;

	(void)state;
	args.update = "sgd momentum=0";
	args.epochs = 5;
	args.policies = "prefix:tol=1000,patience=1";
	OK(cx, cop_train(a, &d, NULL, &args));
	args.policies = NULL;
	args.epochs = 2;
	OK(cx, cop_train(b, &d, NULL, &args));
	args.epochs = 3;
	args.update = "sgd momentum=0 layers=fc2*";
	OK(cx, cop_train(b, &d, NULL, &args));
	for (int32_t v = 1; v <= a->n_value; v++) {
		if (a->value[v].role != COP_PARAM) continue;
		const cop_vid w = cop__find(b, a->value[v].name);
		for (int64_t k = 0; k < cop_type_count(cop__t(a, (cop_vid)v)); k++)
			if (!(fabsf(cop__floats(a, (cop_vid)v)[k] - cop__floats(b, w)[k]) < 1e-6f)) fail_msg("'%s' %d is %g, not %g", a->value[v].name, (int)k, (double)cop__floats(a, (cop_vid)v)[k], (double)cop__floats(b, w)[k]);
	}
	cop_graph_free(a);
	cop_graph_free(b);
	cop_ctx_free(cx);
}

/* ---- kept or run again ---- */

static cop_status picture(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int k = 0; k < 144; k++) x[k] = cop__rand_unit(3, (uint32_t)i, (uint64_t)k);
	*label = i % 3;
	return COP_OK;
}

static cop_graph *trained(cop_ctx *cx, const char *policies, const char *augment)
{
	static const char text[] = "input 12 12 1\nconv 4 3x3 norm relu\nmaxpool 2\nconv 6 3x3 norm relu\nmean\nfc 3";
	cop_dataset d = {.name = "pictures", .x = cop__type(COP_F32, 3, DIMS(12, 12, 1)), .count = 22, .classes = 3, .get = picture}; /* the last batch is filled up */
	const cop_train_args a = {.epochs = 7, .batch = 4, .lr = 0.02f, .threads = 1, .seed = 4, .update = "sgd momentum=0.9", .policies = policies, .augment = augment};
	cop_graph *g;

	OK(cx, cop_network_read(&g, cx, "net.txt", text, strlen(text), 1));
	OK(cx, cop_train(g, &d, NULL, &a));
	return g;
}

static void kept(void **state)
{
	static const char *const augment[] = {"none", "shift=1", "mix=0.4", "normalise"};
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int i = 0; i < LEN(augment); i++) {
		cop_graph *a = trained(cx, "prefix:tol=1000,patience=2", augment[i]), *b = trained(cx, "prefix:tol=1000,patience=2,cache=0", augment[i]), *c = trained(cx, NULL, augment[i]);
		if (!same(a, b)) fail_msg("augment %s: what was kept is something else", augment[i]);
		assert_false(same(a, c));
		assert_null(cop__find(a, "fc1.w.momentum")); /* nothing of the training stays */
		cop_graph_free(a);
		cop_graph_free(b);
		cop_graph_free(c);
	}
	cop_ctx_free(cx);
}

/* Nothing of the first layers is trained: they are frozen from the start, and the result is that without the policy. */
static void first_flops(void *ud, const cop_epoch *e)
{
	if (e->done >= 1 && e->epoch == 1) *(float *)ud = e->flops;
}

static void idle(void **state)
{
	static const struct { const char *pass, *layers; bool all; } row[] = {
		{NULL, "fc2*", true}, {"adapters:rank=2", "adapter*", true}, {NULL, "fc1.b|fc2*", false}, {"parts:channels=fc1.w:0.5", "fc1.w|fc2*", false}};
	static const char *const policies[] = {NULL, "prefix:tol=0", "prefix:tol=0,cache=0"};
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	char update[64];

	(void)state;
	for (int k = 0; k < LEN(row); k++) {
		cop_graph *g[3];
		float part[3] = {0};
		cop__format(update, sizeof update, "sgd momentum=0 layers=%s", row[k].layers);
		for (int i = 0; i < 3; i++) {
			cop_train_args a = base;
			g[i] = net(cx);
			if (row[k].pass) OK(cx, cop_graph_apply(&g[i], row[k].pass));
			a.update = update, a.epochs = 3, a.policies = policies[i], a.progress = first_flops, a.ud = &part[i];
			OK(cx, cop_train(g[i], &d, NULL, &a));
		}
		print_message("%s: %g of a step kept, %g run again\n", row[k].layers, (double)part[1], (double)part[2]);
		assert_true(same(g[0], g[1]) && same(g[0], g[2]));
		assert_true(row[k].all ? part[1] < 0.4f && part[2] > 0.9f : part[1] == 1 && part[2] == 1);
		for (int i = 0; i < 3; i++) cop_graph_free(g[i]);
	}
	cop_ctx_free(cx);
}

/* Only up to the layer that is named; and momentum of the layers that go on, goes on. */
static void up_to(void **state)
{
	cop_ctx *cx = new_ctx();
	cop_graph *a = trained(cx, "prefix:tol=1000,patience=2,last=conv1*", "none"), *b = trained(cx, "prefix:tol=1000,patience=2", "none");

	(void)state;
	assert_memory_equal(cop__floats(a, cop__find(a, "conv1.w")), cop__floats(b, cop__find(b, "conv1.w")), 36 * 4);
	assert_memory_equal(cop__floats(a, cop__find(a, "conv1.bn.mean")), cop__floats(b, cop__find(b, "conv1.bn.mean")), 16);
	assert_memory_not_equal(cop__floats(a, cop__find(a, "conv2.w")), cop__floats(b, cop__find(b, "conv2.w")), 216 * 4);
	cop_graph_free(a);
	cop_graph_free(b);
	cop_ctx_free(cx);
}

static void refused(void **state)
{
	static const struct { const char *net, *policies, *says; } row[] = {
		{"mlp-784x10", "prefix", "no place between two layers"}, {"mlp-784x12x10", "prefix:last=fc9*", "last=fc9* fits no layer"}, {"mlp-784x12x10", "prefix:last=fc2*", "the last such layer is 'fc1.w'"},
		{"mlp-784x12x10", "prefix; distill", "a teacher sees the samples"}, {"mlp-784x12x10", "hint:by=fitnet; prefix", "a teacher sees the samples"}};
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop_train_args a = base;
		cop_graph *g;
		OK(cx, cop_zoo_build(&g, cx, row[i].net, NULL));
		a.policies = row[i].policies;
		assert_int_equal(cop_train(g, &d, NULL, &a), COP_ARG);
		if (!strstr(cop_error_text(cx), row[i].says)) fail_msg("%s: %s", row[i].policies, cop_error_text(cx));
		cop_error_clear(cx);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* What frozen layers do is counted where they run in each step, and not where it is kept: of this network the first layer's product forward is about 0.4 of a step. */
static void last_flops(void *ud, const cop_epoch *e)
{
	if (e->done >= 1) *(float *)ud = e->flops;
}

static void counted(void **state)
{
	static const char *const policies[] = {"prefix:tol=1000,patience=1", "prefix:tol=1000,patience=1,cache=0", NULL};
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	float part[3] = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		cop_train_args a = base;
		cop_graph *g = net(cx);
		a.epochs = 4;
		a.policies = policies[i];
		a.progress = last_flops;
		a.ud = &part[i];
		OK(cx, cop_train(g, &d, NULL, &a));
		cop_graph_free(g);
	}
	print_message("of a step: %g kept, %g run again, %g of all\n", (double)part[0], (double)part[1], (double)part[2]);
	assert_true(part[0] > 0 && part[0] < 0.1f && part[2] == 1);
	assert_true(part[1] - part[0] > 0.3f && part[1] - part[0] < 0.5f);
	cop_ctx_free(cx);
}

/* The node comes from a checkpoint, too: one that is not there is refused. */
static void no_such_node(void **state)
{
	static const int32_t to[] = {-1, -2000000000, 1000, INT32_MAX};
	cop_ctx *cx = new_ctx();
	cop_graph *g = net(cx), *back;

	(void)state;
	for (int i = 0; i < LEN(to); i++) {
		cop_loop l = {.cx = cx, .model = g, .frozen = {to[i], 0}};
		assert_int_equal(cop__frozen_make(&l, &back), COP_ARG);
		assert_non_null(strstr(cop_error_text(cx), "can't be cut behind node"));
		cop_error_clear(cx);
	}
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(two_parts), cmocka_unit_test(by_movement), cmocka_unit_test(as_by_layers), cmocka_unit_test(kept), cmocka_unit_test(idle), cmocka_unit_test(up_to), cmocka_unit_test(refused), cmocka_unit_test(no_such_node), cmocka_unit_test(counted)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
