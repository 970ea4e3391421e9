/* discovery_fuzz.c - any JSON as each of the discovery documents, twice in a row. */
#include <stdlib.h>
#include <string.h>

#include "kube/discovery_int.h"
#include "value/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

/* Every served kind has a path, and one version of it is the preferred one. */
static void check(const struct kube_discovery *d)
{
	char key[DISCOVERY_KEY_MAX];

	for (size_t i = 0; i < d->all.len; i++) {
		const struct kind_entry *e = d->all.items[i];

		must(e->now.group && *e->now.version && *e->now.kind);
		if (!e->now.served)
			continue;
		must(*e->now.plural);
		must(discovery_key(key, e->now.group, "", e->now.kind));
		const struct kind_entry *best = map_get(&d->preferred, key);
		must(best && best->now.preferred && best->now.served);
		must(best == e || !e->now.preferred);
	}
}

static bool round_of(struct kube_discovery *d, const struct value *doc)
{
	struct error err = ERROR_INIT;

	d->legacy.len = 0;
	for (int half = HALF_CORE; half <= HALF_GROUPS; half++) {
		discovery_begin(d, (enum half)half);
		if (discovery_read(d, doc, &err))
			discovery_read_groups(d, (enum half)half, doc, &err);
	}
	for (size_t i = 0; i < d->legacy.len; i++) {
		discovery_read_legacy(d, &d->legacy.items[i], doc);
		if (i % 3 == 2)
			discovery_mark_stale(d, d->legacy.items[i].group,
					     d->legacy.items[i].version);
	}
	bool changed = discovery_commit(d);
	check(d);
	return changed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct value *doc = NULL;

	if (!value_json_parse(a, (const char *)data, size, &value_limits_manifest, &doc,
			      NULL)) {
		struct kube_discovery *d = kube_discovery_new();
		round_of(d, doc);
		must(!round_of(d, doc)); /* the same answer is no change */
		kube_discovery_free(d);
	}
	arena_free(a);
	return 0;
}
