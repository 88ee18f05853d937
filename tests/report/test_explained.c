/* SPDX-License-Identifier: Apache-2.0
 *
 * The page of what a network looked at: a bitmap whose bytes are known, colours at the ends of their scale, tall pictures laid on their side; and each number, name and reason in its place.
 */
#include "help.h"
#include "report/bitmap.h"
#include "report/report.h"

#include <unistd.h>

static char *text_of(cop_text *t)
{
	assert_int_equal(t->status, COP_OK);
	cop__text_bytes(t, "", 1);
	return t->data;
}

static void has(const char *page, const char *part)
{
	if (!strstr(page, part)) fail_msg("'%s' is not in\n%s", part, page);
}

static void has_not(const char *page, const char *part)
{
	if (strstr(page, part)) fail_msg("'%s' is in\n%s", part, page);
}

/* ---- bitmaps ---- */

/* base64 of files that Pillow wrote as BMP: Image.new("RGB", (w, h)), putdata(...), save(..., "BMP"); the resolution of 96 dpi, which nobody reads, set to 0. */
static void bitmaps(void **state)
{
	static uint8_t wide[] = {255, 0, 0, 1, 2, 3}, plain[] = {0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52}, tall[30];
	static const struct { cop_bitmap b; const char *says; } row[] = {
		{{1, 2, wide}, "width=\"100\" height=\"50\" src=\"data:image/bmp;base64,Qk0+AAAAAAAAADYAAAAoAAAAAgAAAAEAAAABABgAAAAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAAAD/AwIBAAA=\""},
		{{2, 3, plain}, "width=\"100\" height=\"66\" src=\"data:image/bmp;base64,Qk1OAAAAAAAAADYAAAAoAAAAAwAAAAIAAAABABgAAAAAABgAAAAAAAAAAAAAAAAAAAAAAAAAIB8eKikoNDMyAAAAAgEADAsKFhUUAAAA\""},
		/* transpose(ROTATE_90) */
		{{5, 2, tall}, "width=\"100\" height=\"40\" src=\"data:image/bmp;base64,Qk1WAAAAAAAAADYAAAAoAAAABQAAAAIAAAABABgAAAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAAgEACAcGDg0MFBMSGhkYAAUEAwsKCREQDxcWFR0cGwA=\""},
	};

	for (int i = 0; i < LEN(tall); i++) tall[i] = (uint8_t)i;
	for (int i = 0; i < LEN(row); i++) {
		cop_text t;
		cop__text_init(&t, *state);
		cop__html_bitmap(&t, &row[i].b, 100, "x");
		has(text_of(&t), row[i].says);
		cop__text_free(&t);
	}
	assert_false(cop__bitmap_turned(2, 1));
	assert_true(cop__bitmap_turned(49, 10));
}

static void colours(void **state)
{
	static const float picture[] = {0, 0.5f, 1, 2, 0, -1, 0, 0, 0, 1, 1, 1}, map[] = {0, 1, -5, 3};
	uint8_t rgb[12], dark[3], light[3];
	cop_bitmap b = {2, 2, rgb};

	(void)state;
	cop__bitmap_picture(&b, picture, 3, 0, 1);
	assert_memory_equal(rgb, ((uint8_t[]){0, 128, 255, 255, 0, 0, 0, 0, 0, 255, 255, 255}), 12);
	cop__map_colour(dark, -1);
	cop__map_colour(light, 2);
	assert_true(dark[0] + dark[1] + dark[2] < 80 && light[0] + light[1] + light[2] > 600);
	cop__bitmap_overlay(&b, map, 1);
	assert_true(rgb[0] == rgb[1] && rgb[1] == rgb[2]); /* nothing mattered here: grey */
	for (int c = 0; c < 3; c++) {
		assert_int_equal(rgb[6 + c], 20); /* nor here, since less than nothing is nothing */
		assert_true(abs(rgb[9 + c] - (light[c] * 9 + 173) / 10) <= 1); /* beyond the scale is its end: nine parts of its colour */
	}
}

/* ---- the page ---- */

