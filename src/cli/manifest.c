/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest - what `emit` wrote into a folder: a line "HASH NAME" for each file, with 16 digits of FNV-1a. A name stands twice
 * while a folder is being replaced: old and new.
 */
#include "folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_BYTES = 1 << 20, MOST_LINE = 400 };

static const char title[] = "# Written by `coppice emit`, which replaces these files and no others.\n";

uint64_t cli_hash(uint64_t h, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < size; i++) h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

bool cli_hash_file(uint64_t *h, const char *path)
{
	char part[4096];
	size_t n;
	FILE *f = fopen(path, "rb");

	*h = CLI_HASH_BEGIN;
	if (!f) return false;
	while ((n = fread(part, 1, sizeof part, f))) *h = cli_hash(*h, part, n);
	bool ok = !ferror(f);
	fclose(f);
	return ok;
}

/* A path below the folder, without a way out of it. */
static bool inside(const char *name)
{
	if (!*name || *name == '/') return false;
	for (const char *p = name; p; p = (p = strchr(p, '/')) ? p + 1 : NULL)
		if (!strncmp(p, "..", 2) && (!p[2] || p[2] == '/')) return false;
	return true;
}

bool cli_manifest_add(cli_manifest *m, const char *name, uint64_t hash)
{
	if (m->n == m->cap) {
		int cap = m->cap ? 2 * m->cap : 32;
		cli_entry *e = realloc(m->entry, sizeof *e * (size_t)cap);
		if (!e) return false;
		m->entry = e;
		m->cap = cap;
	}
	char *own = strdup(name);
	if (own) m->entry[m->n++] = (cli_entry){own, hash};
	return own != NULL;
}

void cli_manifest_free(cli_manifest *m)
{
	for (int i = 0; i < m->n; i++) free(m->entry[i].name);
	free(m->entry);
	*m = (cli_manifest){0};
}

bool cli_manifest_read(cli_manifest *m, const char *path)
{
	char line[MOST_LINE];
	long bytes = 0;
	bool ok = true;
	FILE *f = fopen(path, "rb");

	*m = (cli_manifest){0};
	if (!f) return false;
	while (ok && bytes < MOST_BYTES && fgets(line, sizeof line, f)) {
		char *name = strchr(line, ' '), *end;
		bytes += (long)strlen(line);
		line[strcspn(line, "\n")] = 0;
		if (*line == '#' || !name || !inside(name + 1)) continue;
		*name++ = 0;
		uint64_t hash = strtoull(line, &end, 16);
		ok = *end || cli_manifest_add(m, name, hash);
	}
	fclose(f);
	return ok;
}

bool cli_manifest_write(const char *path, const cli_manifest *const *lists, int n)
{
	FILE *f = fopen(path, "wb");

	if (!f) return false;
	bool ok = fputs(title, f) >= 0;
	for (int k = 0; k < n; k++)
		for (int i = 0; i < lists[k]->n; i++) fprintf(f, "%016llx %s\n", (unsigned long long)lists[k]->entry[i].hash, lists[k]->entry[i].name);
	ok = ok && !fflush(f) && !ferror(f) && !fsync(fileno(f));
	return !fclose(f) && ok;
}

bool cli_manifest_has(const cli_manifest *m, const char *name)
{
	for (int i = 0; i < m->n; i++)
		if (!strcmp(m->entry[i].name, name)) return true;
	return false;
}

bool cli_manifest_made(const cli_manifest *m, const char *name, uint64_t hash)
{
	for (int i = 0; i < m->n; i++)
		if (!strcmp(m->entry[i].name, name) && m->entry[i].hash == hash) return true;
	return false;
}

bool cli_manifest_below(const cli_manifest *m, const char *folder)
{
	size_t n = strlen(folder);

	for (int i = 0; i < m->n; i++)
		if (!strncmp(m->entry[i].name, folder, n) && m->entry[i].name[n] == '/') return true;
	return false;
}
