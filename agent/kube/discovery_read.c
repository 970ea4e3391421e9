/* kube/discovery_read.c - discovery documents to the table of kinds. Unknown fields are
 * ignored. */
#include "kube/discovery_int.h"

#include <stdlib.h>

#include "base/text.h"

#define KINDS_MAX  20000
#define GROUPS_MAX 2000
#define NAME_BYTES 253

bool discovery_key(char out[DISCOVERY_KEY_MAX], const char *group, const char *version,
		   const char *kind)
{
	int n = snprintf(out, DISCOVERY_KEY_MAX, "%s/%s/%s", group, version, kind);

	return n > 0 && n < DISCOVERY_KEY_MAX;
}

static enum half half_of(const char *group)
{
	return *group ? HALF_GROUPS : HALF_CORE;
}

static bool is_name(const char *s, bool may_be_empty)
{
	return s && (may_be_empty || *s) && strlen(s) <= NAME_BYTES && !strchr(s, '/');
}

/* The same text gives the same pointer, for the client's life. */
static const char *intern(struct kube_discovery *d, const char *s)
{
	char *known = map_get(&d->strings, s);

	if (known)
		return known;
	known = arena_strdup(d->arena, s);
	map_put(&d->strings, s, known);
	return known;
}

static struct kind_entry *entry(struct kube_discovery *d, const char *group,
				const char *version, const char *kind)
{
	char key[DISCOVERY_KEY_MAX];

	if (!discovery_key(key, group, version, kind))
		return NULL;
	struct kind_entry *e = map_get(&d->kinds, key);
	if (e || d->all.len >= KINDS_MAX)
		return e;
	e = arena_alloc(d->arena, sizeof *e);
	e->now.group = intern(d, group);
	e->now.version = intern(d, version);
	e->now.kind = intern(d, kind);
	e->now.plural = "";
	map_put(&d->kinds, key, e);
	*vec_push(&d->all) = e;
	return e;
}

void discovery_begin(struct kube_discovery *d, enum half half)
{
	d->touched[half] = true;
	d->stale_versions[half] = 0;
	for (size_t i = 0; i < d->all.len; i++)
		if (half_of(d->all.items[i]->now.group) == half)
			d->all.items[i]->seen = false;
}

static bool has_verb(const struct value *verbs, const char *verb)
{
	struct value *item;

	array_each (verbs, i, item) {
		if (text_eq(value_str(item), verb))
			return true;
	}
	return false;
}

/* Where two resources of one version share a kind, the one that can do more is meant. */
static void stage(struct kube_discovery *d, const char *group, const char *version, int rank,
		  const char *kind, const char *plural, bool namespaced,
		  const struct value *verbs)
{
	if (!is_name(kind, false) || !is_name(plural, false))
		return;
	struct kind_entry *e = entry(d, group, version, kind);
	bool patch = has_verb(verbs, "patch");
	if (!e || (e->seen && (e->next.can_patch || !patch)))
		return;
	e->seen = true;
	e->next = e->now;
	e->next.plural = intern(d, plural);
	e->next.namespaced = namespaced;
	e->next.stale = e->next.has_status = false;
	e->next.can_patch = patch;
	e->next.can_list_watch = has_verb(verbs, "list") && has_verb(verbs, "watch");
	e->next_rank = rank;
}

void discovery_mark_stale(struct kube_discovery *d, const char *group, const char *version)
{
	d->stale_versions[half_of(group)]++;
	for (size_t i = 0; i < d->all.len; i++) {
		struct kind_entry *e = d->all.items[i];

		if (strcmp(e->now.group, group) || strcmp(e->now.version, version))
			continue;
		if (!e->seen) { /* as it was: served or not, we don't know better */
			e->next = e->now;
			e->next_rank = e->rank;
			e->seen = e->now.served;
		}
		e->next.stale = true;
	}
}

/* ---- aggregated ---- */

static void read_resource(struct kube_discovery *d, const char *group, const char *version,
			  int rank, const struct value *r)
{
	const char *kind = value_get_str(value_get(r, "responseKind"), "kind");
	const char *plural = value_get_str(r, "resource"), *scope = value_get_str(r, "scope");
	struct value *sub;

	if (!is_name(kind, false) || !is_name(plural, false))
		return;
	stage(d, group, version, rank, kind, plural, text_eq(scope, "Namespaced"),
	      value_get(r, "verbs"));
	struct kind_entry *e = entry(d, group, version, kind);
	if (!e || !e->seen || strcmp(e->next.plural, plural))
		return;
	array_each (value_get(r, "subresources"), i, sub) {
		if (text_eq(value_get_str(sub, "subresource"), "status"))
			e->next.has_status = true;
	}
}

static void read_version(struct kube_discovery *d, const char *group, int rank,
			 const struct value *v)
{
	const char *version = value_get_str(v, "version");
	struct value *r;

	if (!is_name(version, false))
		return;
	array_each (value_get(v, "resources"), i, r) {
		read_resource(d, group, version, rank, r);
	}
	if (text_eq(value_get_str(v, "freshness"), "Stale"))
		discovery_mark_stale(d, group, version);
}

static int check_full(const struct kube_discovery *d, struct error *err)
{
	if (d->all.len < KINDS_MAX)
		return 0;
	return error_reason(err, ERROR_INVALID, "TooLarge", "more than %d kinds", KINDS_MAX);
}