static void page(void **state)
{
	float picture[] = {0, 0.25f, 0.5f, 1}, map[] = {1, 2, 3, 4};
	cop_explanation dense = {.h = 2, .w = 2, .channels = 1, .picture = picture, .map = {map, map, map}, .score = 2.5f}, small = dense, random = dense;
	float below[] = {-1, 0, 0, -2};
	random.map[COP_OCCLUSION] = below;
	small.map[COP_SALIENCY] = small.map[COP_GRAD_CAM] = NULL;
	for (int m = 0; m < 2; m++) snprintf(small.why[m], sizeof small.why[m], "a <table> is no straight line");
	strcpy(random.layer, "fc.w");
	const cop_explained_random rows[] = {{&random, {{0.9f, 0.1f}, {NAN, NAN}, {-0.25f, 0}}}};
	const cop_explained e = {.name = "<cat>.png", .class_name = "cat", .label = "dog", .n = 2, .alike = {{0.871f, 0.5f}, {NAN, NAN}, {1, 0.25f}}, .random = rows, .n_random = 1,
		.by = {{"dense.cop", "cat", 0.9876f, &dense}, {"small.cop", "horse", NAN, &small}}};
	char path[64];
	void *text;
	size_t size;

	snprintf(path, sizeof path, "/tmp/coppice-explained-%d.html", (int)getpid());
	OK(*state, cop_report_explained_html(path, *state, &e, 1));
	OK(*state, cop_file_read(&text, &size, *state, path, 0));
	static const char *const parts[] = {"<h2>&lt;cat>.png</h2>", "score of <b>cat</b>", "labelled dog.", "<b>dense.cop</b><br>predicts cat<br>cat: 98.8 %<br>", "score 2.5<",
		"<b>small.cop</b><br>predicts horse<br><span", "<b>0.87</b><br><span class=\"soft\">50 %</span>", "<td>–</td>", "<b>1.00</b><br><span class=\"soft\">25 %</span>",
		"No saliency of small.cop: a &lt;table> is no straight line.", "No grad-cam of small.cop", "<th>from fc.w</th>", "nowhere above 0</span><br><b>-0.25</b></td>", "arXiv 1610.02391"};
	for (int i = 0; i < LEN(parts); i++) has(text, parts[i]);
	has_not(text, "http"); /* nothing from elsewhere */
	has_not(text, "No occlusion");
	has_not(text, "laid on its side");
	int images = 0;
	for (const char *p = text; (p = strstr(p, "data:image/bmp")); p++) images++;
	assert_int_equal(images, 1 + 4 + 2 + 2); /* the scale; one network with all maps, one with occlusion; of that one with random weights, and before */
	cop_free(*state, text);
	unlink(path);
}

static void refused(void **state)
{
	float x[4] = {0};
	cop_explanation a = {.h = 2, .w = 2, .channels = 1, .picture = x}, b = {.h = 1, .w = 4, .channels = 1, .picture = x}, none = {.h = 2, .w = 2, .channels = 1};
	const cop_explained bad[] = {{.name = "x", .class_name = "y", .n = 2, .by = {{.network = "a", .maps = &a}, {.network = "b", .maps = &b}}}, {.n = 1, .by = {{.maps = &none}}},
		{.n = 1}, {.n = 3, .by = {{.maps = &a}, {.maps = &a}}}, {.n = 0, .by = {{.maps = &a}}}};

	for (int i = 0; i < LEN(bad); i++) {
		assert_int_equal(cop_report_explained_html("/tmp/coppice-none.html", *state, &bad[i], 1), COP_ARG);
		has(cop_error_text(*state), "sample 0 needs the maps");
		cop_error_clear(*state);
	}
	assert_int_equal(access("/tmp/coppice-none.html", F_OK), -1);
}

static int open_ctx(void **state) { *state = new_ctx(); return 0; }
static int close_ctx(void **state) { cop_ctx_free(*state); return 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bitmaps), cmocka_unit_test(colours), cmocka_unit_test(page), cmocka_unit_test(refused)};
	return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
