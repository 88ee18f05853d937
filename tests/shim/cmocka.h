/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of cmocka's interface that these tests use, for machines that we compile for but have no cmocka of
 * (tests/CMakeLists.txt takes it when cross-compiling). A failure is said once and leaves the test by longjmp.
 */
#ifndef TESTS_SHIM_CMOCKA_H
#define TESTS_SHIM_CMOCKA_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct CMUnitTest {
	const char *name;
	void (*test)(void **state);
	int (*setup)(void **state), (*teardown)(void **state);
} CMUnitTest;

enum { SHIM_FAILED = 1, SHIM_SKIPPED };
static jmp_buf shim_out;

__attribute__((noreturn, format(printf, 3, 4))) static inline void shim_fail(const char *file, int line, const char *format, ...)
{
	va_list a;
	fprintf(stderr, "%s:%d: ", file, line);
	va_start(a, format);
	vfprintf(stderr, format, a);
	va_end(a);
	fputc('\n', stderr);
	longjmp(shim_out, SHIM_FAILED);
}

#define shim_check(ok, ...)                                                        \
	do {                                                                       \
		if (!(ok)) shim_fail(__FILE__, __LINE__, __VA_ARGS__);             \
	} while (0)
#define shim_compare(a, op, b)                                                     \
	do {                                                                       \
		long long a_ = (long long)(a), b_ = (long long)(b);                \
		shim_check(a_ op b_, "%s: %lld, %s: %lld", #a, a_, #b, b_);        \
	} while (0)
#define shim_text(a, same, b)                                                      \
	do {                                                                       \
		const char *a_ = (a), *b_ = (b);                                   \
		shim_check((strcmp(a_, b_) == 0) == same, "\"%s\", \"%s\"", a_, b_);     \
	} while (0)

#define fail_msg(...) shim_fail(__FILE__, __LINE__, __VA_ARGS__)
#define skip() longjmp(shim_out, SHIM_SKIPPED)
#define print_message(...) printf(__VA_ARGS__)
#define assert_true(x) shim_check(x, "%s", #x)
#define assert_false(x) shim_check(!(x), "not: %s", #x)
#define assert_null(x) shim_check(!(x), "%s is not NULL", #x)
#define assert_non_null(x) shim_check(x, "%s is NULL", #x)
#define assert_ptr_equal(a, b) shim_check((const void *)(a) == (const void *)(b), "%s, %s", #a, #b)
#define assert_int_equal(a, b) shim_compare(a, ==, b)
#define assert_int_not_equal(a, b) shim_compare(a, !=, b)
#define assert_in_range(x, low, high) shim_check((x) >= (low) && (x) <= (high), "%s is out of range", #x)
#define assert_float_equal(a, b, off) shim_check((a) - (b) <= (off) && (b) - (a) <= (off), "%g, %g", (double)(a), (double)(b))
#define assert_string_equal(a, b) shim_text(a, 1, b)
#define assert_string_not_equal(a, b) shim_text(a, 0, b)
#define assert_memory_equal(a, b, n) shim_check(!memcmp(a, b, n), "%s and %s differ", #a, #b)
#define assert_memory_not_equal(a, b, n) shim_check(memcmp(a, b, n), "%s and %s are the same", #a, #b)

#define cmocka_unit_test(f) {#f, f, NULL, NULL}
#define cmocka_unit_test_setup_teardown(f, setup, teardown) {#f, f, setup, teardown}
#define cmocka_run_group_tests(tests, setup, teardown) shim_run(tests, (int)(sizeof(tests) / sizeof *(tests)), setup, teardown)

static inline int shim_run(const CMUnitTest *t, int n, int (*setup)(void **state), int (*teardown)(void **state))
{
	static const char *const word[] = {"ok", "FAILED", "skipped"};
	volatile int failed = 0;
	void *group = NULL;

	if (setup && setup(&group)) return n;
	for (volatile int i = 0; i < n; i++) {
		void *state = group;
		volatile int how = setjmp(shim_out);
		if (!how) {
			if (t[i].setup) t[i].setup(&state);
			t[i].test(&state);
			if (t[i].teardown) t[i].teardown(&state);
		}
		printf("%-8s %s\n", word[how], t[i].name);
		failed += how == SHIM_FAILED;
	}
	return failed + (teardown && teardown(&group));
}

#endif
