/* SPDX-License-Identifier: Apache-2.0
 *
 * The page of a known history: each number in its place, better and worse by their colours, texts escaped. The pictures are drawn by a program
 * that takes gnuplot's place here: it keeps the script that it is given, so that the points of the plots can be compared with arithmetic.
 */
#include "help.h"
#include "report/report.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- what it is made of ---- */

static char page_text[400000];

static const char *of(cop_text *t)
{
	assert_int_equal(t->status, COP_OK);
	assert_true(t->len < sizeof page_text);
	memcpy(page_text, t->data ? t->data : "", t->len);
	page_text[t->len] = 0;
	cop__text_free(t);
	return page_text;
}

static void has(const char *page, const char *part)
{
	if (!strstr(page, part)) fail_msg("'%s' is not in\n%s", part, page);
}
static void has_not(const char *page, const char *part)
{
	if (strstr(page, part)) fail_msg("'%s' is in\n%s", part, page);
}
/* Parts in this order, the last of them NULL. */
static void in_order(const char *page, const char *const *part)
{
	for (const char *at = page; *part; part++) {
		const char *p = strstr(at, *part);
		if (!p) fail_msg("'%s' is not in its place in\n%s", *part, page);
		at = p + strlen(*part);
	}
}

/* ---- numbers and texts ---- */

static void numbers(void **state)
{
	static const struct { double v; const char *count, *bytes; } row[] = {
		{0, "0", "0 B"}, {7, "7", "7 B"}, {999, "999", "999 B"}, {999.4, "999", "999 B"}, {1000, "1,000", "1.0 kB"}, {12345, "12,345", "12.3 kB"}, {123456, "123,456", "123.5 kB"},
		{999949, "999,949", "999.9 kB"}, {1e6, "1,000,000", "1.00 MB"}, {1234567, "1,234,567", "1.23 MB"}, {1e9, "1,000,000,000", "1000.00 MB"}, {123456789012345678.0, "123,456,789,012,345,680", "123456789012.35 MB"},
		{1e19, "1e+19", "10000000000000.00 MB"}, {-5, "-5", "-5 B"},
	};
	char out[32];

	(void)state;
	for (int i = 0; i < LEN(row); i++) {
		cop__html_count(out, row[i].v);
		if (i != 11) assert_string_equal(out, row[i].count); /* of that one the last digits are the float's */
		else assert_memory_equal(out, row[i].count, 20);
		cop__html_bytes(out, row[i].v);
		assert_string_equal(out, row[i].bytes);
	}
}

static void texts(void **state)
{
	cop_text t;

	cop__text_init(&t, *state);
	cop__html_text(&t, "<b> & \"c\" 'd' \x1b[2J");
	assert_string_equal(of(&t), "&lt;b> &amp; &quot;c&quot; 'd' \\x1b[2J");
}

/* ---- tables ---- */

static const cop_story_side before = {.accuracy = 0.9125, .parameters = 1000, .nonzero = 1000, .macs = 50000, .file_bytes = 4200, .flash_bytes = 4000, .ram_bytes = 300, .energy_nj = 1500, .microseconds = 10};
static const cop_story_side after = {.accuracy = 0.9, .parameters = 1000, .nonzero = 250, .macs = 50100, .file_bytes = 20, .flash_bytes = 8000, .ram_bytes = 450, .energy_nj = 750, .microseconds = 5};

