/* live/read.c and rows.c: what one object says about itself, and the table of rows. */
#include "test.h"

#include "live/live_int.h"
#include "value/json.h"

static struct value *parse(struct arena *a, const char *json)
{
	struct value *v = NULL;
	struct error err;

	if (value_json_parse(a, json, strlen(json), &value_limits_api, &v, &err))
		fail_msg("%s: %s", json, err.text);
	return v;
}

#define ENTRY(manager, operation, more, fields)                              \
	"{\"manager\":\"" manager "\",\"operation\":\"" operation "\"," more \
	"\"apiVersion\":\"v1\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":" fields "}"
#define OBJECT(entries) "{\"metadata\":{\"managedFields\":[" entries "]}}"

static uint64_t digest(const char *json)
{
	AUTO_ARENA a = arena_new();

	return live_own_digest(parse(a, json), MANAGER);
}

static void test_digest__order_of_keys_and_of_entries_is_nothing(void **state)
{
	uint64_t one = digest(OBJECT(ENTRY("modelsync", "Apply", "",
					   "{\"f:data\":{\"f:a\":{},\"f:b\":{}},\"f:x\":{}}")));

	assert_true(one != 0);
	assert_true(one ==
		    digest(OBJECT(ENTRY("modelsync", "Apply", "\"time\":\"2026\",",
					"{\"f:x\":{},\"f:data\":{\"f:b\":{},\"f:a\":{}}}"))));
	assert_true(one ==
		    digest(OBJECT(ENTRY("kubectl", "Update", "", "{\"f:y\":{}}") "," ENTRY(
			    "modelsync", "Apply", "",
			    "{\"f:data\":{\"f:a\":{},\"f:b\":{}},\"f:x\":{}}"))));
	assert_true(one != digest(OBJECT(ENTRY("modelsync", "Apply", "",
					       "{\"f:data\":{\"f:a\":{}},\"f:x\":{}}"))));
}

static void test_digest__is_zero_when_nothing_is_ours(void **state)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		"{\"metadata\":{\"managedFields\":{\"manager\":\"modelsync\"}}}",
		OBJECT(""),
		OBJECT("{}"),
		OBJECT("{\"manager\":\"modelsync\",\"operation\":\"Apply\"}"),
		OBJECT(ENTRY("modelsync", "Update", "", "{\"f:x\":{}}")),
		OBJECT(ENTRY("modelsync2", "Apply", "", "{\"f:x\":{}}")),
		OBJECT(ENTRY("modelsync", "Apply", "\"subresource\":\"status\",",
			     "{\"f:x\":{}}")),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_row(digest(rows[i]) == 0, rows[i]);
}

/* ---- A row's facts ---- */

#define KEY "ConfigMap|default|a"

static struct row *read_row(struct rows *rows, const char *json)
{
	AUTO_ARENA a = arena_new();
	AUTO(buf) scratch = BUF_INIT;
	struct row *row = rows_get(rows, KEY) ?: rows_add(rows, KEY, "default", "a");

	row_read(row, parse(a, json), &scratch);
	return row;
}

static char *annotated(struct arena *a, const char *key)
{
	unsigned char hash[DESIRED_HASH_LEN] = {1, 2, 3};
	AUTO(buf) text = BUF_INIT;

	applied_format(hash, key, &text);
	return arena_printf(a, "{\"metadata\":{\"annotations\":{\"%s\":\"%s\"}}}",
			    ANNOTATION_APPLIED, text.ptr);
}

static void test_read__applied_hash_counts_only_under_its_own_key(void **state)
{
	static const unsigned char hash[DESIRED_HASH_LEN] = {1, 2, 3}, none[DESIRED_HASH_LEN];
	AUTO_ARENA a = arena_new();
	struct rows rows = {0};
	struct row *row = read_row(&rows, annotated(a, KEY));

	assert_true(row->o.has_hash);
	assert_memory_equal(row->o.hash, hash, sizeof hash);
	row = read_row(&rows, annotated(a, "ReplicaSet.apps|default|a"));
	assert_false(row->o.has_hash);
	assert_memory_equal(row->o.hash, none, sizeof none);
	row = read_row(&rows, "{\"metadata\":{\"annotations\":{\"" ANNOTATION_APPLIED
			      "\":\"junk\"}}}");
	assert_false(row->o.has_hash);
	rows_clear(&rows);
}

