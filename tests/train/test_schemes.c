/* SPDX-License-Identifier: Apache-2.0
 *
 * The published sparse updates of MobileNetV2-0.35: their extra memory by the formula of Lin et al. 2022, on the network of the zoo.
 */
#include "../bench/schemes.h"
#include "help.h"

enum { CONVS = 51 };

/* Labels are kilobytes of 1,024 bytes, cut to whole ones. The figures with one digit are reckoned from the authors' code, apart from this one. */
static void extra_memory_is_as_published(void **state)
{
	static const double kilobytes[] = {49.8, 73.9, 99.4, 123.6, 138.2};
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	(void)state;
	OK(cx, cop_zoo_build(&g, cx, "mobilenet-v2-0.35@128", &(cop_zoo_args){.batch = 1, .classes = 10, .seed = 1}));
	for (int i = 0; i < LEN(schemes); i++) {
		double kb = (double)scheme_extra(g, &schemes[i], CONVS) / 8 / 1024;
		if (fabs(kb - kilobytes[i]) > 0.05) fail_msg("%d KB: %.2f, not %.1f", schemes[i].label, kb, kilobytes[i]);
		assert_int_equal((int)kb, schemes[i].label);
	}
	double all = (double)scheme_extra(g, NULL, CONVS) / 8 / 1024;
	if (fabs(all - 1306) > 0.5) fail_msg("all of it: %.2f", all);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(extra_memory_is_as_published)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