static void compare(void **state)
{
	static const char *const both[] = {
		"<th>before</th><th>after</th><th>change</th>",
		"<tr><td>test accuracy</td><td class=\"n\">91.25 %</td><td class=\"n\">90.00 %</td><td class=\"worse\">-1.25 points</td></tr>",
		"file, bytes (before: 4 per parameter)</td><td class=\"n\">4,000</td><td class=\"n\">20</td><td class=\"n better\">&divide; 200</td></tr>",
		"the files before and after)</td><td class=\"n\">4,200</td><td class=\"n\">20</td><td class=\"n better\">&divide; 210</td></tr>",
		"flash for the weights, bytes</td><td class=\"n\">4,000</td><td class=\"n\">8,000</td><td class=\"n worse\">&times; 2.0</td></tr>",
		"RAM for one sample, bytes</td><td class=\"n\">300</td><td class=\"n\">450</td><td class=\"n worse\">&times; 1.50</td></tr>",
		"not zero</td><td class=\"n\">1,000</td><td class=\"n\">250</td><td class=\"n better\">&divide; 4.0</td></tr>",
		"multiply-accumulates of the kernels</td><td class=\"n\">50,000</td><td class=\"n\">50,100</td><td class=\"n\">same</td></tr>",
		"one thread, &micro;s</td><td class=\"n\">10</td><td class=\"n\">5</td><td class=\"n better\">&divide; 2.0</td></tr>",
		"nJ, an estimate</td><td class=\"n\">1,500</td><td class=\"n\">750</td><td class=\"n better\">&divide; 2.0</td></tr>", "</tbody></table></div>\n", NULL};
	static const char *const alone[] = {"<th></th><th>now</th>", "dense, bytes (4 per parameter)</td><td class=\"n\">4,000</td></tr>", "file, bytes</td><td class=\"n\">20</td></tr>",
		"flash for the weights, bytes</td><td class=\"n\">8,000</td></tr>", "sample, bytes</td><td class=\"n\">450</td></tr>", "not zero</td><td class=\"n\">250</td></tr>",
		"of the kernels</td><td class=\"n\">50,100</td></tr>", "&micro;s</td><td class=\"n\">5</td></tr>", "an estimate</td><td class=\"n\">750</td></tr>", NULL};
	cop_story_side b = before, a = after;
	cop_text t;

	cop__text_init(&t, *state);
	cop__html_compare(&t, &before, &after);
	in_order(of(&t), both);
	cop__html_compare(&t, NULL, &after);
	in_order(of(&t), alone);
	has_not(page_text, "accuracy");
	has_not(page_text, "change");
	/* better, the same, not known */
	b.accuracy = 0.5, a.accuracy = 0.75, a.microseconds = 0, a.energy_nj = 0, b.macs = 0;
	cop__html_compare(&t, &b, &a);
	has(of(&t), "<td class=\"better\">+25.00 points</td>");
	has_not(page_text, "one thread");
	has(page_text, "an estimate</td><td class=\"n\">1,500</td><td class=\"n\">0</td><td class=\"n\">&ndash;</td>");
	has(page_text, "of the kernels</td><td class=\"n\">0</td><td class=\"n\">50,100</td><td class=\"n\">&ndash;</td>");
	a.accuracy = b.accuracy, a.microseconds = 0.5; /* less than one is known, too */
	cop__html_compare(&t, &b, &a);
	has(of(&t), "<td class=\"\">+0.00 points</td>");
	has(page_text, "one thread");
	a.accuracy = 0;
	cop__html_compare(&t, &b, &a);
	has(of(&t), "<td class=\"worse\">-50.00 points</td>");
	a.accuracy = -1;
	cop__html_compare(&t, &b, &a);
	has_not(of(&t), "points");
}

/* 1 %: told. 0.4 %: the same. */
static void factors(void **state)
{
	static const struct { double before, after; const char *cell; } row[] = {
		{1000, 990, "<td class=\"n better\">&divide; 1.0</td>"}, {1000, 1010, "<td class=\"n worse\">&times; 1.01</td>"}, {1000, 1004, "<td class=\"n\">same</td>"}, {1000, 996, "<td class=\"n\">same</td>"},
		{1000, 1000, "<td class=\"n\">same</td>"}, {1000, 1940, "<td class=\"n worse\">&times; 1.94</td>"}, {1000, 1960, "<td class=\"n worse\">&times; 2.0</td>"}, {1000, 12340, "<td class=\"n worse\">&times; 12.3</td>"},
		{9950, 100, "<td class=\"n better\">&divide; 99.5</td>"}, {10000, 100, "<td class=\"n better\">&divide; 100</td>"}, {1000, 500, "<td class=\"n better\">&divide; 2.0</td>"},
	};
	cop_text t;

	cop__text_init(&t, *state);
	for (int i = 0; i < LEN(row); i++) {
		cop_story_side b = {.accuracy = -1, .ram_bytes = row[i].before}, a = {.accuracy = -1, .ram_bytes = row[i].after};
		cop__html_compare(&t, &b, &a);
		const char *at = strstr(of(&t), "RAM for one sample");
		assert_non_null(at);
		*strchr((char *)(uintptr_t)at, '\n') = 0;
		has(at, row[i].cell);
	}
}

static void cards(void **state)
{
	static const char *const both[] = {
		"<div class=\"card main\"><b>200.0&times; smaller</b><span>file: 4.0 kB &rarr; 20 B, compared with 4 bytes per parameter</span></div>",
		"<div class=\"card\"><b>90.00 %</b><span>test accuracy; before: 91.25 %</span></div>",
		"<div class=\"card\"><b>25.0 %</b><span>of 1,000 parameters are not zero</span></div>", "<b>450 B</b><span>RAM for one sample", "<b>8.0 kB</b><span>flash for the weights",
		"<b>0.75 &micro;J</b><span>one inference, an estimate; before: 1.5 &micro;J</span></div>\n</div>\n", NULL};
	cop_story_side a = after, b = before;
	cop_text t;

	cop__text_init(&t, *state);
	cop__html_cards(&t, &before, &after);
	in_order(of(&t), both);
	cop__html_cards(&t, NULL, &after);
	has(of(&t), "<b>0.75 &micro;J</b><span>one inference, an estimate</span>");
	has_not(page_text, "test set");
	a.parameters = 100; /* channels are gone: what counts is what there was */
	cop__html_cards(&t, &before, &a);
	has(of(&t), "<b>200.0&times; smaller</b><span>file: 4.0 kB &rarr; 20 B,");
	a.accuracy = -1, b.energy_nj = 0;
	cop__html_cards(&t, &b, &a);
	has_not(of(&t), "test set");
	has_not(page_text, "before:");
	a.accuracy = 0; /* nothing is right: that is known */
	cop__html_cards(&t, &b, &a);
	has(of(&t), "<b>0.00 %</b><span>test accuracy");
	a.parameters = a.nonzero = 0, b.accuracy = 0;
	cop__html_cards(&t, &b, &a);
	has(of(&t), "<b>0.0 %</b><span>of 0 parameters");
	has_not(page_text, "test set");
}

