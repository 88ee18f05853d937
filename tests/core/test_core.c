/* SPDX-License-Identifier: Apache-2.0
 *
 * core: checksums against published vectors, files, the context without memory.
 */
#include "core/options.h"
#include "help.h"

#include <locale.h>
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
	/* in one piece, eight bytes at a time, as in many short ones */
	static uint8_t many[1000003];
	for (size_t i = 0; i < sizeof many; i++) many[i] = (uint8_t)(i * i >> 3);
	for (size_t n = 16380; n < sizeof many; n += n < 16400 ? 1 : 200001)
		for (size_t from = 0; from < 2; from++) {
			uint32_t c = cop__crc32c("head", 4, 0);
			for (size_t i = from; i < n; i += 999) c = cop__crc32c(many + i, COP_MIN(n - i, 999), c);
			assert_int_equal(cop__crc32c(many + from, n - from, cop__crc32c("head", 4, 0)), c);
		}
	/* FIPS 180-4 examples */
	static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
	static const uint8_t two[] = {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8};
	cop__sha256(d, "abc", 3);
	assert_memory_equal(d, abc, 8);
	cop__sha256(d, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
	assert_memory_equal(d, two, 8);
	static const uint8_t million[] = {0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92};
	memset(many, 'a', sizeof many);
	for (size_t piece = 1; piece < 200; piece += 21) {
		cop_sha256 s;
		cop__sha256_begin(&s);
		for (size_t i = 0; i < 1000000; i += piece) cop__sha256_more(&s, many, COP_MIN(piece, 1000000 - i));
		cop__sha256_end(&s, d);
		assert_memory_equal(d, million, 8);
	}
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

/* ---- text ---- */

/* A locale with decimal commas, if there is one; tests/cli/locale.sh makes one where it can. */
static bool commas(void)
{
	static const char *const known[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8", "es_ES.UTF-8"};

	for (int i = 0; i < LEN(known); i++)
		if (setlocale(LC_ALL, known[i])) return true;
	return false;
}

static void numbers_in_any_locale(void **state)
{
	static const struct { float v; const char *text; } row[] = {{0.1f, "0.1"}, {-0.5f, "-0.5"}, {1e10f, "1e+10"}, {16777216, "16777216"}, {3.14159274f, "3.1415927"},
		{1e-45f, "1.4013e-45"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}, {0.0f, "0"}, {-0.0f, "-0"}, {1.00000012f, "1.0000001"}};
	char text[COP_FLOAT_TEXT], sum[40], *end;
	bool other = commas();

	(void)state;
	if (!other) print_message("no locale with decimal commas is installed: walked in C alone\n");
	for (int i = 0; i < LEN(row); i++) {
		assert_string_equal(cop__float_print(text, row[i].v), row[i].text);
		float back = cop__float_parse(text, &end);
		assert_true(!*end && !memcmp(&back, &row[i].v, sizeof back));
	}
	for (uint64_t i = 0; i < 20000; i++) { /* any bits */
		uint32_t bits = cop__rand(5, 1, i);
		float v, back;
		memcpy(&v, &bits, sizeof v);
		if (v != v) continue;
		back = cop__float_parse(cop__float_print(text, v), &end);
		if (*end || memcmp(&v, &back, sizeof v)) fail_msg("%08x is printed as %s", bits, text);
	}
	cop__format(sum, sizeof sum, "%.2f %d", 2.5, 7);
	assert_string_equal(sum, "2.50 7");
	assert_true(cop__real_parse("1.5,", &end) == 1.5 && *end == ',');
	cop_ctx *cx = new_ctx();
	struct { float ratio; } a;
	const cop_option option[] = {{.name = "ratio", .kind = COP_REAL, .size = 4, .hi = 1, .value = "0.25"}, COP_OPT_END};
	cop_options o = {.cx = cx, .where = "prune", .part = {{.option = option, .to = &a}}};
	cop__options_default(option, &a);
	assert_true(a.ratio == 0.25f);
	OK(cx, cop__options_read(&o, "ratio=0.5", 9));
	assert_true(a.ratio == 0.5f);
	cop__error(cx, COP_ARG, "%g of %.1f", 0.5, 1.5);
	assert_string_equal(cop_error_text(cx), "0.5 of 1.5");
	cop_ctx_free(cx);
	if (other) { /* what the program asked for is still so */
		snprintf(sum, sizeof sum, "%.1f", 2.5);
		assert_string_equal(sum, "2,5");
	}
	setlocale(LC_ALL, "C");
}

static void text_from_elsewhere(void **state)
{
	static const struct { const char *text, *shown, *json; } row[] = {
		{"conv1.w", "conv1.w", "conv1.w"},
		{"a\33[2Jb", "a\\x1b[2Jb", "a\\u001b[2Jb"},
		{"a\nb\tc\177", "a\\x0ab\\x09c\\x7f", "a\\u000ab\\u0009c\\u007f"},
		{"Gr\xc3\xb6\xc3\x9f" "e \xe2\x82\xac \xf0\x9f\x98\x80", "Gr\xc3\xb6\xc3\x9f" "e \xe2\x82\xac \xf0\x9f\x98\x80", "Gr\xc3\xb6\xc3\x9f" "e \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\x9b" "31m", "\\x9b31m", "\\ufffd31m"},         /* CSI of eight bits */
		{"\xc2\x9b" "31m", "\\xc2\\x9b31m", "\xc2\x9b" "31m"}, /* the same in UTF-8: valid in JSON */
		{"\xff\xc3", "\\xff\\xc3", "\\ufffd\\ufffd"},
		{"\xc0\xaf \xed\xa0\x80", "\\xc0\\xaf \\xed\\xa0\\x80", "\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd"}, /* overlong; a surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* beyond U+10FFFF */
		{"say \"a\\b\"", "say \"a\\b\"", "say \\\"a\\\\b\\\""},
	};
	char out[100];

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		assert_int_equal(cop_text_shown(out, sizeof out, row[i].text), strlen(row[i].shown));
		assert_string_equal(out, row[i].shown);
		assert_int_equal(cop_text_json(out, sizeof out, row[i].text), strlen(row[i].json));
		assert_string_equal(out, row[i].json);
		for (size_t size = 0; size < strlen(row[i].shown); size++) { /* whole pieces, within the room */
			memset(out, 'z', sizeof out);
			cop_text_shown(out, size, row[i].text);
			assert_true(out[size] == 'z' && (!size || (strlen(out) < size && !strncmp(out, row[i].shown, strlen(out)))));
		}
	}
	cop_ctx *cx = new_ctx();
	cop__error(cx, COP_IO, "%s: no such file", "a\33]0;b\7");
	assert_string_equal(cop_error_text(cx), "a\\x1b]0;b\\x07: no such file");
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(checksums), cmocka_unit_test(whole_files), cmocka_unit_test(random_numbers), cmocka_unit_test(numbers_in_any_locale), cmocka_unit_test(text_from_elsewhere)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
