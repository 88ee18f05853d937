/* SPDX-License-Identifier: Apache-2.0
 *
 * core: checksums against published vectors, options, files, the context without memory.
 */
#include "help.h"

#include <sys/stat.h>
#include <unistd.h>

static void checksums(void **state)
{
	(void)state;
	uint8_t d[32];
	/* RFC 3720 appendix B.4 and the usual check value */
	assert_int_equal(cop__crc32c("123456789", 9, 0), 0xe3069283u);
	uint8_t zero[32] = {0};
	assert_int_equal(cop__crc32c(zero, 32, 0), 0x8a9136aau);
	/* FIPS 180-4 examples */
	static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
	static const uint8_t two[] = {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8};
	cop__sha256(d, "abc", 3);
	assert_memory_equal(d, abc, 8);
	cop__sha256(d, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
	assert_memory_equal(d, two, 8);
}

static void options(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	const char *text = "ratio=0.5,by=l1 n=3";
	cop_args a = {cx, "prune", text, strlen(text)};
	float ratio = 0;
	int32_t n = 0;
	char by[8] = "";

	OK(cx, cop__args_check(&a, "ratio:f by:s n:i"));
	OK(cx, cop__args_f(&a, "ratio", 0, 1, &ratio));
	OK(cx, cop__args_i(&a, "n", 0, 10, &n));
	OK(cx, cop__args_s(&a, "by", by, sizeof by));
	assert_true(ratio == 0.5f && n == 3 && !strcmp(by, "l1"));
	assert_int_equal(cop__args_check(&a, "ratio by"), COP_ARG);
	assert_string_equal(cop_error_text(cx), "prune: unknown option 'n'; it takes: ratio by");
	cop_error_clear(cx);
	assert_int_equal(cop__args_i(&a, "n", 4, 10, &n), COP_ARG);
	assert_string_equal(cop_error_text(cx), "prune: 'n=3' must be a whole number from 4 to 10");
	assert_true(cop__match("conv*|fc", "conv1.w") && cop__match("conv*|fc", "fc") && !cop__match("conv*|fc", "fc1"));
	cop_ctx_free(cx);
}

static void whole_files(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	char path[] = "/tmp/coppice-test-XXXXXX";
	void *p;
	size_t n;

	close(mkstemp(path));
	OK(cx, cop_file_write(cx, path, "hello", 5));
	OK(cx, cop_file_read(&p, &n, cx, path, 0));
	assert_true(n == 5 && !memcmp(p, "hello", 5));
	cop_free(cx, p);
	assert_int_equal(cop_file_read(&p, &n, cx, path, 4), COP_IO);
	assert_non_null(strstr(cop_error_text(cx), "at most 4"));
	cop_error_clear(cx);
	assert_int_equal(cop_file_write(cx, "/nowhere/file", "x", 1), COP_IO);
	cop_error_clear(cx);
	assert_int_equal(cop_file_read(&p, &n, cx, "/tmp", 0), COP_IO);
	cop_error_clear(cx);
	struct stat null;
	OK(cx, cop_file_write(cx, "/dev/null", "x", 1)); /* not replaced by a plain file */
	assert_true(!stat("/dev/null", &null) && S_ISCHR(null.st_mode));
	unlink(path);
	cop_ctx_free(cx);
}

static void random_numbers(void **state)
{
	(void)state;
	double sum = 0, square = 0;
	int32_t order[100];
	bool seen[100] = {0};

	for (int i = 0; i < 10000; i++) {
		double x = (double)cop__rand_normal(7, 1, (uint64_t)i);
		sum += x;
		square += x * x;
	}
	assert_true(fabs(sum / 10000) < 0.05 && fabs(square / 10000 - 1) < 0.05);
	for (int i = 0; i < 100; i++) order[i] = i;
	cop__shuffle(order, 100, 1, 2);
	for (int i = 0; i < 100; i++) seen[order[i]] = true;
	for (int i = 0; i < 100; i++) assert_true(seen[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(checksums), cmocka_unit_test(options), cmocka_unit_test(whole_files), cmocka_unit_test(random_numbers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