static void stages(void **state)
{
	cop_story_stage all[] = {
		{.stage = "prune", .why = "", .accuracy = {0.98765, 0.9}, .bytes = {4000, 999}, .seconds = 61.4, .kept = true},
		{.stage = "sh<are", .why = "it cost 3 points & more", .accuracy = {0.9, 0.87}, .bytes = {999, 500}, .seconds = 0.2},
		{.stage = "encode", .why = "", .accuracy = {-1, -1}, .bytes = {999, 1200000}, .kept = true},
	};
	const cop_story s = {.stage = all, .n_stage = 3};
	static const char *const want[] = {"<th>stage</th><th>validation accuracy</th><th>file</th>",
		"<tr><td>1. prune</td><td>98.77 &rarr; 90.00 %</td><td>4.0 kB &rarr; 999 B</td><td class=\"opt\">61 s</td><td class=\"why\"><span class=\"kept\">kept</span></td></tr>\n",
		"<tr><td>2. sh&lt;are</td><td>90.00 &rarr; 87.00 %</td><td>999 B &rarr; 500 B</td><td class=\"opt\">0 s</td><td class=\"why\"><span class=\"undone\">undone</span>: it cost 3 points &amp; more</td></tr>\n",
		"<tr><td>3. encode</td><td>&ndash;</td><td>999 B &rarr; 1.20 MB</td>", "</tbody></table></div>\n", NULL};
	cop_text t;

	cop__text_init(&t, *state);
	cop__html_stages(&t, &s);
	in_order(of(&t), want);

	/* without classes */
	cop_story_stage lost = {.stage = "prune", .why = "", .accuracy = {-1, -1}, .loss = {0.25, 0.3125}, .bytes = {4000, 999}};
	cop__html_stages(&t, &(cop_story){.stage = &lost, .n_stage = 1});
	has(of(&t), "<th>validation loss</th>");
	has(page_text, "<td>1. prune</td><td>0.25 &rarr; 0.3125</td>");
}

static void board(void **state)
{
	const cop_board b = {.runs = 3, .instructions = 1234567, .ram = 5000, .fixed = 4000, .stack = 1000, .fast = 0, .flash = 20000, .code = 12000, .weights = 8000}, host = {.runs = 1, .ram = 5000};
	static const char *const want[] = {"in 3 runs.</p>", "instructions of one inference</td><td class=\"n\">1,234,567</td>", "including the stack</td><td class=\"n\">5,000</td>", ".bss</td><td class=\"n\">4,000</td>",
		"measured</td><td class=\"n\">1,000</td>", "flash, bytes</td><td class=\"n\">20,000</td>", "code</td><td class=\"n\">12,000</td>", "weights</td><td class=\"n\">8,000</td>", "</table>", NULL};
	cop_text t;

	cop__text_init(&t, *state);
	cop__html_board(&t, &b);
	in_order(of(&t), want);
	has_not(page_text, "fast RAM");
	cop__html_board(&t, &host);
	has(of(&t), "in 1 run. It ran on this machine");
	has_not(page_text, "<table>");
}

/* ---- a network of two layers ---- */

static cop_graph *net(cop_ctx *cx)
{
	static const float a[12] = {1, 0, 2, 0, 3, 0, 4, 5, 6}, b[6] = {1, 2, 3, 4, 5, 6}, bias[3] = {1, 0, 2};
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	cop_type in = cop__type(COP_F32, 2, DIMS(1, 4)), t = cop__type(COP_F32, 2, DIMS(3, 4)), u = cop__type(COP_F32, 2, DIMS(2, 3)), v = cop__type(COP_F32, 1, DIMS(3));
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "two <layers>"));
	cop_vid x = cop__apply(g, OP_fc, &none, VIDS(cop__input(g, "x", &in), cop__data(g, COP_PARAM, "a&.w", &t, a), cop__data(g, COP_PARAM, "a.b", &v, bias)));
	x = cop__apply(g, OP_clip, &(cop_act_attr){0, COP_NO_HI}, VIDS(x));
	OK(cx, cop__output(g, cop__apply(g, OP_fc, &none, VIDS(x, cop__data(g, COP_PARAM, "b.w", &u, b))), "y"));
	return g;
}

