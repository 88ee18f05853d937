/* SPDX-License-Identifier: Apache-2.0
 *
 * machine.h - a network written as C for a machine, built and run there, against the session of the portable kernels: the same bits.
 */
#ifndef TESTS_EMIT_MACHINE_H
#define TESTS_EMIT_MACHINE_H

#include "emit/folder.h"
#include "emit/nets.h"

static const char build_host[] = "make -s -C check CFLAGS='-O2 -Wall -Wextra -Wpedantic -Wshadow -Werror -ffreestanding'";
static const char build_arm[] = "make -s -C check WARN='-Wpedantic -Wshadow -Werror'";

typedef struct machine { const char *target, *build, *run, *train; size_t fast; } machine; /* fast: bytes of a second RAM */
static const machine host = {"host", build_host, "make -s -C check run", "make -s -C check run ARGS='train 10'", 0};
static const machine m4 = {"cortex-m4", build_arm, "make -s -C check run", "make -s -C check run ARGS='train 10'", 0};
static const machine netduino = {"netduinoplus2", build_arm, "make -s -C check run", "make -s -C check run ARGS='train 10'", 0};

static const machine m0 = {"microbit", build_arm, "make -s -C check run", NULL, 0};
static const machine m3 = {"lm3s6965evb", build_arm, "make -s -C check run", NULL, 0};
static const machine m55 = {"mps3-an547", build_arm, "make -s -C check run", NULL, 0};
static const machine two[] = {{"host", build_host, "make -s -C check run", "make -s -C check run ARGS='train 10'", 4096}, {"cortex-m4", build_arm, "make -s -C check run", "make -s -C check run ARGS='train 10'", 4096},
	{"mps3-an547", build_arm, "make -s -C check run", "make -s -C check run ARGS='train 10'", 8192}};

static inline void fill(float *x, int64_t n, uint32_t stream)
{
	for (int64_t i = 0; i < n; i++) x[i] = cop__rand_normal(9, stream, (uint64_t)i);
}

static inline void fill_input(const cop_tensor *x, uint32_t stream)
{
	int64_t n = cop_type_count(&x->type);

	if (x->type.dtype == COP_F32) fill(x->data, n, stream);
	else
		for (int64_t i = 0; i < n; i++) ((int8_t *)x->data)[i] = (int8_t)cop__rand(9, stream, (uint64_t)i);
}

static inline void emit(cop_ctx *cx, folder *f, const cop_graph *g, const machine *m, const char *train)
{
	cop_target t;

	OK(cx, cop_target_find(&t, cx, m->target));
	t.fast_ram = m->fast;
	OK(cx, cop_emit_c(g, &t, &(cop_emit_args){.name = "my_net", .train = train != NULL, .train_spec = train}, put_file, f));
	shell(f, m->build, false);
}

static inline void expect_same(const void *got, const void *want, size_t bytes, const char *what)
{
	const uint32_t *a = got, *b = want;

	for (size_t i = 0; i < bytes / 4; i++)
		if (a[i] != b[i]) fail_msg("%s: word %zu is %08x, the session has %08x", what, i, (unsigned)a[i], (unsigned)b[i]);
	if (memcmp((const char *)got + bytes / 4 * 4, (const char *)want + bytes / 4 * 4, bytes % 4)) fail_msg("%s: the last bytes differ", what);
}

/* Inputs and outputs of RUNS runs, one set after the other, as the emitted program has them. */
enum { RUNS = 3, ROOM = 1 << 22 };
typedef struct recorded { char *in, *out; size_t n_in, n_out; } recorded;

static inline recorded record(cop_ctx *cx, cop_session *s, const cop_graph *g)
{
	recorded r = {.in = malloc(ROOM), .out = malloc(ROOM)};
	cop_tensor v;

	for (int run = 0; run < RUNS; run++) {
		for (int i = 0; i < g->n_input; i++) {
			OK(cx, cop_session_io(s, 0, i, false, &v));
			fill_input(&v, (uint32_t)(RUNS * i + run));
			assert_true(r.n_in + cop_type_bytes(&v.type) <= ROOM);
			memcpy(r.in + r.n_in, v.data, cop_type_bytes(&v.type));
			r.n_in += cop_type_bytes(&v.type);
		}
		OK(cx, cop_session_run(s, 0));
		for (int i = 0; i < g->n_output; i++) {
			OK(cx, cop_session_io(s, 0, i, true, &v));
			assert_true(r.n_out + cop_type_bytes(&v.type) <= ROOM);
			memcpy(r.out + r.n_out, v.data, cop_type_bytes(&v.type));
			r.n_out += cop_type_bytes(&v.type);
		}
	}
	return r;
}

/* As the portable kernels run the deployed form. */
static inline recorded record_model(cop_ctx *cx, const cop_graph *model)
{
	cop_graph *g;
	cop_host host;

	OK(cx, cop__pass_deploy(&g, model));
	OK(cx, cop__host_open(&host, &g, 1, 0, 1));
	recorded r = record(cx, host.s, g);
	cop__host_close(&host);
	cop_graph_free(g);
	return r;
}

static inline void check_inference(cop_ctx *cx, const cop_graph *model, const machine *m)
{
	recorded r = record_model(cx, model);
	folder f;

	open_folder(&f);
	emit(cx, &f, model, m, NULL);
	write_bytes(&f, "check/x.bin", r.in, r.n_in);
	if (strcmp(m->target, "host")) print_message("%s on %s:\n", model->name, m->target);
	shell(&f, m->run, strcmp(m->target, "host"));
	void *got = read_bytes(&f, "check/y.bin", r.n_out);
	expect_same(got, r.out, r.n_out, model->name);
	close_folder(&f);
	free(got);
	free(r.in);
	free(r.out);
}

#endif
