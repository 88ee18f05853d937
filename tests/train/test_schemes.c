/* SPDX-License-Identifier: Apache-2.0
 *
 * The published sparse updates of MobileNetV2-0.35: their extra memory by the formula of Lin et al. 2022, on the network of the zoo.
 */
#include "../bench/schemes.h"
#include "help.h"

enum { CONVS = 51 };

/* Bits, reckoned from the authors' code apart from this one: 49.8, 73.9, 99.4, 123.6 and 138.2 KB, where labels are whole ones of 1,024 bytes; and 1306 KB. */
static void extra_memory_is_as_published(void **state)
{
	static const int64_t bits[] = {408016, 605184, 814336, 1012224, 1132544}, all = 10702336;
	cop_ctx *cx = new_ctx();
	cop_graph *g;

	(void)state;
	OK(cx, cop_zoo_build(&g, cx, "mobilenet-v2-0.35@128", &(cop_zoo_args){.batch = 1, .classes = 10, .seed = 1}));
	for (int i = 0; i < LEN(schemes); i++) {
		int64_t got = scheme_extra(g, &schemes[i], CONVS);
		if (got != bits[i]) fail_msg("%d KB: %lld bits, not %lld", schemes[i].label, (long long)got, (long long)bits[i]);
		assert_int_equal(got / 8 / 1024, schemes[i].label);
	}
	assert_int_equal(scheme_extra(g, NULL, CONVS), all);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(extra_memory_is_as_published)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