/* Multiplications: 12 and 6. Weights and biases: 15 of which 6 + 2 are not zero, and 6. */
static void layers(void **state)
{
	static const char *const want[] = {
		"<tr><td>fc</td><td class=\"l\">a&amp;.w</td><td>1&times;3</td><td>15</td><td>53.3 %</td><td>12</td><td>60</td></tr>\n",
		"<tr><td>clip</td><td class=\"l\">", "</td><td>1&times;3</td><td></td><td></td><td>", "</td><td></td></tr>\n",
		"<tr><td>fc</td><td class=\"l\">b.w</td><td>1&times;2</td><td>6</td><td>100.0 %</td><td>6</td><td>24</td></tr>\n", "</tbody></table></div>\n", NULL};
	cop_graph *g = net(*state);
	cop_text t;

	cop__text_init(&t, *state);
	cop__html_layers(&t, g);
	in_order(of(&t), want);
	cop_graph_free(g);
}

/* ---- the whole page ---- */

static char folder[64];

static const char history[] = "{\"recipe\":\"re<c>ipe\",\"run\":{\"data\":\"digits & co\",\"date\":\"2026-01-02\",\"command\":\"coppice compress --x \\\"y\\\"\",\"seed\":0},"
	"\"before\":{\"accuracy\":0.95,\"parameters\":21,\"nonzero\":21,\"macs\":18,\"file_bytes\":300,\"flash_bytes\":84,\"ram_bytes\":40,\"energy_nj\":3,\"microseconds\":4},"
	"\"after\":{\"accuracy\":0.925,\"parameters\":999,\"microseconds\":2},"
	"\"stages\":[{\"stage\":\"prune\",\"accuracy\":[0.9,0.8],\"bytes\":[300,200],\"kept\":true,\"why\":\"\",\"seconds\":1.5},"
	"{\"stage\":\"share\",\"accuracy\":[0.8,0.7],\"bytes\":[200,100],\"kept\":false,\"why\":\"it cost too much\",\"seconds\":2},"
	"{\"stage\":\"encode\",\"accuracy\":[0.8,0.8],\"bytes\":[200,50],\"kept\":true,\"why\":\"\",\"seconds\":0}],"
	"\"curve\":[{\"stage\":\"prune\",\"epoch\":1,\"loss\":2.5,\"accuracy\":-1},{\"stage\":\"prune\",\"epoch\":1,\"loss\":2,\"accuracy\":0.5},{\"stage\":\"prune\",\"epoch\":2,\"loss\":1,\"accuracy\":-1},"
	"{\"stage\":\"prune\",\"epoch\":3,\"loss\":0.5,\"accuracy\":0.75},{\"stage\":\"share\",\"epoch\":4,\"loss\":0.25,\"accuracy\":0.8},{\"stage\":\"share\",\"epoch\":1,\"loss\":0.125,\"accuracy\":0.85}],"
	"\"layers\":[{\"name\":\"a'\\\"b;c\",\"count\":12,\"nonzero\":6,\"range\":6.5,\"bytes\":20,\"before\":[3,2],\"after\":[1]},{\"name\":\"b.w\",\"count\":6,\"nonzero\":6,\"range\":1,\"bytes\":24,\"before\":[],\"after\":[]},"
	"{\"name\":\"empty\",\"count\":0,\"nonzero\":0,\"range\":1,\"bytes\":0}]}";

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "wb");
	assert_true(f && fputs(text, f) >= 0 && !fclose(f));
}

static const char *read_text(const char *path)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	page_text[fread(page_text, 1, sizeof page_text - 1, f)] = 0;
	fclose(f);
	return page_text;
}

/* Takes gnuplot's place: `program` is run in a shell, with the script's path as $2. */
static void in_place_of_gnuplot(const char *program)
{
	char path[128], text[2000];

	snprintf(path, sizeof path, "%s/gnuplot", folder);
	if (program) {
		snprintf(text, sizeof text, "#!/bin/sh\ncp \"$2\" %s/script\ncd \"$(dirname \"$2\")\" || exit 1\n%s\n", folder, program);
		write_text(path, text);
		chmod(path, 0755);
	} else {
		unlink(path);
	}
}

static const char *report(cop_ctx *cx, const char *json, const char *check)
{
	char path[128];
	cop_graph *g = net(cx);

	snprintf(path, sizeof path, "%s/page.html", folder);
	OK(cx, cop_report_html(path, g, &(cop_report_args){.history = json, .history_size = json ? strlen(json) : 0, .check = check, .check_size = check ? strlen(check) : 0}));
	assert_int_equal(*cop_error_text(cx), 0);
	cop_graph_free(g);
	return read_text(path);
}

