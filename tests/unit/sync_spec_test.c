/* What an Application may say, and how everything else is refused by name. */
#include "test.h"

#include "sync/spec.h"
#include "value/yaml.h"

static int read_spec(struct arena *a, const char *yaml, struct app_spec *out, struct error *err)
{
	struct value_docs docs = {0};

	assert_int_equal(
		value_yaml_parse(a, yaml, strlen(yaml), &value_limits_manifest, &docs, err), 0);
	int rc = app_spec_read(a, docs.list.items[0], out, err);
	value_docs_clear(&docs);
	return rc;
}

static void test_spec__minimal_has_safe_defaults(void **state)
{
	struct arena *a = arena_new();
	struct app_spec s;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(read_spec(a, "spec: {source: {repoURL: 'https://git/x'}}", &s, &err),
			 0);
	assert_string_equal(s.repo_url, "https://git/x");
	assert_string_equal(s.target, "HEAD");
	assert_string_equal(s.path, "");
	assert_false(s.automated || s.prune || s.self_heal || s.allow_empty || s.suspend ||
		     s.recurse);
	assert_int_equal(s.prune_limit, -1);
	assert_int_equal(s.retry_limit, 5);
	assert_int_equal(s.retry_ms, 5000);
	assert_int_equal(s.history_limit, 10);
	assert_null(s.policy);
	assert_null(s.status_provider);
	arena_free(a);
}

static void test_spec__every_honoured_field_is_read(void **state)
{
	static const char yaml[] =
		"spec:\n"
		"  project: default\n"
		"  source: {repoURL: 'ssh://git@h/x', targetRevision: v1, path: a/b, "
		"directory: {recurse: true}}\n"
		"  destination: {server: 'https://kubernetes.default.svc', namespace: shop}\n"
		"  syncPolicy:\n"
		"    automated: {prune: true, selfHeal: true, allowEmpty: true}\n"
		"    syncOptions: [ServerSideApply=true]\n"
		"    retry: {limit: -1, backoff: {duration: 1s, factor: 3, maxDuration: 1m}}\n"
		"  interval: 5s\n"
		"  trustPolicyRef: {name: strict}\n"
		"  commitStatus: {provider: gitea, url: 'http://f', context: c, secretRef: "
		"{name: s, key: k}}\n"
		"  pruneLimit: 3\n"
		"  suspend: true\n"
		"  revisionHistoryLimit: 4\n";
	struct arena *a = arena_new();
	struct app_spec s;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(read_spec(a, yaml, &s, &err), 0);
	assert_true(s.automated && s.prune && s.self_heal && s.allow_empty && s.suspend &&
		    s.recurse);
	assert_string_equal(s.target, "v1");
	assert_string_equal(s.path, "a/b");
	assert_string_equal(s.dest_ns, "shop");
	assert_int_equal(s.retry_limit, -1);
	assert_int_equal(s.retry_ms, 1000);
	assert_int_equal(s.retry_factor, 3);
	assert_int_equal(s.retry_max_ms, 60000);
	assert_int_equal(s.interval_ms, 5000);
	assert_string_equal(s.policy, "strict");
	assert_string_equal(s.status_provider, "gitea");
	assert_string_equal(s.status_secret, "s");
	assert_string_equal(s.status_key, "k");
	assert_string_equal(s.status_context, "c");
	assert_int_equal(s.prune_limit, 3);
	assert_int_equal(s.history_limit, 4);
	arena_free(a);
}

static void test_spec__what_is_not_honoured_is_refused_by_name(void **state)
{
	static const struct {
		const char *yaml, *reason, *text;
	} rows[] = {
		{"metadata: {}", "SpecInvalid", "spec is missing"},
		{"spec: {}", "SpecInvalid", "spec.source.repoURL is missing"},
		{"spec: {sources: [], source: {repoURL: x}}", "NotSupported",
		 "spec.sources is not"},
		{"spec: {source: {repoURL: x, helm: {}}}", "NotSupported",
		 "spec.source.helm is not"},
		{"spec: {source: {repoURL: x, directory: {jsonnet: {}}}}", "NotSupported",
		 "spec.source.directory.jsonnet"},
		{"spec: {source: {repoURL: x}, ignoreDifferences: []}", "NotSupported",
		 "spec.ignoreDifferences"},
		{"spec: {source: {repoURL: x}, project: team}", "NotSupported", "spec.project"},
		{"spec: {source: {repoURL: x}, destination: {server: 'https://o'}}",
		 "NotSupported", "spec.destination.server: seen \"https://o\""},
		{"spec: {source: {repoURL: x}, syncPolicy: {syncOptions: [Replace=true]}}",
		 "NotSupported", "spec.syncPolicy.syncOptions[0]: \"Replace=true\""},
		{"spec: {source: {repoURL: x}, syncPolicy: {syncOptions: [7]}}", "NotSupported",
		 "syncOptions[0]"},
		{"spec: {source: {repoURL: x, path: ../up}}", "SpecInvalid",
		 "spec.source.path"},
		{"spec: {source: {repoURL: x, path: /etc}}", "SpecInvalid", "spec.source.path"},
		{"spec: {source: {repoURL: 7}}", "SpecInvalid",
		 "spec.source.repoURL: a string is wanted"},
		{"spec: {source: []}", "SpecInvalid", "spec.source: a map is wanted"},
		{"spec: {source: {repoURL: x}, interval: soon}", "SpecInvalid",
		 "spec.interval: seen \"soon\""},
		{"spec: {source: {repoURL: x}, interval: 10ms}", "SpecInvalid", "at least 1s"},
		{"spec: {source: {repoURL: x}, pruneLimit: -1}", "SpecInvalid",
		 "spec.pruneLimit: seen -1, wanted a whole number from 0"},
		{"spec: {source: {repoURL: x}, pruneLimit: 1.5}", "SpecInvalid", "seen 1.5"},
		{"spec: {source: {repoURL: x}, suspend: 'yes'}", "SpecInvalid",
		 "spec.suspend: a bool"},
		{"spec: {source: {repoURL: x}, commitStatus: {provider: gitea}}", "SpecInvalid",
		 "secretRef.name"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena *a = arena_new();
		struct app_spec s;
		struct error err = ERROR_INIT;

		if (!read_spec(a, rows[i].yaml, &s, &err))
			fail_msg("accepted: %s", rows[i].yaml);
		assert_string_equal(error_code(&err), rows[i].reason);
		if (!strstr(err.text, rows[i].text))
			fail_msg("%s\n  says \"%s\"\n  wanted \"%s\"", rows[i].yaml, err.text,
				 rows[i].text);
		arena_free(a);
	}
}

static void test_spec__automated_can_be_switched_off(void **state)
{
	struct arena *a = arena_new();
	struct app_spec s;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(
		read_spec(a,
			  "spec: {source: {repoURL: x}, syncPolicy: {automated: {enabled: "
			  "false, selfHeal: true}}}",
			  &s, &err),
		0);
	assert_false(s.automated);
	assert_false(
		s.self_heal); /* nothing is healed by itself when nothing is synced by itself */
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spec__minimal_has_safe_defaults),
		cmocka_unit_test(test_spec__every_honoured_field_is_read),
		cmocka_unit_test(test_spec__what_is_not_honoured_is_refused_by_name),
		cmocka_unit_test(test_spec__automated_can_be_switched_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
