/* SPDX-License-Identifier: Apache-2.0
 *
 * plot - pictures by gnuplot, run once as a child process over one script in a folder of its own under TMPDIR.
 * No shell is involved, and no name from a file gets into the script but within quoted, cleaned texts. The SVG
 * that comes back loses its prologue, so that it can stand in a page; black becomes the page's text colour by the
 * page's style. Without gnuplot there are no pictures and a sentence why.
 */
#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_HISTOGRAMS = 12, MAX_NAMES = 24 };

extern char **environ;

static const char head[] =
        "set terminal svg size 400,270 dynamic enhanced font 'sans-serif,13'\n"
        "set encoding utf8\nset border 3 lw 0.7\nset tics nomirror scale 0.4\nset grid ytics lw 0.4 lc rgb '#808080' "
        "dt (2,4)\n"
        "set style fill solid 0.9 noborder\nset key above horizontal samplen 1.2\nset format y '%.0s%c'\n"
        "before = '#8c96a8'\nafter = '#12a089'\nother = '#d98324'\n";

/* Quoted for gnuplot: letters, digits and a few signs; the rest is left out. */
static void put_name(cop_text *t, const char *s)
{
	cop__text_add(t, "\"");
	for (int n = 0; *s && n < 24; s++)
		if ((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		        strchr(".-/+", *s))
			cop__text_add(t, "%c", *s), n++;
	cop__text_add(t, "\"");
}

static cop_picture *next(cop_pictures *p, cop_text *t, const char *title, const char *note)
{
	cop_picture *pic = &p->at[p->n];

	*pic = (cop_picture){title, note, NULL};
	cop__text_add(t, "reset\n%sset output '%d.svg'\n", head, p->n++);
	return pic;
}

/* ---- the pictures ---- */

/* One row a layer: name, bytes dense, bytes now, part kept in percent. */
static void layer_table(cop_text *t, const cop_story *s)
{
	cop__text_add(t, "$layers << END\n");
	for (int32_t i = 0; i < s->n_layer; i++) {
		const cop_story_layer *l = &s->layer[i];
		put_name(t, s->n_layer <= MAX_NAMES ? l->name : "");
		cop__text_add(
		        t, " %.0f %.0f %.3f\n", 4 * l->count, l->bytes, l->count > 0 ? 100 * l->nonzero / l->count : 0);
	}
	cop__text_add(t, "END\n");
}

static void by_layer(cop_pictures *p, cop_text *t, const cop_story *s)
{
	static const char bars[] = "set style data histograms\nset style histogram clustered gap 1\nset boxwidth "
	                           "0.9\nset xtics rotate by -35\n";

	if (!s->n_layer) return;
	next(p, t, "Bytes by layer",
	        "Weights in memory: before as 4 bytes each, after as they are encoded. The file is smaller still, its "
	        "blobs are entropy-coded.");
	layer_table(t, s);
	cop__text_add(t, "%sset yrange [0:*]\nset ylabel 'bytes'\n", bars);
	cop__text_add(t,
	        "plot $layers using 2:xtic(1) title 'before' lc rgb before, '' using 3 title 'after' lc rgb after\n");
	next(p, t, "Weights kept by layer", "The part of each layer's weights that is not zero.");
	layer_table(t, s);
	cop__text_add(t, "%sset boxwidth 0.6\nunset key\nset yrange [0:*]\nset format y '%%g %%%%'\n", bars);
	cop__text_add(t, "plot $layers using 4:xtic(1) lc rgb after, '' using 0:4:(sprintf('%%.1f', $4)) with labels "
	                 "offset 0,0.6 notitle\n");
}

/* What of its epochs a story knows. */
typedef struct known { bool accuracy, mse, rate; } known;

static known known_of(const cop_story *s)
{
	known k = {0};

	for (int32_t i = 0; i < s->n_point; i++) k.accuracy |= s->point[i].accuracy >= 0, k.mse |= s->point[i].mse >= 0, k.rate |= s->point[i].rate > 0;
	return k;
}

/* One row an epoch: its number in all, loss, accuracy in percent (or mse), rate. A line where a stage begins. */
static void epoch_table(cop_text *t, const cop_story *s, known k)
{
	cop__text_add(t, "$curve << END\n");
	for (int32_t i = 0; i < s->n_point; i++) {
		const cop_story_point *o = &s->point[i];
		const double score = k.accuracy ? 100 * o->accuracy : o->mse;
		cop__text_add(t, "%d %.6g ", i + 1, o->loss);
		if (score >= 0) cop__text_add(t, "%.6g", score);
		else cop__text_add(t, "NaN");
		if (k.rate) cop__text_add(t, " %.6g", o->rate);
		cop__text_add(t, "\n");
	}
	cop__text_add(t, "END\n");
	for (int32_t i = 1; i < s->n_point; i++)
		if (cop__story_stage_begins(s, i)) cop__text_add(t, "set arrow from %d.5, graph 0 to %d.5, graph 1 nohead dt (5,5) lw 0.7\n", i, i);
	cop__text_add(t, "set xlabel 'epoch'\nset format y '%%g'\nset xrange [0.5:%d.5]\n", s->n_point);
}

/* Epochs of all stages one behind the other. */
static void curves(cop_pictures *p, cop_text *t, const cop_story *s)
{
	const known k = known_of(s);

	if (s->n_point < 2) return;
	next(p, t, "Learning curves",
	        k.accuracy || !k.mse ? "Loss on the training set and accuracy on the validation set after each epoch; an upright line where a stage begins."
	                             : "Loss on the training set and mean square error on the validation set after each epoch; an upright line where a stage begins.");
	epoch_table(t, s, k);
	cop__text_add(t, "set ylabel 'loss'\nset logscale y\n");
	if (k.accuracy || k.mse) cop__text_add(t, "set y2tics nomirror\nset border 11\nset format y2 '%s'\n", k.accuracy ? "%g %%" : "%g");
	cop__text_add(t, "plot $curve using 1:2 with lines lw 2 lc rgb other title 'loss'");
	if (k.accuracy || k.mse) cop__text_add(t, ", '' using 1:3 axes x1y2 with lines lw 2 lc rgb after title '%s'", k.accuracy ? "accuracy" : "MSE");
	cop__text_add(t, "\n");
	if (!k.rate) return;
	next(p, t, "Learning rate", "The rate at the end of each epoch.");
	epoch_table(t, s, k);
	cop__text_add(t, "unset key\nset yrange [0:*]\nplot $curve using 1:4 with lines lw 2 lc rgb before\n");
}

/* The layers with the most weights, in the order of the network. */
static bool among_largest(const cop_story *s, int32_t i)
{
	int larger = 0;

	for (int32_t j = 0; j < s->n_layer; j++)
		larger += s->layer[j].count > s->layer[i].count || (s->layer[j].count == s->layer[i].count && j < i);
	return larger < MAX_HISTOGRAMS;
}

static void histogram(cop_pictures *p, cop_text *t, const cop_story_layer *l)
{
	next(p, t, l->name, NULL);
	cop__text_add(t, "$bins << END\n");
	for (int b = 0; b < COP_REPORT_BINS; b++)
		cop__text_add(t, "%.6g %.0f %.0f\n", l->range * (2 * (b + 0.5) / COP_REPORT_BINS - 1), l->bin[0][b],
		        l->bin[1][b]);
	cop__text_add(t,
	        "END\nset logscale y\nset yrange [0.8:*]\nset format y '%%.0s%%c'\nset xlabel 'weight'\nset ylabel "
	        "'count'\nset boxwidth %.6g\n",
	        2 * l->range / COP_REPORT_BINS * 0.9);
	cop__text_add(t, "plot $bins using 1:2 with boxes fs transparent solid 0.45 noborder lc rgb before title "
	                 "'before', '' using 1:3 with boxes lc rgb after title 'after'\n");
}

/* ---- running ---- */

static bool run_gnuplot(cop_pictures *p, const char *script)
{
	char *const argv[] = {"gnuplot", "-d", (char *)(uintptr_t)script, NULL};
	posix_spawn_file_actions_t a;
	pid_t pid;
	int status = 0, e;

	posix_spawn_file_actions_init(&a);
	posix_spawn_file_actions_addopen(&a, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&a, 2, "/dev/null", O_WRONLY, 0);
	e = posix_spawnp(&pid, "gnuplot", &a, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&a);
	if (!e)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
	if (e || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
		snprintf(p->why, sizeof p->why,
		        "The pictures of this page are drawn by gnuplot, which is not installed here; on Debian: "
		        "apt-get install gnuplot-nox.");
	else if (!WIFEXITED(status) || WEXITSTATUS(status))
		snprintf(p->why, sizeof p->why, "gnuplot was run for the pictures of this page and failed (status %d).",
		        WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return !*p->why;
}

/* From <svg on, without the title that browsers would show as a hint. */
static char *clean(cop_arena *mem, const char *bytes, size_t size)
{
	const char *from = strstr(bytes, "<svg"), *title = from ? strstr(from, "<title>") : NULL,
	           *end = title ? strstr(title, "</title>") : NULL;
	char *out = from ? cop__arena_get(mem, size + 1) : NULL;

	if (!out) return NULL;
	size_t n = (size_t)(bytes + size - from), cut = end ? (size_t)(title - from) : n,
	       behind = end ? (size_t)(end + 8 - from) : n;
	memcpy(out, from, cut);
	memcpy(out + cut, from + behind, n - behind);
	return out;
}

static void collect(cop_pictures *p, const char *folder, bool drawn)
{
	char path[300];
	void *bytes;
	size_t size;

	for (int i = 0; i < p->n; i++) {
		snprintf(path, sizeof path, "%s/%d.svg", folder, i);
		if (drawn && !cop_file_read(&bytes, &size, p->cx, path, 8 << 20)) {
			p->at[i].svg = clean(&p->mem, bytes, size);
			cop_free(p->cx, bytes);
		} else if (drawn) {
			cop_error_clear(p->cx); /* a picture that was not drawn is left out */
		}
		unlink(path);
	}
}

/* In single quotes gnuplot expands neither backticks nor escapes; a quote is written twice. */
static void put_path(cop_text *t, const char *folder)
{
	cop__text_add(t, "cd '");
	for (const char *p = folder; *p; p++) cop__text_add(t, *p == '\'' ? "''" : "%c", *p);
	cop__text_add(t, "'\n");
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 32 || *s == 127) return true;
	return false;
}

/* The whole script with its folder; nothing stays behind. */
static cop_status draw(cop_pictures *p, const cop_text *script)
{
	const char *tmp = getenv("TMPDIR");
	char folder[200], path[300];
	cop_text all;

	if (snprintf(folder, sizeof folder, "%s/coppice-XXXXXX", tmp && *tmp ? tmp : "/tmp") >= (int)sizeof folder || has_control(folder) ||
	        !mkdtemp(folder)) {
		snprintf(p->why, sizeof p->why, "No folder for the data of the pictures could be made under TMPDIR.");
		return COP_OK;
	}
	snprintf(path, sizeof path, "%s/script", folder);
	cop__text_init(&all, p->cx);
	put_path(&all, folder);
	cop__text_bytes(&all, script->data, script->len);
	cop_status st = all.status ? all.status : cop_file_write(p->cx, path, all.data, all.len);
	cop__text_free(&all);
	if (!st) collect(p, folder, run_gnuplot(p, path));
	unlink(path);
	rmdir(folder);
	return st;
}

cop_status cop__pictures_draw(cop_pictures *out, cop_ctx *cx, const cop_story *s)
{
	cop_text t;

	*out = (cop_pictures){.cx = cx};
	cop__arena_init(&out->mem, cx);
	cop__text_init(&t, cx);
	by_layer(out, &t, s);
	curves(out, &t, s);
	for (int32_t i = 0; i < s->n_layer; i++)
		if (among_largest(s, i)) histogram(out, &t, &s->layer[i]);
	cop_status st = t.status;
	if (!st && out->n) st = draw(out, &t);
	cop__text_free(&t);
	return st;
}

void cop__pictures_free(cop_pictures *p)
{
	cop__arena_free(&p->mem);
}