static void whole_page(void **state)
{
	static const char *const want[] = {"<!doctype html>", "<title>two &lt;layers></title>", "<h1>two &lt;layers></h1>", "Recipe re&lt;c>ipe: 2 of 3 stages kept</p>",
		"Data set digits &amp; co. Made on 2026-01-02. Seed 0.<br><code>coppice compress --x &quot;y&quot;</code></p>", "<b>92.50 %</b><span>test accuracy; before: 95.00 %",
		"<b>66.7 %</b><span>of 21 parameters", "<h2>Before and after</h2>", "<td class=\"worse\">-2.50 points</td>", "not zero</td><td class=\"n\">21</td><td class=\"n\">14</td>",
		"&micro;s</td><td class=\"n\">4</td><td class=\"n\">2</td>", "<h2>What was tried</h2>", "1. prune", "2. share", "it cost too much", "<h2>Where the bytes went</h2>",
		"<figure><h3>Bytes by layer</h3><svg>PICTURE 0</svg>", "<figcaption>Weights in memory", "<figure><h3>Weights kept by layer</h3><svg>PICTURE 1</svg>", "<figure><h3>Learning curves</h3><svg>PICTURE 2</svg>",
		"</div>\n<h2>Weights before and after</h2>", "<figure><h3>a'&quot;b;c</h3><svg>PICTURE 3</svg></figure>", "<figure><h3>b.w</h3><svg>PICTURE 4</svg></figure>", "<figure><h3>empty</h3>", "</div>\n",
		"<h2>Measured on the board</h2>", "in 2 runs", "<h2>Layers</h2>", "a&amp;.w", "<footer>", "</main></body></html>\n", NULL};

	if (!has_part("jansson")) skip();
	in_place_of_gnuplot("for i in 0 1 2 3 4 5; do printf '<?xml?>\\n<!DOCTYPE x>\\n<svg><title>a hint</title>PICTURE %s</svg>' $i >$i.svg; done");
	in_order(report(*state, history, "{\"runs\":2,\"flash_bytes\":100}"), want);
	has_not(page_text, "a hint");
	has_not(page_text, "DOCTYPE");
	has_not(page_text, "class=\"note\"");
	/* a picture that was not drawn is left out, and no word of it */
	in_place_of_gnuplot("echo '<svg>PICTURE</svg>' >2.svg");
	has(report(*state, history, NULL), "<h3>Learning curves</h3><svg>PICTURE</svg>");
	has_not(page_text, "Bytes by layer");
	has_not(page_text, "Weights before and after");
	has_not(page_text, "Measured on the board");
	in_place_of_gnuplot("echo '<svg>' >2.svg; exit 3");
	has(report(*state, history, NULL), "<p class=\"note\">gnuplot was run for the pictures of this page and failed (status 3).</p>");
	has_not(page_text, "<figure>");
	in_place_of_gnuplot("kill -9 $$");
	has(report(*state, history, NULL), "failed (status -1).");
	in_place_of_gnuplot(NULL);
	char path[8192];
	snprintf(path, sizeof path, "%s", getenv("PATH"));
	setenv("PATH", folder, 1);
	report(*state, history, NULL);
	setenv("PATH", path, 1);
	has(page_text, "which is not installed here");
	/* without a history: the network alone */
	static const char *const alone[] = {"<h1>two", "of 21 parameters", "<h2>Figures</h2>", "<th>now</th>", "<h2>Layers</h2>", NULL};
	in_order(report(*state, NULL, NULL), alone);
	has_not(page_text, "Recipe");
	has_not(page_text, "&micro;s");
}

/* A history that says little: what is not there is left out. */
static void little(void **state)
{
	if (!has_part("jansson")) skip();
	in_place_of_gnuplot("true");
	has(report(*state, "{\"before\":{},\"after\":{}}", NULL), "Recipe : 0 of 0 stages kept</p>\n<div");
	has_not(page_text, "Seed");
	has_not(page_text, "Data set ");
	has_not(page_text, "test accuracy");
	report(*state, "{\"before\":{},\"after\":{},\"run\":{\"date\":\"today\"}}", NULL);
	has(page_text, "<p class=\"soft\">Made on today. </p>");
	report(*state, "{\"before\":{},\"after\":{},\"run\":{\"command\":\"do\"}}", NULL);
	has(page_text, "<p class=\"soft\"><br><code>do</code></p>");
	report(*state, "{\"before\":{},\"after\":{},\"run\":{\"data\":\"d\",\"seed\":12}}", NULL);
	has(page_text, "<p class=\"soft\">Data set d. Seed 12.</p>");
}

static void refused(void **state)
{
	static const struct { const char *history, *check, *says; } row[] = {
		{"{", NULL, "history, line 1"}, {"\n\n{\"a\" 1}", NULL, "history, line 3"}, {"[]", NULL, "no figures before and after"}, {"{\"before\":{}}", NULL, "no figures before and after"},
		{"{\"after\":{}}", NULL, "no figures before and after"}, {"{\"before\":1,\"after\":{}}", NULL, "no figures"}, {NULL, "{", "`coppice check`, line 1"}, {NULL, "{}", "names no runs"}, {NULL, "{\"runs\":0}", "names no runs"},
	};
	char path[128];
	cop_graph *g = net(*state);

	if (!has_part("jansson")) skip();
	snprintf(path, sizeof path, "%s/none.html", folder);
	for (int i = 0; i < LEN(row); i++) {
		assert_int_equal(cop_report_html(path, g, &(cop_report_args){.history = row[i].history, .history_size = row[i].history ? strlen(row[i].history) : 0, .check = row[i].check, .check_size = row[i].check ? strlen(row[i].check) : 0}), COP_FORMAT);
		has(cop_error_text(*state), row[i].says);
		cop_error_clear(*state);
		assert_int_equal(access(path, F_OK), -1);
	}
	assert_int_equal(cop_report_html("nowhere/x.html", g, NULL), COP_IO);
	cop_error_clear(*state);
	cop_graph_free(g);
}

