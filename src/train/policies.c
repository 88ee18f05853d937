/* SPDX-License-Identifier: Apache-2.0
 *
 * policies - the table of those that have a name, and a list of them as text: "ema:decay=0.999; early:patience=3".
 */
#include "train/policy.h"

#define ROW(name) extern const cop_policy_row cop_policy_##name;
#include "train/policy.def"
#undef ROW

static const cop_row *row(int i)
{
	static const cop_policy_row *const all[] = {
#define ROW(name) &cop_policy_##name,
#include "train/policy.def"
#undef ROW
	};
	return i >= 0 && i < LEN(all) ? &all[i]->row : NULL;
}

const cop_table cop_policies = {"policies", "policy", "what acts while a network is trained", row};

static cop_status read_one(cop_policy *out, cop_arena *mem, const char *text, size_t len)
{
	uint64_t options[224];
	int i;

	COP_TRY(cop__row_read(&i, options, sizeof options, mem->cx, "policies", &cop_policies, text, len));
	const cop_policy_row *r = (const cop_policy_row *)(const void *)row(i);
	void *own = cop__arena_get(mem, r->row.size + 8);
	if (!own) return COP_NOMEM;
	memcpy(own, options, r->row.size);
	*out = (cop_policy){.name = r->row.name};
	return r->make(out, mem, own);
}

cop_status cop__policies_read(cop_policy *out, int *n, int most, cop_arena *mem, const char *text)
{
	*n = 0;
	if (text && !strcmp(text, "none")) return COP_OK;
	for (const char *p = text ? text : ""; *p;) {
		p += strspn(p, "; \t\n");
		size_t len = strcspn(p, ";");
		if (!len) continue;
		if (*n == most) return cop__error(mem->cx, COP_ARG, "policies: there are more than %d", most);
		COP_TRY(read_one(&out[(*n)++], mem, p, len));
		p += len;
	}
	return COP_OK;
}

/* Of the policy whose name text begins with; NULL: there is none. */
static const cop_policy_row *row_at(const char *text)
{
	int i = cop__row_index(&cop_policies, text, strcspn(text, ":; \t\n"));
	return i >= 0 ? (const cop_policy_row *)(const void *)row(i) : NULL;
}

bool cop__policies_answer(const char *text)
{
	for (const char *p = text ? text : ""; *p; p += strcspn(p, ";")) {
		p += strspn(p, "; \t\n");
		const cop_policy_row *r = row_at(p);
		if (r && r->answers) return true;
	}
	return false;
}

cop_status cop__policies_teachers(char *to, size_t size, cop_ctx *cx, const char *text)
{
	size_t at = 0;

	*to = 0;
	for (const char *p = text ? text : ""; *p;) {
		p += strspn(p, "; \t\n");
		size_t len = strcspn(p, ";");
		const cop_policy_row *r = row_at(p);
		const bool teaches = r && r->teaches;
		if (teaches && at + len + 2 > size) return cop__error(cx, COP_ARG, "policies: the teachers take more than %zu characters", size - 2);
		if (teaches) memcpy(to + at, p, len), at += len, to[at++] = ';', to[at] = 0;
		p += len;
	}
	return COP_OK;
}