int discovery_read(struct kube_discovery *d, const struct value *doc, struct error *err)
{
	const struct value *items = value_get(doc, "items");
	struct value *item, *v;

	if (!text_eq(value_get_str(doc, "kind"), "APIGroupDiscoveryList"))
		return error_set(err, ERROR_TRANSIENT,
				 "the answer is no APIGroupDiscoveryList");
	if (value_len(items) > GROUPS_MAX)
		return error_reason(err, ERROR_INVALID, "TooLarge",
				    "%zu API groups, at most %d", value_len(items), GROUPS_MAX);
	array_each (items, i, item) {
		const char *group = value_get_str(value_get(item, "metadata"), "name");

		if (!group)
			group = "";
		if (!is_name(group, true))
			continue;
		array_each (value_get(item, "versions"), j, v) {
			read_version(d, group, (int)j, v);
		}
	}
	return check_full(d, err);
}

/* ---- legacy ---- */

static void want_version(struct kube_discovery *d, const char *group, const char *version,
			 int rank)
{
	if (!is_name(version, false) || d->legacy.len >= GROUPS_MAX)
		return;
	struct legacy_version *v = vec_push(&d->legacy);
	v->group = intern(d, group);
	v->version = intern(d, version);
	v->rank = rank;
}

int discovery_read_groups(struct kube_discovery *d, enum half half, const struct value *doc,
			  struct error *err)
{
	const char *kind = value_get_str(doc, "kind");
	struct value *item, *v;

	if (!text_eq(kind, half == HALF_CORE ? "APIVersions" : "APIGroupList"))
		return error_set(err, ERROR_TRANSIENT,
				 "the answer is a %s, wanted a list of groups",
				 kind ? kind : "document without kind");
	if (half == HALF_CORE)
		array_each (value_get(doc, "versions"), i, item) {
			want_version(d, "", value_str(item), (int)i);
		}
	array_each (value_get(doc, "groups"), i, item) {
		const char *group = value_get_str(item, "name");
		const char *first =
			value_get_str(value_get(item, "preferredVersion"), "version");

		if (half == HALF_CORE || !is_name(group, false))
			continue;
		array_each (value_get(item, "versions"), j, v) {
			const char *version = value_get_str(v, "version");
			want_version(d, group, version,
				     text_eq(version, first) ? 0 : (int)j + 1);
		}
	}
	return 0;
}

void discovery_read_legacy(struct kube_discovery *d, const struct legacy_version *v,
			   const struct value *doc)
{
	const struct value *resources = value_get(doc, "resources");
	struct value *r;

	array_each (resources, i, r) {
		const char *name = value_get_str(r, "name");
		if (name && !strchr(name, '/'))
			stage(d, v->group, v->version, v->rank, value_get_str(r, "kind"), name,
			      value_get_bool(r, "namespaced", false), value_get(r, "verbs"));
	}
	array_each (resources, i, r) {
		const char *name = value_get_str(r, "name"), *kind = value_get_str(r, "kind");
		if (!name || !kind || !text_ends(name, "/status"))
			continue;
		struct kind_entry *e = entry(d, v->group, v->version, kind);
		if (e && e->seen && text_starts(name, e->next.plural) &&
		    name[strlen(e->next.plural)] == '/')
			e->next.has_status = true;
	}
}

/* ---- commit ---- */

static bool same(const struct kube_kind *a, const struct kube_kind *b)
{
	return a->plural == b->plural && a->namespaced == b->namespaced &&
	       a->served == b->served && a->stale == b->stale &&
	       a->has_status == b->has_status && a->preferred == b->preferred &&
	       a->can_list_watch == b->can_list_watch && a->can_patch == b->can_patch;
}

static void choose_preferred(struct kube_discovery *d)
{
	char key[DISCOVERY_KEY_MAX];

	map_clear(&d->preferred);
	for (size_t i = 0; i < d->all.len; i++) {
		struct kind_entry *e = d->all.items[i], *best;

		e->next.preferred = false;
		if (!e->next.served || !discovery_key(key, e->now.group, "", e->now.kind))
			continue;
		best = map_get(&d->preferred, key);
		if (best && best->next_rank <= e->next_rank)
			continue;
		if (best)
			best->next.preferred = false;
		e->next.preferred = true;
		map_put(&d->preferred, key, e);
	}
}

bool discovery_commit(struct kube_discovery *d)
{
	bool changed = false;

	for (size_t i = 0; i < d->all.len; i++) {
		struct kind_entry *e = d->all.items[i];

		if (!d->touched[half_of(e->now.group)]) {
			e->next = e->now;
			e->next_rank = e->rank;
		} else if (e->seen) {
			e->next.served = true;
		} else {
			e->next = e->now;
			e->next.served = e->next.stale = false;
		}
	}
	choose_preferred(d);
	for (size_t i = 0; i < d->all.len; i++) {
		struct kind_entry *e = d->all.items[i];

		changed |= !same(&e->now, &e->next);
		e->now = e->next;
		e->rank = e->next_rank;
	}
	d->stale = d->stale_versions[HALF_CORE] || d->stale_versions[HALF_GROUPS];
	return changed;
}