/* ---- a training log ---- */

#define HEAD "stage,epoch,loss,accuracy,mse,rate,seconds\n"
#define COSTS "stage,epoch,loss,accuracy,mse,rate,seconds,flops,backward,published,step_ms\n"

static const char *report_log(cop_ctx *cx, const char *log, const char *json)
{
	char path[128];
	cop_graph *g = net(cx);

	snprintf(path, sizeof path, "%s/page.html", folder);
	OK(cx, cop_report_html(path, g, &(cop_report_args){.log = log, .log_size = strlen(log), .history = json, .history_size = json ? strlen(json) : 0}));
	cop_graph_free(g);
	return read_text(path);
}

/* What the page says, and what gnuplot is given. */
static void training_logs(void **state)
{
	static const struct { const char *log, *page[8], *script[8], *not; } row[] = {
		{HEAD "train,1,2,0.5,,0.1,10\ntrain,2,1,0.75,,0.05,20\ntrain,3,0.5,0.625,,0.025,30\n",
			{"<h2>Training</h2>", "3 epochs in 30 s; the mean loss went from 2 to 0.5. The best score on the validation set is that of epoch 2: 75.00 % right.", "<th>accuracy</th>", "<b>75.00 %</b>", ">0.025<"},
			{"$curve << END\n1 2 50 0.1\n2 1 75 0.05\n3 0.5 62.5 0.025\nEND\n", "using 1:3 axes x1y2", "title 'accuracy'", "set output '1.svg'", "using 1:4"}, "set arrow"},
		{HEAD "train,1,2,,3,0.1,10\r\ntrain,2,1,,2.5,0.1,20.5\r\ntrain,3,1,,2.5,0.1,30", /* of equal ones the first; the last line may lack its end */
			{"3 epochs in 30 s", "that of epoch 2: a mean square error of 2.5.", "<th>MSE</th>"}, {"$curve << END\n1 2 3 0.1\n2 1 2.5 0.1\n3 1 2.5 0.1\nEND\n", "title 'MSE'"}, "accuracy"},
		{HEAD "train,1,2,0.5,,0.1,10\npr<ne,1,3,0.25,,0.1,5\npr<ne,2,1,0.6,,0.1,7\n", /* each stage has its own seconds */
			{"3 epochs in 17 s", "epoch 2 of stage pr&lt;ne: 60.00 % right", "<td>pr&lt;ne</td>"}, {"set arrow from 1.5, graph 0"}, "from 2.5"},
		{HEAD "train,1,2,,,0.1,10\ntrain,2,1,,,0.1,20\n", {"2 epochs in 20 s; the mean loss went from 2 to 1.</p>"}, {"$curve << END\n1 2 NaN 0.1\n2 1 NaN 0.1\nEND\n"}, "y2tics"},
		{HEAD "train,1,,0.5,,,\n", {"1 epoch in 0 s", "that of epoch 1: 50.00 %"}, {NULL}, "$curve"}, /* one point is no curve */
		/* an epoch that trains all at 10 ms a step, two at 8 and 7 that leave out 30 and 50 of 100 operations: 25 of 40 percent */
		{COSTS "train,1,2,0.5,,0.1,10,1.0000,1.0000,1.0000,10.000\ntrain,2,1,0.75,,0.1,20,0.7000,0.5000,0.4000,8.000\ntrain,3,1,0.75,,0.1,20,0.5000,0.3000,0.1000,7.000\n",
			{"Neurons were left out in 2 of 3 epochs. A step of these took 25.0 % less CPU time than one that trained all, for 40.0 % fewer operations.", "all operations of a step</td><td class=\"n\">26.7 %</td><td class=\"n\">62 %</td>",
			"as executed</td><td class=\"n\">40.0 %</td><td class=\"n\"></td>", "as papers on neurons count them</td><td class=\"n\">50.0 %</td>"}, {NULL}, "no such words"},
		{COSTS "train,1,2,0.5,,0.1,10,0.7000,0.5000,0.4000,8.000\n", {"Neurons were left out in 1 of 1 epochs.</p>", "all operations of a step</td><td class=\"n\">30.0 %</td><td class=\"n\"></td>"}, {NULL}, "CPU time"},
		{COSTS "train,1,2,0.5,,0.1,10,1,1,1,8\n", {"that of epoch 1: 50.00 %"}, {NULL}, "left out"},
		{HEAD, {"The log has no epoch yet."}, {NULL}, "$curve"},
	};
	char path[128];

	in_place_of_gnuplot("true");
	snprintf(path, sizeof path, "%s/script", folder);
	for (int i = 0; i < LEN(row); i++) {
		unlink(path);
		in_order(report_log(*state, row[i].log, NULL), row[i].page);
		if (access(path, F_OK)) continue;
		in_order(read_text(path), row[i].script);
		has_not(page_text, row[i].not);
	}
	if (!has_part("jansson")) return;
	report_log(*state, row[0].log, history); /* the log tells more than the curve of the history */
	has(page_text, "<h2>Before and after</h2>");
	has(page_text, "3 epochs in 30 s");
	has(read_text(path), "$curve << END\n1 2 50 0.1\n");
}