static void test_read__version_uid_and_deletion(void **state)
{
	struct rows rows = {0};
	struct row *row =
		read_row(&rows, "{\"metadata\":{\"resourceVersion\":\"18446744073709551615\","
				"\"uid\":\"u-1\",\"deletionTimestamp\":\"2026\"}}");

	assert_true(row->o.version == UINT64_MAX);
	assert_string_equal(row->o.uid, "u-1");
	assert_true(row->o.deleting);
	row = read_row(&rows,
		       "{\"metadata\":{\"resourceVersion\":\"18446744073709551616\",\"uid\":"
		       "\"0123456789012345678901234567890123456789-too-long\"}}");
	assert_true(row->o.version == 0);
	assert_int_equal(strlen(row->o.uid), ROW_UID_MAX - 1);
	assert_false(row->o.deleting);
	rows_clear(&rows);
}

static void test_read__controller_is_foreign_unless_we_set_it(void **state)
{
	static const struct {
		const char *refs, *ours;
		bool foreign;
	} table[] = {
		{"[]", "{}", false},
		{"[{\"uid\":\"u\",\"controller\":false}]", "{}", false},
		{"[{\"uid\":\"u\",\"controller\":true}]", "{}", true},
		{"[{\"uid\":\"u\",\"controller\":true}]", "{\"k:{\\\"uid\\\":\\\"u\\\"}\":{}}",
		 false},
		{"[{\"uid\":\"u\",\"controller\":true}]", "{\"k:{\\\"uid\\\":\\\"v\\\"}\":{}}",
		 true},
		{"[{\"controller\":true}]", "{}", true},
	};
	struct rows rows = {0};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		AUTO_ARENA a = arena_new();
		const char *json = arena_printf(
			a,
			"{\"metadata\":{\"ownerReferences\":%s,\"managedFields\":[{\"manager\":"
			"\"modelsync\",\"operation\":\"Apply\",\"fieldsV1\":{\"f:metadata\":"
			"{\"f:ownerReferences\":%s}}}]}}",
			table[i].refs, table[i].ours);

		assert_row(read_row(&rows, json)->o.foreign_owner == table[i].foreign, json);
	}
	rows_clear(&rows);
}

/* ---- The table ---- */

static void test_rows__found_by_key_and_by_owner_through_growth(void **state)
{
	enum { N = 1000 };
	struct rows rows = {0};
	char key[64], name[32];

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof name, "c%d", i);
		snprintf(key, sizeof key, "ConfigMap|shop|%s", name);
		rows_own(&rows, rows_add(&rows, key, "shop", name), i % 2 ? "odd" : "even");
	}
	assert_int_equal(rows.len, N);
	assert_int_equal(rows_owner(&rows, "odd")->count, N / 2);
	struct row *row = rows_get(&rows, "ConfigMap|shop|c77");
	assert_string_equal(row->o.name, "c77");
	assert_string_equal(row->o.ns, "shop");
	assert_string_equal(row->o.part_of, "odd");
	rows_own(&rows, row, "even");
	assert_int_equal(rows_owner(&rows, "odd")->count, N / 2 - 1);
	for (int i = 0; i < N; i++) {
		snprintf(key, sizeof key, "ConfigMap|shop|c%d", i);
		rows_remove(&rows, rows_get(&rows, key));
		assert_null(rows_get(&rows, key));
	}
	assert_int_equal(rows.len, 0);
	assert_null(rows_owner(&rows, "odd"));
	assert_null(rows_owner(&rows, "even"));
	rows_clear(&rows);
}

static void test_rows__a_row_is_small(void **state)
{
	assert_true(sizeof(struct row) <= 216);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest__order_of_keys_and_of_entries_is_nothing),
		cmocka_unit_test(test_digest__is_zero_when_nothing_is_ours),
		cmocka_unit_test(test_read__applied_hash_counts_only_under_its_own_key),
		cmocka_unit_test(test_read__version_uid_and_deletion),
		cmocka_unit_test(test_read__controller_is_foreign_unless_we_set_it),
		cmocka_unit_test(test_rows__found_by_key_and_by_owner_through_growth),
		cmocka_unit_test(test_rows__a_row_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