static void no_logs(void **state)
{
	static const struct { const char *log, *says; } row[] = {
		{"", "log: is no training log"}, {COSTS "train,1,2,0.5,,0.1,10\n", "line 2"}, {COSTS "train,1,2,0.5,,0.1,10,1,1,1,-8\n", "line 2"}, {HEAD "train,1,2,0.5,,0.1,10,1,1,1,8\n", "line 2"}, {"stage,epoch,loss\n", "log: is no training log"}, {"stage,epoch,loss,accuracy,mse,rate,secondss\n", "log: is no training log"}, {"\n" HEAD, "log: is no training log"},
		{HEAD "train,1,2,0.5,,0.1\n", "log, line 2"}, {HEAD "train,1,2,0.5,,0.1,10\ntrain,2,2,0.5,,0.1,10,7\n", "log, line 3"}, {HEAD "train,1,2,0.5,,0.1,10\n\n", "log, line 3"}, {HEAD "train,,2,0.5,,0.1,10\n", "line 2"},
		{HEAD "train,1,two,0.5,,0.1,10\n", "line 2"}, {HEAD "train,1,2,0.5x,,0.1,10\n", "line 2"}, {HEAD "train,1,inf,0.5,,0.1,10\n", "line 2"}, {HEAD "train,1,nan,0.5,,0.1,10\n", "line 2"}, {HEAD "train,1,2,-0.5,,0.1,10\n", "line 2"},
		{HEAD "train,1,2,0.5,,0.1,100000000000000000000000000000000000000000000000000000000000000000000\n", "line 2"},
		{HEAD "a-stage-with-a-name-of-more-than-sixty-four-letters-in-all-that-is-none,1,2,0.5,,0.1,10\n", "line 2"},
	};
	char path[128];
	cop_graph *g = net(*state);

	snprintf(path, sizeof path, "%s/none.html", folder);
	for (int i = 0; i < LEN(row); i++) {
		char *log = malloc(strlen(row[i].log) + 1); /* without a byte behind it that might be read */
		memcpy(log, row[i].log, strlen(row[i].log) + 1);
		if (cop_report_html(path, g, &(cop_report_args){.log = log, .log_size = strlen(log)}) != COP_FORMAT) fail_msg("taken: %s", log);
		has(cop_error_text(*state), row[i].says);
		cop_error_clear(*state);
		assert_int_equal(access(path, F_OK), -1);
		free(log);
	}
	cop_graph_free(g);
}

/* ---- the points of the plots ---- */

static void points(void **state)
{
	/* bytes: 4 each before; half of the first layer's weights are left */
	static const char *const want[] = {"cd '", "set output '0.svg'", "$layers << END\n\"abc\" 48 20 50.000\n\"b.w\" 24 24 100.000\n\"empty\" 0 0 0.000\nEND\n", "using 2:xtic(1) title 'before'", "using 3 title 'after'",
		"set output '1.svg'", "$layers << END\n\"abc\" 48 20 50.000\n", "using 4:xtic(1)", "set output '2.svg'",
		/* the second note of epoch 1 takes the place of the first; a line where a stage begins: behind 3 by the name, behind 4 by the number */
		"$curve << END\n1 2 50\n2 1 NaN\n3 0.5 75\n4 0.25 80\n5 0.125 85\nEND\n", "set arrow from 3.5, graph 0 to 3.5, graph 1", "set arrow from 4.5, graph 0 to 4.5, graph 1", "set xrange [0.5:5.5]", "set y2tics", "using 1:3",
		/* 65 bins over -6.5 .. 6.5 are 0.2 wide: the first is at -6.4, the one in the middle at 0 */
		"set output '3.svg'", "$bins << END\n-6.4 3 1\n-6.2 2 0\n-6 0 0\n", "\n-0.2 0 0\n0 0 0\n0.2 0 0\n", "\n6.4 0 0\nEND\n", "set boxwidth 0.18\n", "set output '4.svg'", NULL};
	char path[128];

	if (!has_part("jansson")) skip();
	in_place_of_gnuplot("true");
	report(*state, history, NULL);
	snprintf(path, sizeof path, "%s/script", folder);
	in_order(read_text(path), want);
	has_not(page_text, "from 1.5");
	has_not(page_text, "from 2.5");
	/* one point is no curve, and without accuracy there is no second axis */
	report(*state, "{\"before\":{},\"after\":{},\"curve\":[{\"stage\":\"a\",\"epoch\":1,\"loss\":1,\"accuracy\":0.5}],\"layers\":[{\"name\":\"w\",\"count\":1}]}", NULL);
	has_not(read_text(path), "$curve");
	report(*state, "{\"before\":{},\"after\":{},\"curve\":[{\"stage\":\"a\",\"epoch\":1,\"loss\":1,\"accuracy\":-1},{\"stage\":\"a\",\"epoch\":2,\"loss\":1,\"accuracy\":-1}]}", NULL);
	has(read_text(path), "$curve << END\n1 1 NaN\n2 1 NaN\nEND\n");
	has_not(page_text, "set arrow");
	has_not(page_text, "y2tics");
	has_not(page_text, "$layers");
	report(*state, "{\"before\":{},\"after\":{},\"curve\":[{\"stage\":\"a\",\"epoch\":1,\"loss\":1,\"accuracy\":0},{\"stage\":\"a\",\"epoch\":2,\"loss\":1,\"accuracy\":-1}]}", NULL);
	has(read_text(path), "$curve << END\n1 1 0\n2 1 NaN\nEND\n"); /* 0 is known */
	has(page_text, "y2tics");
}

/* Of many layers the twelve with the most weights are drawn, in the order of the network; names go where there is no room. */
static void many_layers(void **state)
{
	static char json[8000];
	char path[128], line[64];

	if (!has_part("jansson")) skip();
	in_place_of_gnuplot("true");
	snprintf(path, sizeof path, "%s/script", folder);
	for (int n = 24; n <= 25; n++) {
		int at = snprintf(json, sizeof json, "{\"before\":{},\"after\":{},\"layers\":[");
		for (int i = 0; i < n; i++) at += snprintf(json + at, sizeof json - (size_t)at, "%s{\"name\":\"layer-%d.a_very_long_name_indeed\",\"count\":%d,\"nonzero\":1,\"range\":%d}", i ? "," : "", i, i % 2 ? 50 : i, i + 1);
		snprintf(json + at, sizeof json - (size_t)at, "]}");
		report(*state, json, NULL);
		read_text(path);
		if (n == 24) has(page_text, "\"layer-3.averylongnameind\" 200 "); /* 24 letters that gnuplot cannot take for anything else */
		else has(page_text, "\n\"\" 200 ");
		has_not(page_text, "layer-3.averylongnameinde");
		has(page_text, "set output '13.svg'"); /* two, and twelve */
		has_not(page_text, "set output '14.svg'");
		for (int i = 1; i < 24; i += 2) { /* the last bin of layer i: (i + 1) (2 * 64.5 / 65 - 1) */
			snprintf(line, sizeof line, "\n%.6g 0 0\nEND", (i + 1) * (2 * 64.5 / 65 - 1));
			has(page_text, line);
		}
	}
}

/* The folder of the script may be called anything but with control characters in it. */
static void odd_folders(void **state)
{
	char path[200], script[128];
	const char *tmp = getenv("TMPDIR");

	if (!has_part("jansson")) skip();
	in_place_of_gnuplot("echo '<svg>PICTURE</svg>' >0.svg");
	snprintf(script, sizeof script, "%s/script", folder);
	snprintf(path, sizeof path, "%s/it's `here`", folder);
	mkdir(path, 0700);
	setenv("TMPDIR", path, 1);
	has(report(*state, history, NULL), "PICTURE");
	has(read_text(script), "/it''s `here`/coppice-");
	assert_int_equal(rmdir(path), 0); /* nothing stays behind */
	snprintf(path, sizeof path, "%s/a\nb", folder);
	mkdir(path, 0700);
	setenv("TMPDIR", path, 1);
	has(report(*state, history, NULL), "No folder for the data of the pictures could be made");
	assert_int_equal(rmdir(path), 0);
	if (tmp) setenv("TMPDIR", tmp, 1);
	else unsetenv("TMPDIR");
}

static int setup(void **state) { *state = new_ctx(); return 0; }
static int teardown(void **state) { cop_ctx_free(*state); return 0; }
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(numbers), TEST(texts), TEST(compare), TEST(factors), TEST(cards), TEST(stages), TEST(board), TEST(layers), TEST(whole_page), TEST(little), TEST(training_logs), TEST(no_logs), TEST(refused), TEST(points),
		TEST(many_layers), TEST(odd_folders)};
	char path[8192], name[128];

	snprintf(folder, sizeof folder, "/tmp/coppice-report-XXXXXX");
	if (!mkdtemp(folder)) return 1;
	snprintf(path, sizeof path, "%s:/usr/bin:/bin", folder);
	setenv("PATH", path, 1);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	static const char *const left[] = {"gnuplot", "script", "page.html"};
	for (int i = 0; i < LEN(left); i++) snprintf(name, sizeof name, "%s/%s", folder, left[i]), unlink(name);
	rmdir(folder);
	return rc;
}
